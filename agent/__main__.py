"""`python -m agent`: the same as `llm-compiler`."""

from agent.cli import main

main()
