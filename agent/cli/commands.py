"""The commands beside a question: chat, threads, library, models, stop."""

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from llm_compiler.cli import command, keeping, options
from llm_compiler.cli.exit_status import ANSWERED, explained

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings=options.CONTEXT
)
threads = typer.Typer(context_settings=options.CONTEXT)
app.add_typer(threads, name="threads")
Name = Annotated[str, typer.Argument(help="The name of the conversation.", metavar="NAME")]


@app.command(context_settings=options.CONTEXT)
def chat(
    model: options.ModelOption = None,
    planner_model: options.PlannerModel = None,
    joiner_model: options.JoinerModel = None,
    documents: options.Documents = None,
    tools: options.Tools = None,
    approve: options.Approve = None,
    max_parallel: options.MaxParallel = None,
    max_rounds: options.MaxRounds = None,
    thread: options.Thread = None,
    keep: options.Keep = None,
    quiet: options.Quiet = False,
) -> None:
    """Ask one question after another. Ctrl-C stops an answer, Ctrl-D leaves."""
    wanted = options.command_of(
        model=model,
        planner_model=planner_model,
        joiner_model=joiner_model,
        documents=documents,
        tools=tools,
        approve=approve,
        max_parallel=max_parallel,
        max_rounds=max_rounds,
        thread=thread,
        keep=keep,
        quiet=quiet,
    )
    from llm_compiler.cli import chat

    raise typer.Exit(chat.chat(wanted))


@threads.callback(invoke_without_command=True)
def _threads(ctx: typer.Context) -> None:
    """List, show and delete stored conversations."""
    if ctx.invoked_subcommand is None:
        list_threads()


@threads.command("list", context_settings=options.CONTEXT)
def list_threads(as_json: options.AsJson = False) -> None:
    """List the conversations, the last used first."""
    from llm_compiler.cli import threads

    _done(lambda: threads.list_threads(as_json=as_json))


@threads.command("show", context_settings=options.CONTEXT)
def show_thread(name: Name, as_json: options.AsJson = False) -> None:
    """Show the questions and answers of a conversation."""
    from llm_compiler.cli import threads

    _done(lambda: threads.show_thread(name, as_json=as_json))


@threads.command("delete", context_settings=options.CONTEXT)
def delete_threads(
    names: Annotated[list[str], typer.Argument(help="Their names.", metavar="NAME…")],
) -> None:
    """Delete conversations."""
    from llm_compiler.cli import threads

    _done(lambda: threads.delete_threads(names))


@app.command(context_settings=options.CONTEXT)
def library(
    page: Annotated[
        str | None,
        typer.Argument(help="Show this page: its title or its file.", metavar="PAGE"),
    ] = None,
    documents: options.Documents = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what can be asked without the web: the pages that are searched, or one of them."""
    wanted = options.command_of(documents=documents)

    def show() -> None:
        from llm_compiler.cli import library

        context = command.context_of(wanted)
        if page is None:
            library.list_pages(context, as_json=as_json)
        else:
            library.show_page(context, page)

    _done(show)


@app.command(context_settings=options.CONTEXT)
def models(
    model: options.ModelOption = None,
    planner_model: options.PlannerModel = None,
    joiner_model: options.JoinerModel = None,
    as_json: options.AsJson = False,
) -> None:
    """Show which model each role uses, and why."""
    wanted = options.command_of(
        model=model, planner_model=planner_model, joiner_model=joiner_model, as_json=as_json
    )
    raise typer.Exit(command.models(wanted))


@app.command(context_settings=options.CONTEXT)
def stop() -> None:
    """End a local model that stays loaded after a command."""
    raise typer.Exit(keeping.stop())


def _done(work: Callable[[], None]) -> None:
    """Do it; exit with its status. Errors are printed, not raised."""
    try:
        work()
        sys.stdout.flush()  # what cannot be written is an error
    except Exception as error:
        raise typer.Exit(explained(error)) from None
    raise typer.Exit(ANSWERED)
