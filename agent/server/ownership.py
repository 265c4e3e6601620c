"""What belongs to whom on a server: the owner is written into all that is made, and filtered on."""

from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import quote

from langgraph_sdk import Auth

OWNER: Final = "owner"
_MADE_BY_SERVER: Final = {"created_by": "system"}
_WRITES: Final = ("create", "create_run", "update")


async def own(ctx: Auth.types.AuthContext, value: MutableMapping[str, Any]) -> dict[str, Any]:
    """Mark threads, runs, assistants and crons with their owner; give the filter on it.

    What has no owner is nobody's, except the assistants that the server makes of its graphs: they
    are everybody's to read and run.
    """
    owner = {OWNER: ctx.user.identity}
    metadata = value.get("metadata")
    if ctx.action in _WRITES and metadata is not None:
        if ctx.resource == "assistants" and _MADE_BY_SERVER.items() <= metadata.items():
            # It would be shown to all, with a name and a text of its maker's choice.
            raise Auth.exceptions.HTTPException(
                status_code=403,
                detail="metadata created_by 'system' is the server's own; leave it out",
            )
        metadata.update(owner)
    if ctx.resource == "assistants" and ctx.action in ("read", "search"):
        return {"$or": [owner, dict(_MADE_BY_SERVER)]}
    return owner


async def own_namespace(ctx: Auth.types.AuthContext, value: MutableMapping[str, Any]) -> None:
    """Begin the store's namespace with the owner, unless it does: another's is out of reach."""
    label = namespace_label(ctx.user.identity)
    namespace = tuple(value.get("namespace") or ())
    value["namespace"] = namespace if namespace[:1] == (label,) else (label, *namespace)


def namespace_label(owner: str) -> str:
    """The owner as a label of the store's namespaces, which hold no full stops; no two alike."""
    return quote(owner, safe="@|: ").replace(".", "%2E")
