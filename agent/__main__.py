"""`python -m llm_compiler`: the same as `llm-compiler`."""

from llm_compiler.cli import main

main()
