"""What is believed of what an MCP server says of its own tools: MCP's annotations."""

from collections.abc import Mapping
from typing import Any

_IN_PYTHON = {
    "read_only_hint": "readOnlyHint",
    "destructive_hint": "destructiveHint",
    "idempotent_hint": "idempotentHint",
    "open_world_hint": "openWorldHint",
}


def hints(listed: Mapping[str, Any], said: Mapping[str, Any], *, believed: bool) -> dict[str, Any]:
    """The annotations that control a tool's calls: those in `said`, else the server's, else MCP's.

    MCP's defaults assume the worst: a tool that is not read-only is destructive and not idempotent,
    and its results are untrusted. A server that is not believed may only say that a tool reads, and
    only the order of the calls follows from it: an untrusted result that reaches the tool is
    guarded, and it is not retried. Other keys of a server's annotations are dropped, because they
    could set limits here.
    """
    names = ("destructiveHint", "idempotentHint", "openWorldHint") if believed else ()
    names = ("readOnlyHint", *names)
    known = {name: listed[name] for name in names if isinstance(listed.get(name), bool)}
    known |= said
    read_only = known.get("readOnlyHint", False)
    vouched = believed or "readOnlyHint" in said
    return {
        **known,
        "readOnlyHint": read_only,
        "destructiveHint": not read_only and known.get("destructiveHint", True),
        "idempotentHint": (read_only and vouched) or known.get("idempotentHint", False),
        "openWorldHint": known.get("openWorldHint", True),
        "guarded": not (read_only and vouched),
    }


def of_adapter(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """The hints of a tool that LangChain's MCP adapter made, and other metadata as it is.

    The adapter keeps a server's annotations apart, in `mcp`. They are not believed; what the tool's
    own metadata says is.
    """
    made = metadata.get("mcp")
    if not isinstance(made, Mapping):
        return metadata
    tool, server = (_mapping(made, name) for name in ("tool", "server"))
    listed = {_IN_PYTHON.get(key, key): it for key, it in _mapping(tool, "annotations").items()}
    name = server.get("name")
    domain = {"domain": name} if isinstance(name, str) and name else {}
    return {**domain, **hints(listed, metadata, believed=False)}


def _mapping(found: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, Mapping) else {}
