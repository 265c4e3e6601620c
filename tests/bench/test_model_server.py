"""The scripted model server, seen through the client the agent uses and through plain HTTP."""

import asyncio
import json
import math
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from tests.bench.model_server import ModelServer, Reply, by_role, load_script, tokens

PLAN = '# heights, in « mètres » 🏔\nsearch("height of K2")'
ROOT = Path(__file__).parents[2]


def chat(server: ModelServer, **options: Any) -> ChatOpenAI:
    usual: dict[str, Any] = {"api_key": "x", "max_retries": 0, "stream_usage": True}
    return ChatOpenAI(base_url=server.base_url, model="m", **usual | options)


def fast(script: Any) -> ModelServer:
    return ModelServer(script, first_token=0, rate=None)


def joined(chunks: Iterator[AIMessageChunk]) -> AIMessageChunk:
    whole = AIMessageChunk(content="")
    for chunk in chunks:
        whole = whole + chunk
    return whole


def post(server: ModelServer, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"{server.base_url}/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as response:
        return json.load(response)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)


@pytest.mark.parametrize("text", ["", "a", "four", PLAN, "\n\n  \r\n", "🏔" * 9])
def test_joined_tokens_are_the_text(text: str) -> None:
    assert "".join(tokens(text)) == text
    assert len(tokens(text)) == math.ceil(len(text) / 4)


def test_streamed_reply_arrives_whole_with_its_usage_and_end() -> None:
    with fast(PLAN) as server:
        reply = joined(chat(server).stream("A question"))
    assert reply.content == PLAN
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["input_tokens"] == 3  # 10 characters
    assert reply.usage_metadata["output_tokens"] == len(tokens(PLAN))
    assert reply.response_metadata["finish_reason"] == "stop"


def test_unstreamed_reply_is_the_same() -> None:
    with fast(PLAN) as server:
        reply = chat(server).invoke("A question")
    assert reply.content == PLAN
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] == 3 + len(tokens(PLAN))


@pytest.mark.alone
def test_tokens_follow_the_absolute_schedule() -> None:
    async def read() -> tuple[ModelServer, list[float]]:
        async with ModelServer("word" * 40, first_token=0.1, rate=200) as server:
            model = chat(server)
            chunks = model.astream("x")
            got = [time.perf_counter() async for chunk in chunks if chunk.content]
            return server, got

    server, got = asyncio.run(read())
    [request] = server.requests
    due = [request.arrived + 0.1 + i / 200 for i in range(40)]
    # The clocks of the schedule and of the record are read a moment apart.
    assert all(sent > at - 0.002 for sent, at in zip(request.sent, due, strict=False))
    lags = [sent - at for sent, at in zip(request.sent, due, strict=False)]
    assert min(lags[-20:]) < 0.05, "a late token delays no later one"
    assert all(0 < at - sent < 1 for at, sent in zip(got, request.sent, strict=False))
    assert len(got) == 40
    assert len(request.sent) == 41
    assert request.sent_at[0] == pytest.approx(request.arrived_at + 0.1, abs=1)


def test_unstreamed_reply_comes_when_its_last_token_would() -> None:
    with ModelServer("word" * 11, first_token=0.1, rate=100) as server:
        chat(server).invoke("x")
    [request] = server.requests
    assert 0.198 < request.sent[0] - request.arrived < 1.2


def test_reply_overrides_the_servers_timing() -> None:
    with ModelServer(Reply(PLAN, first_token=0, rate=math.inf), first_token=60) as server:
        assert joined(chat(server).stream("x")).content == PLAN


def test_long_reply_with_no_rate_comes_whole() -> None:
    text = "".join(f'search("{i}")\n' for i in range(700))
    with fast(text) as server:
        assert joined(chat(server).stream("x")).content == text


def test_clients_are_served_side_by_side() -> None:
    async def ask_twenty() -> list[str]:
        def all_wait_for_the_last(body: dict[str, Any]) -> Reply:
            if len(server.requests) == 20:
                server.resume()
            return Reply(body["messages"][0]["content"], stall_after=0)

        async with fast(all_wait_for_the_last) as server:
            model = chat(server)
            replies = await asyncio.gather(*(model.ainvoke(str(i)) for i in range(20)))
            return [str(reply.content) for reply in replies]

    assert asyncio.run(ask_twenty()) == [str(i) for i in range(20)]


@pytest.mark.parametrize("streaming", [True, False])
def test_native_tool_calls(streaming: bool) -> None:
    calls = (("search", {"query": "K2 é"}), ("math", '{"expression": "8849 - 8611"}'))
    with fast(Reply(tool_calls=calls)) as server:
        model = chat(server)
        reply = joined(model.stream("x")) if streaming else model.invoke("x")
    assert [(call["name"], call["args"]) for call in reply.tool_calls] == [
        ("search", {"query": "K2 é"}),
        ("math", {"expression": "8849 - 8611"}),
    ]
    assert len({call["id"] for call in reply.tool_calls}) == 2
    assert reply.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("streaming", [True, False])
def test_given_usage_and_finish_reason_are_sent_as_they_are(streaming: bool) -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 0, "total_tokens": 7}
    with fast(Reply("cut o", usage=usage, finish_reason="length")) as server:
        model = chat(server)
        reply = joined(model.stream("x")) if streaming else model.invoke("x")
    assert reply.usage_metadata is not None
    assert reply.usage_metadata["total_tokens"] == 7
    assert reply.response_metadata["finish_reason"] == "length"


def test_reasoning_alone_leaves_the_content_empty() -> None:
    with fast(Reply(reasoning="Let me think.")) as server:
        assert joined(chat(server).stream("x")).content == ""
        message = post(server, {"messages": []})["choices"][0]["message"]
    assert message["reasoning_content"] == "Let me think."
    assert message["content"] is None


def test_refusal_reaches_the_client() -> None:
    with fast(Reply(refusal="No.")) as server:
        reply = chat(server).invoke("x")
    assert reply.additional_kwargs["refusal"] == "No."


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, openai.AuthenticationError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
def test_status_is_the_clients_error(status: int, kind: type[openai.APIStatusError]) -> None:
    failure = Reply("out of luck", status=status, retry_after=0.5)
    with fast(failure) as server, pytest.raises(kind, match="out of luck") as caught:
        chat(server).invoke("x")
    assert caught.value.status_code == status
    assert caught.value.response.headers["retry-after"] == "0.5"


def test_client_that_retries_gets_the_next_reply() -> None:
    with fast([Reply(status=429, retry_after=0.01), "ok"]) as server:
        assert chat(server, max_retries=2).invoke("x").content == "ok"
    assert [r.ended.result() for r in server.requests] == ["sent", "sent"]


def test_status_zero_breaks_the_connection_before_any_response() -> None:
    with fast(Reply(status=0)) as server, pytest.raises(openai.APIConnectionError):
        chat(server).invoke("x")
    assert server.requests[0].ended.result() == "cut"
    assert server.requests[0].sent == []


def test_cut_reply_breaks_after_just_so_many_characters() -> None:
    got: list[str] = []
    with fast(Reply(PLAN, cut_after=21)) as server:
        with pytest.raises(openai.APIConnectionError):
            got.extend(str(chunk.content) for chunk in chat(server).stream("x"))
        assert server.requests[0].ended.result(5) == "cut"
        with pytest.raises(openai.APIConnectionError):
            chat(server).invoke("x")
    assert "".join(got) == PLAN[:21]


@pytest.mark.parametrize("cut_after", [0, 9999])
def test_cut_may_strike_before_the_first_character_or_past_the_last(cut_after: int) -> None:
    broken = pytest.raises(openai.APIConnectionError)
    with fast(Reply("word", cut_after=cut_after)) as server, broken:
        list(chat(server).stream("x"))
    with fast(Reply("word", cut_after=cut_after)) as server, broken:
        chat(server).invoke("x")


def test_client_that_leaves_a_stalled_reply_is_recorded() -> None:
    async def read_until_silence() -> ModelServer:
        async with fast(Reply(PLAN, stall_after=10)) as server:
            got = ""
            stream: Any = chat(server).astream("x")
            async for chunk in stream:
                got += str(chunk.content)
                if len(got) == 10:
                    break
            assert not server.requests[0].ended.done()
            await stream.aclose()
            ended = asyncio.wrap_future(server.requests[0].ended)
            assert await asyncio.wait_for(ended, 5) == "left"
            return server

    server = asyncio.run(read_until_silence())
    assert server.requests[0].disconnected
    assert len(server.requests[0].sent) == 3


def test_client_that_times_out_leaves() -> None:
    with fast(Reply(PLAN, stall_after=10)) as server:
        with pytest.raises(openai.APITimeoutError):
            chat(server, timeout=0.3).invoke("x")
        assert server.requests[0].ended.result(5) == "left"


def test_stalled_reply_goes_on_when_resumed() -> None:
    with fast(Reply(PLAN, stall_after=10)) as server:
        got = ""
        for chunk in chat(server).stream("x"):
            got += str(chunk.content)
            if len(got) == 10:
                server.resume()
    assert got == PLAN
    assert server.requests[0].ended.result() == "sent"


def test_closing_the_server_stops_what_is_under_way() -> None:
    with ModelServer(Reply(PLAN, stall_after=4), first_token=0, rate=None) as server:
        stream = chat(server).stream("x")
        next(stream)
    assert server.requests[0].ended.result() == "stopped"
    with pytest.raises(openai.APIConnectionError):
        list(stream)


def test_replies_are_used_in_turn_and_then_missing_ones_are_named() -> None:
    with fast(["first", Reply("second")]) as server:
        model = chat(server)
        assert [model.invoke("x").content for _ in range(2)] == ["first", "second"]
        with pytest.raises(openai.BadRequestError, match="no reply is left for 'Which city"):
            model.invoke("Which city?")


def test_by_role_routes_on_the_system_message() -> None:
    script = by_role({"PLAN": ["f(1)", "f(2)"], "join": "Paris."}, default="else")
    with fast(script) as server:
        model = chat(server)
        planner = [("system", "You write plans."), ("user", "Now join them")]
        assert model.invoke(planner).content == "f(1)"
        assert model.invoke([("system", "You join."), ("user", "a plan")]).content == "Paris."
        assert model.invoke(planner).content == "f(2)"
        assert model.invoke("plan").content == "else"


def test_callable_script_sees_the_body() -> None:
    with fast(lambda body: Reply(body["messages"][0]["content"])) as server:
        assert chat(server).invoke("echo").content == "echo"


def test_record_holds_the_body_and_no_secret() -> None:
    with fast("ok") as server:
        chat(server, api_key="sk-very-secret").invoke("x", extra_body={"grammar": "root ::= x"})
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body["grammar"] == "root ::= x"
    assert request.headers["authorization"] == "***"
    assert "sk-very-secret" not in json.dumps(request.to_json())
    assert time.time() - request.arrived_at < 60


def test_models_name_their_owner_and_other_paths_are_missing() -> None:
    with ModelServer("", models=["a", "b"], owned_by="llamacpp") as server:
        models = get(f"{server.base_url}/models")["data"]
        assert [(model["id"], model["owned_by"]) for model in models] == [
            ("a", "llamacpp"),
            ("b", "llamacpp"),
        ]
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            get(f"{server.base_url}/embeddings")
        caught.value.close()


def test_script_of_a_file_is_used_in_turn_or_over_and_over(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text('["a", {"text": "b", "tool_calls": [["search", {"query": "K2"}]]}]')
    with fast(load_script(file, repeat=True)) as server:
        choices = [post(server, {})["choices"][0] for _ in range(3)]
    assert [choice["message"]["content"] for choice in choices] == ["a", "b", "a"]
    assert choices[1]["finish_reason"] == "tool_calls"
    with fast(load_script(file)) as server:
        post(server, {})
        post(server, {})
        with pytest.raises(urllib.error.HTTPError, match="400") as caught:
            post(server, {})
        caught.value.close()


def test_process_prints_its_url_and_shows_what_it_recorded(tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    file.write_text(json.dumps({"planner": PLAN, "joiner": ["Paris."]}))
    command = [sys.executable, "-m", "tests.bench.model_server", "--script", str(file)]
    command += ["--port", "0", "--first-token", "0", "--rate", "inf"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        model = ChatOpenAI(base_url=url, api_key="x", model="m", max_retries=0)
        assert joined(model.stream([("system", "the planner"), ("user", "x")])).content == PLAN
        [request] = get(url.removesuffix("/v1") + "/requests")["requests"]
        process.terminate()
    assert request["ended"] == "sent"
    assert len(request["sent"]) == len(tokens(PLAN)) + 1
