"""What a server refuses of a request, and the request without it.

No two servers accept the same parameters. One that refuses a request names what it does not know:
in `param`, as OpenAI does, in the places that FastAPI lists, or in words.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

Body = dict[str, Any]

STATUSES: Final = frozenset((400, 404, 405, 415, 422, 501))
"""Those of a refusal; 404 and 405 are those of gateways without streaming."""
_SYSTEM, _DEVELOPER = "the role system", "the role developer"
_NEVER = frozenset(("model", "messages"))
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_LIMITS = re.compile(r"context.{0,20}(length|size|window)|too (long|many tokens)|maximum.{0,20}tok")
_ROLE = re.compile(r"(system|developer).{0,40}\brole|\brole.{0,40}(system|developer)", re.DOTALL)
_MAX_CHARS = 2000
"""Of what a server says, in which names are looked for: it may quote the whole prompt."""


def refused(body: Body, said: Any, message: str) -> str | None:
    """What a server refused of a request; None if it does not say, or it cannot be left out.

    Args:
        body: The request.
        said: The JSON document of the error.
        message: The text of the error.
    """
    text = f"{message} {_as_text(said)}"[:_MAX_CHARS].casefold()
    names = [name for name in body if name not in _NEVER]
    if (param := _param(said)) in names:
        return param
    roles = {str(it.get("role")) for it in body.get("messages", ()) if isinstance(it, Mapping)}
    if _ROLE.search(text) and not roles.isdisjoint(("system", "developer")):
        return _DEVELOPER if "developer" in roles else _SYSTEM
    if _LIMITS.search(text):
        return None
    # The longer names first: `stream` is the begin of `stream_options`.
    for name in sorted(names, key=len, reverse=True):
        word = r"stream(?:s|ed|ing)?" if name == "stream" else re.escape(name)
        if re.search(rf"(?<![\w.]){word}(?!\w)", text):
            return name
    return None


def without(body: Body, names: Sequence[str]) -> Body:
    """The request without what was refused."""
    for name in names:
        body = _without(body, name)
    # Of two names for one thing, both may have been refused.
    return {key: value for key, value in body.items() if key not in names}


def _without(body: Body, name: str) -> Body:
    if name == _DEVELOPER:
        return body | {"messages": [_as(it, "developer", "system") for it in body["messages"]]}
    if name == _SYSTEM:
        return body | {"messages": _in_the_users(body["messages"])}
    changed = {key: value for key, value in body.items() if key != name}
    if name == "stream":
        changed.pop("stream_options", None)
    if (other := _OTHER_NAME.get(name)) and name in body:
        changed[other] = body[name]
    return changed


def _param(said: Any) -> str | None:
    """The parameter that an error names in a field of its own."""
    if not isinstance(said, Mapping):
        return None
    inner = said.get("error")
    said = inner if isinstance(inner, Mapping) else said
    param = said.get("param")
    detail = said.get("detail")
    if not isinstance(param, str) and isinstance(detail, Sequence) and detail:
        first = detail[0]
        loc = first.get("loc") if isinstance(first, Mapping) else None
        param = loc[1] if isinstance(loc, Sequence) and loc[:1] == ["body"] and loc[1:] else None
    return re.split(r"[.\[]", param.removeprefix("body."))[0] if isinstance(param, str) else None


def _as_text(said: Any) -> str:
    try:
        return json.dumps(said)
    except (TypeError, ValueError, RecursionError):
        return ""


def _as(message: Any, role: str, other: str) -> Any:
    return message | {"role": other} if message.get("role") == role else message


def _in_the_users(messages: Sequence[Any]) -> list[Any]:
    """The messages with those of the system at the begin of the user's first."""
    kept = [message for message in messages if message.get("role") != "system"]
    system = "\n\n".join(str(m.get("content")) for m in messages if m.get("role") == "system")
    first = next((at for at, it in enumerate(kept) if it.get("role") == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *kept]
    content = kept[first].get("content")
    if isinstance(content, list):
        content = [{"type": "text", "text": system}, *content]
    else:
        content = f"{system}\n\n{content}"
    kept[first] = kept[first] | {"content": content}
    return kept
