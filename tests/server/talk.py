"""Models for the tests of a server.

The planner repeats the question, so a question is a plan; the joiner writes ANSWER.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from tests.bench.model_server import Body, ModelServer, Reply, Script, by_role, text_of
from tests.server import process
from tests.server.gates import Gates

ANSWER = "The gates are all open, and nothing else is known."
PROBES = "probes"
"""The graph of probes.py, by its name on the server."""


def as_asked(body: Body) -> Reply:
    return Reply(text_of(body["messages"][-1]))


def scripted(joiner: Script = ANSWER, planner: Script = as_asked) -> ModelServer:
    script = by_role({"Write a plan": planner, "Answer the question": joiner})
    return ModelServer(script, first_token=0, rate=None)


@contextmanager
def probing(
    models: ModelServer,
    gates: Gates,
    *,
    environment: Mapping[str, str] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[process.Server]:
    """A server of the shipped graph and of the probes, whose tools knock at `gates`."""
    graphs = {
        "llm_compiler": "llm_compiler.graph:graph",
        PROBES: "./tests/server/probes.py:graph",
    }
    with process.server(
        config={"graphs": graphs, **(config or {})},
        environment={
            "OPENAI_BASE_URL": models.base_url,
            "OPENAI_API_KEY": "unused",
            "GATES": gates.url,
            "CRON_SCHEDULER_SLEEP_TIME": "1",
            **(environment or {}),
        },
    ) as running:
        yield running


def asking(plan: str) -> dict[str, Any]:
    """The input of a run whose plan is this."""
    return {"messages": [{"role": "user", "content": plan}]}


def kinds(values: Any) -> list[str]:
    return [message["type"] for message in values["messages"]]


def answer(values: Any) -> str:
    return str(values["messages"][-1]["content"])
