"""Model servers with a reply for each prompt; the environment points to the newest."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.bench.model_server import ModelServer, Script, by_role, text_of

Serve = Callable[..., ModelServer]

SYSTEM = {
    "planner": "Write a plan",
    "joiner": "Answer the question",
    "number": "Copy the number",
    "read": "Answer from the text",
}
"""By the name of each prompt: words of its system message."""


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, key: str = "none", **usual: Script) -> Iterator[Serve]:
    """Starts servers on which each prompt gets what is usual, but for the replies given."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with ExitStack() as servers:

        def start(**replies: Script) -> ModelServer:
            script = by_role({SYSTEM[name]: said for name, said in (usual | replies).items()})
            server = servers.enter_context(ModelServer(script, first_token=0, rate=None))
            monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
            return server

        yield start


def prompts(server: ModelServer, name: str) -> list[list[tuple[str, str]]]:
    """The messages of each time that a prompt was sent: (role, text)."""
    bodies = [r.body for r in server.requests if r.path.endswith("completions")]
    sent = [[(m["role"], text_of(m)) for m in body["messages"]] for body in bodies]
    return [messages for messages in sent if SYSTEM[name] in messages[0][1]]
