"""The command line: asks the question, and shows the turn."""

from llm_compiler.cli.program import main

__all__ = ["main"]
