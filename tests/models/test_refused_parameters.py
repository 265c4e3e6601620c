"""Servers that refuse a part of a request: it is asked again without it, and never sent again."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.bench.model_server import Body, Reply
from tests.support.dialects import Rows, refusal, sent, serving, whole

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Rows:
    return Rows(monkeypatch)


def detail(name: str) -> Reply:
    """As FastAPI and Pydantic say it."""
    said = {"detail": [{"type": "extra_forbidden", "loc": ["body", name], "msg": "forbidden"}]}
    return Reply(status=422, body=json.dumps(said), content_type="application/json")


SAYINGS: dict[str, Callable[[str], Reply]] = {
    "param": lambda name: refusal(param=name, code="unsupported_parameter"),
    "param of a part": lambda name: refusal(param=f"{name}.x"),
    "words": lambda name: refusal(message=f"Unknown parameter: '{name}'."),
    "words with status 422": lambda name: refusal(422, message=f"{name} is not permitted"),
    "words with status 501": lambda name: refusal(501, message=f"{name} is not implemented"),
    "a list of places": detail,
    "a text": lambda name: Reply(status=400, body=f"{name} unsupported", content_type="text/plain"),
    "status 200": lambda name: refusal(200, message=f"no {name}", code=400),
}


@pytest.mark.parametrize("name", ["stream_options", "stream"])
async def test_a_parameter_that_is_refused_is_left_out_from_then_on(rows: Rows, name: str) -> None:
    for saying in SAYINGS.values():
        plain = whole({"content": "Yes."})
        with serving(lambda body: saying(name) if name in body else plain) as server:  # noqa: B023
            model = await rows.model(server)
            for _ in range(2):
                heard = await rows.heard(model)
                assert (heard.text, heard.usage["calls"]) == ("Yes.", 1)
            assert [name in body for body in sent(server)] == [True, False, False]


@pytest.mark.parametrize("known", ["max_tokens", "max_completion_tokens"])
async def test_a_limit_goes_by_the_name_that_the_server_knows(rows: Rows, known: str) -> None:
    def script(body: Body) -> Reply:
        other = next((name for name in body if name.startswith("max_") and name != known), None)
        return refusal(message=f"unknown field {other}") if other else Reply("Yes.")

    with serving(script) as server:
        model = await rows.model(server)
        model = replace(model, profile=replace(model.profile, max_tokens=64))
        for _ in range(2):
            assert (await rows.heard(model)).text == "Yes."
        assert sent(server)[-1][known] == 64
        assert len(sent(server)) <= 3


async def test_all_that_is_refused_is_left_out(rows: Rows) -> None:
    def script(body: Body) -> Reply:
        names = ("stream_options", "max_tokens", "max_completion_tokens", "stream")
        name = next((name for name in names if name in body), None)
        return whole({"content": "Yes."}) if name is None else refusal(param=name)

    with serving(script) as server:
        model = await rows.model(server)
        model = replace(model, profile=replace(model.profile, max_tokens=64))
        assert (await rows.heard(model)).text == "Yes."
        assert sorted(sent(server)[-1]) == ["messages", "model"]


@pytest.mark.parametrize(
    "message",
    ["System role not supported", "Only user and assistant roles are supported, not role 'system'"],
)
async def test_instructions_go_to_the_user_where_a_server_knows_no_system(
    rows: Rows, message: str
) -> None:
    def script(body: Body) -> Reply:
        roles = [message["role"] for message in body["messages"]]
        return refusal(message=message) if "system" in roles else Reply("Yes.")

    with serving(script) as server:
        assert (await rows.heard(await rows.model(server))).text == "Yes."
        assert sent(server)[-1]["messages"] == [{"role": "user", "content": "Be brief.\n\nWhich?"}]


async def test_a_refusal_of_nothing_that_was_sent_is_reported_with_parameter_and_code(
    rows: Rows,
) -> None:
    table = {
        "named": refusal(param="logit_bias", code="unsupported_value"),
        "quoted": refusal(param="sk-CANARY 1", code="the canary of the question"),
    }
    heard = {row: str(it.error) for row, it in (await rows(table)).items()}
    assert 'param "logit_bias", code "unsupported_value"' in heard["named"]
    assert "HTTP 400" in heard["quoted"]
    assert "canary" not in heard["quoted"].casefold()
