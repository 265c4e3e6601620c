"""What stands in the journal of a checkpointer, for tests that wait until something does."""

from typing import Any

from langgraph.checkpoint.memory import InMemorySaver


def entries(saver: InMemorySaver) -> list[dict[str, Any]]:
    """All entries of all turns."""
    return [
        saver.serde.loads_typed(value)
        for (_, namespace, _), writes in saver.writes.items()
        for _, _, value, _ in writes.values()
        if namespace.rpartition("|")[2] == "llm_compiler"
    ]


def journaled(saver: InMemorySaver) -> set[str]:
    """The tasks whose outcomes are journaled."""
    return {str(it["outcome"]["id"]) for it in entries(saver) if it.get("outcome")}
