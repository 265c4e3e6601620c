"""The command line: what is asked, and what is seen of a turn."""

from agent.cli.options import main

__all__ = ["main"]
