"""`llm-compiler QUESTION`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from llm_compiler.cli import command, options
from llm_compiler.cli.command_names import COMMANDS, misspelt

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def _described() -> str:
    listed = ", ".join(f"`{name}` ({what})" for name, what in COMMANDS.items())
    settings = (
        "Every setting can also be an environment variable, for example LLM_COMPILER_DEADLINE=60."
    )
    status = (
        "Exit status: 0 answered, 1 not answered or an error, 2 wrong use or missing setup,"
        " 3 a person must decide first, 130 stopped by Ctrl-C."
    )
    return "\n\n".join([f"Other commands, each with -h: {listed}.", settings, status])


@app.command(epilog=_described(), context_settings=options.CONTEXT)
def ask(
    ctx: typer.Context,
    question: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUESTION",
            help="The question. If omitted, standard input is read; or, with --thread, its"
            " unfinished turn is continued.",
        ),
    ] = None,
    model: options.ModelOption = None,
    planner_model: options.PlannerModel = None,
    joiner_model: options.JoinerModel = None,
    documents: options.Documents = None,
    tools: options.Tools = None,
    approve: options.Approve = None,
    max_parallel: options.MaxParallel = None,
    max_rounds: options.MaxRounds = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Print the plan, but do not run it.", metavar="")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the final state as JSON.", metavar="")
    ] = False,
    thread: options.Thread = None,
    timeline: Annotated[
        Path | None,
        typer.Option(
            help="Draw the turn as a timeline in this file: .svg, .png or .html.",
            metavar="FILE",
            dir_okay=False,
            writable=True,
        ),
    ] = None,
    keep: options.Keep = None,
    quiet: options.Quiet = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            metavar="",
            is_eager=True,
            callback=options.version,
        ),
    ] = False,
) -> None:
    """Compile a question into a parallel program of tool calls, run it, and answer."""
    if question == ["-"]:  # standard input, as most programs have it
        question = None
    text = " ".join(question or ()).strip()
    if len(question or ()) == 1 and text in COMMANDS:
        raise typer.BadParameter(f"write the command first: llm-compiler {text} …")
    if name := misspelt(text.split()):
        raise typer.BadParameter(
            f'there is no command "{text.split()[0]}"; did you mean "{name}"? If it is a question,'
            f' write: llm-compiler "{text}?"'
        )
    wanted = options.command_of(
        question=text
        or _from_stdin(
            ctx, given=bool(question), may_be_empty=thread is not None and not plan_only
        ),
        model=model,
        planner_model=planner_model,
        joiner_model=joiner_model,
        documents=documents,
        tools=tools,
        approve=approve,
        max_parallel=max_parallel,
        max_rounds=max_rounds,
        plan_only=plan_only,
        as_json=as_json,
        thread=thread,
        timeline=timeline,
        keep=keep,
        quiet=quiet,
    )
    raise typer.Exit(command.answer(wanted))


def _from_stdin(ctx: typer.Context, *, given: bool, may_be_empty: bool) -> str | None:
    """The question on standard input. If there is none, show the help and exit with status 2.

    Raises:
        BadParameter: what was given as a question is empty.
    """
    text = "" if given or sys.stdin.isatty() else sys.stdin.read().strip()
    if given and not may_be_empty:
        raise typer.BadParameter("the question is empty")
    if not text and not may_be_empty:
        typer.echo(ctx.get_help(), err=True)
        raise typer.Exit(2)
    return text or None
