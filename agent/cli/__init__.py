"""The command line: what is asked, and what is seen of a turn."""

from llm_compiler.cli.options import main

__all__ = ["main"]
