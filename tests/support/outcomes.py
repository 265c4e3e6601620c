"""Tasks and outcomes in the form in which the state holds them."""

from typing import Any


def task(id: int, tool: str, needs: Any = (), **args: Any) -> Any:
    return {"id": id, "tool": tool, "args": args, "needs": [*needs]}


def outcome(id: int, value: Any, status: str = "ok", error: str | None = None) -> Any:
    return {
        "id": id, "tool": "", "args": {}, "status": status, "value": value, "error": error,
        "started_at": None, "ended_at": None, "attempts": 1, "reused": False,
    }  # fmt: skip
