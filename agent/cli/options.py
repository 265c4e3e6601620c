"""The options that commands share, and what is checked before anything is imported or runs.

LangGraph and LangChain take a second to import, so `command.py` imports them after that.
"""

import importlib.metadata
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from llm_compiler.cli.command import Command
from llm_compiler.cli.keeping import DEFAULT_KEEP, KEEP, keep_seconds
from llm_compiler.cli.timeline_file import why_not

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}
"""Settings of every command."""

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help='"openai:NAME", "provider:NAME" or "local".', metavar="MODEL"),
]
PlannerModel = Annotated[
    str | None,
    typer.Option(
        "--planner-model", help="Model of the planner; overrides --model.", metavar="MODEL"
    ),
]
JoinerModel = Annotated[
    str | None,
    typer.Option("--joiner-model", help="Model of the joiner; overrides --model.", metavar="MODEL"),
]
Documents = Annotated[
    Path | None,
    typer.Option(
        "--documents",
        help="Search this folder of Markdown files instead of the web.",
        metavar="DIR",
        exists=True,
        file_okay=False,
    ),
]
Tools = Annotated[
    list[str] | None,
    typer.Option(
        "--tools",
        help="Also offer a function, a tool or a list of them. May be given several times.",
        metavar="FILE.py:NAME",
    ),
]
Approve = Annotated[
    list[str] | None,
    typer.Option(
        "--approve",
        help="Ask before each call of this tool. May be given several times.",
        metavar="TOOL",
    ),
]
MaxParallel = Annotated[
    int | None,
    typer.Option("--max-parallel", help="Maximum calls at once.", min=1, max=10_000, metavar="N"),
]
MaxRounds = Annotated[
    int | None,
    typer.Option("--max-rounds", help="Maximum plans per turn.", min=1, max=100, metavar="N"),
]
Thread = Annotated[
    str | None,
    typer.Option(
        "--thread",
        help="Continue the conversation with this name, or begin it.",
        metavar="NAME",
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        help="How long a local model stays loaded for the next command: 30s, 5m, 1h, 0."
        f" (default: {DEFAULT_KEEP}, or {KEEP})",
        metavar="TIME",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.", metavar="")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the answer.", metavar="")]


def version(wanted: bool) -> None:
    """Print the version and exit."""
    if wanted:
        try:
            print(f"llm-compiler {importlib.metadata.version('llm-compiler')}")
        except importlib.metadata.PackageNotFoundError:
            print("llm-compiler, not installed (a checkout)")
        raise typer.Exit


def command_of(
    *,
    question: str | None = None,
    tools: list[str] | None = None,
    thread: str | None = None,
    keep: str | None = None,
    timeline: Path | None = None,
    plan_only: bool = False,
    as_json: bool = False,
    quiet: bool = False,
    approve: list[str] | None = None,
    **settings: Any,
) -> Command:
    """The command that options make.

    Raises:
        typer.BadParameter: an option has a wrong value.
    """
    if thread is not None and not thread.strip():
        raise typer.BadParameter("the name is empty", param_hint="'--thread'")
    if timeline is not None and (why := why_not(timeline)):
        raise typer.BadParameter(why, param_hint="'--timeline'")
    try:
        seconds = keep_seconds(keep)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--keep'") from None
    if approve:
        settings["approve"] = tuple(approve)
    return Command(
        question=question,
        settings={name: value for name, value in settings.items() if value is not None},
        tools=tools or (),
        thread=thread,
        keep=seconds,
        timeline=timeline,
        plan_only=plan_only,
        as_json=as_json,
        quiet=quiet,
    )
