"""The command line: `llm-compiler QUESTION`, `llm-compiler models`.

LangGraph and LangChain take a second to import, so `command.py` imports them after the options have
been checked.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """The program `llm-compiler`, and `python -m llm_compiler`."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            # A terminal that cannot show a character shows "?" instead of ending the program.
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app(prog_name="llm-compiler")


@app.command(
    epilog="`llm-compiler models` shows which model each role uses, and why."
    "  Every setting can also be an environment variable, for example LLM_COMPILER_DEADLINE=60."
)
def ask(
    ctx: typer.Context,
    question: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUESTION | models", help="The question. If omitted, standard input is read."
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help='"openai:NAME", "provider:NAME" or "local".', metavar="MODEL"),
    ] = None,
    documents: Annotated[
        Path | None,
        typer.Option(
            help="Search this folder of Markdown files instead of the web.",
            metavar="DIR",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    max_parallel: Annotated[
        int | None, typer.Option(help="Maximum calls at once.", min=1, max=10_000, metavar="N")
    ] = None,
    max_rounds: Annotated[
        int | None, typer.Option(help="Maximum plans per turn.", min=1, max=100, metavar="N")
    ] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Print the plan, but do not run it.", metavar="")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the final state as JSON.", metavar="")
    ] = False,
    thread: Annotated[
        str | None, typer.Option(help="Continue the conversation with this name.", metavar="ID")
    ] = None,
    timeline: Annotated[
        Path | None,
        typer.Option(
            help="Draw the turn as a timeline in this file.",
            metavar="FILE.svg",
            dir_okay=False,
            writable=True,
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only the answer.", metavar="")
    ] = False,
) -> None:
    """Compile a question into a parallel program of tool calls, run it, and answer."""
    text = " ".join(question or ()).strip()
    if not text:
        text = _from_stdin(ctx)
    if thread is not None and not thread.strip():
        raise typer.BadParameter("the name is empty", param_hint="'--thread'")
    if timeline is not None and not timeline.absolute().parent.is_dir():
        raise typer.BadParameter(
            f"the folder {str(timeline.absolute().parent)!r} does not exist",
            param_hint="'--timeline'",
        )
    settings = {
        "model": model,
        "documents": documents,
        "max_parallel": max_parallel,
        "max_rounds": max_rounds,
    }
    from llm_compiler.cli import command

    wanted = command.Command(
        question=text,
        settings={name: value for name, value in settings.items() if value is not None},
        thread=thread,
        timeline=timeline,
        plan_only=plan_only,
        as_json=as_json,
        quiet=quiet,
    )
    carry_out = command.models if question == ["models"] else command.answer
    raise typer.Exit(carry_out(wanted))


def _from_stdin(ctx: typer.Context) -> str:
    """The question on standard input. If it is empty, show the help and exit with status 2."""
    text = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    if not text:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(2)
    return text
