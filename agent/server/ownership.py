"""Ownership on a server: marks every resource with its owner, and filters requests by owner."""

from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import quote

from langgraph_sdk import Auth

OWNER: Final = "owner"
_MADE_BY_SERVER: Final = {"created_by": "system"}
_WRITES: Final = ("create", "create_run", "update")


async def own(ctx: Auth.types.AuthContext, value: MutableMapping[str, Any]) -> dict[str, Any]:
    """Mark threads, runs, assistants and crons with their owner; return the filter by owner.

    Nobody can access resources without an owner, except the assistants that the server creates for
    its graphs: everyone may read and run them.
    """
    owner = {OWNER: ctx.user.identity}
    metadata = value.get("metadata")
    if ctx.action in _WRITES and metadata is not None:
        if ctx.resource == "assistants" and _MADE_BY_SERVER.items() <= metadata.items():
            # Everyone would be shown this assistant, with the name and texts that its owner chose.
            raise Auth.exceptions.HTTPException(
                status_code=403,
                detail="metadata created_by 'system' is reserved for the server; omit it",
            )
        metadata.update(owner)
    if ctx.resource == "assistants" and ctx.action in ("read", "search"):
        return {"$or": [owner, dict(_MADE_BY_SERVER)]}
    return owner


async def own_namespace(ctx: Auth.types.AuthContext, value: MutableMapping[str, Any]) -> None:
    """Prefix the store's namespace with the owner, so that other owners' are out of reach."""
    label = namespace_label(ctx.user.identity)
    namespace = tuple(value.get("namespace") or ())
    value["namespace"] = namespace if namespace[:1] == (label,) else (label, *namespace)


def namespace_label(owner: str) -> str:
    """The owner as a unique label in the store's namespaces, which may not contain full stops."""
    return quote(owner, safe="@|: ").replace(".", "%2E")
