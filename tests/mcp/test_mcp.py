"""Tools of real MCP servers, on stdio and on streamable HTTP."""

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.memory import InMemorySaver

from llm_compiler import Context, build_graph
from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp import with_mcp
from llm_compiler.mcp.config import VARIABLE, Server, read_servers
from llm_compiler.mcp.failures import GoneError
from llm_compiler.mcp.servers import MCP_SERVERS
from llm_compiler.mcp.session import Session
from tests.support.functions import called
from tests.support.loop_watch import LoopWatch
from tests.support.mcp_processes import SERVER, Configure, HttpServer, lines, pids, stdio
from tests.support.scripted import ScriptedModel, until

pytestmark = pytest.mark.server

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
OWN = Toolbox.of([])


@pytest.fixture(params=["stdio", "http"])
def entry(request: pytest.FixtureRequest, ledger: Path) -> dict[str, Any]:
    """The configuration of a server, of each kind in turn."""
    if request.param == "stdio":
        return stdio(ledger)
    return {"url": request.getfixturevalue("http").url, "trust_annotations": True}


async def call(tools: Toolbox, tool: str, /, **args: Any) -> Any:
    return await called(tools[tool], args)


async def turn(plan: str, *, own: list[Any] | None = None, **context: Any) -> dict[str, Any]:
    """One turn; the outcomes by id."""
    planner, joiner = ScriptedModel(plan), ScriptedModel("Done.")
    graph = build_graph(own or [], planner=planner, joiner=joiner, checkpointer=InMemorySaver())
    state = await graph.ainvoke(ASK, THREAD, context=Context(**context))
    outcomes: dict[str, Any] = state["outcomes"]
    return {"prompt": planner.prompts[0], **outcomes}


def runs(pid: int) -> bool:
    # Not every system's first process buries what others leave.
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


async def test_a_plan_calls_the_tools_of_a_server(
    entry: Any, ledger: Path, configure: Configure
) -> None:
    configure(mountains=entry)
    found = await turn(
        'height("K2")\nheight(name="Everest")\nc = facts("K2")\ndescribe(f"Year {c.first.year}")'
    )
    assert "def height(name: str, unit: str = 'm')" in found["prompt"]
    assert "A mountain in a few words." in found["prompt"]
    assert [found[id]["value"] for id in "125"] == [8611.0, 8848.86, "Year 1954 is high."]
    assert found["3"]["value"] == {"name": "K2", "height": 8611, "first": {"year": 1954}}
    # Odd names of parameters, nulls, other kinds of results, an error: one server for all.
    odd = 'odd_names(max_results=5, from_="here", config="c", self="s")\nodd_names(7, "there")'
    nulls = 'paged(cursor=None, filter={"name": facts("K2").get("no")}, since=None)'
    found = await turn(f'{odd}\n{nulls}\nboth()\npicture()\nfail("no such thing")')
    del found["prompt"]
    values = [outcome["value"] for outcome in found.values()]
    named = [("config", "c"), ("from", "here"), ("max-results", 5), ("self", "s")]
    assert values[0] == repr(named)
    assert "max-results', 7" in values[1]
    assert repr([("filter", {}), ("since", None)]) in values
    assert {"text": "K2 is in Pakistan and China.", "length": 28} in values
    assert "one pixel\n[image: image/gif, 23 bytes]" in values
    [failed] = [it for it in found.values() if it["status"] == "failed"]
    assert failed["error"] == "Error executing tool fail: no such thing"
    assert failed["attempts"] == 1


async def test_one_session_serves_all_calls_and_runs(ledger: Path, configure: Configure) -> None:
    configure(mountains=stdio(ledger))
    for _ in range(3):
        found = await turn('describe("A")\ndescribe("B")')
        assert [found["1"]["status"], found["2"]["status"]] == ["ok", "ok"]
    assert len(pids(ledger)) == 1


async def test_more_calls_at_once_than_a_pool_of_connections_holds(
    entry: Any, ledger: Path, configure: Configure
) -> None:
    configure(mountains=entry)
    tools = await with_mcp(OWN)
    calls = [asyncio.create_task(call(tools, "slow", name="a")) for _ in range(110)]
    await until(lambda: lines(ledger).count("slow a") == 110)
    assert await call(tools, "describe", name="K2") == "K2 is high."
    for it in calls:
        it.cancel()
    await until(lambda: lines(ledger).count("left a") == 110)


async def test_only_allowed_tools_are_offered(ledger: Path, configure: Configure) -> None:
    configure(mountains=stdio(ledger, allow=["height", "delete-file"]))
    assert set(await with_mcp(OWN)) == {"height", "delete-file"}


def test_a_schema_is_never_fetched_from_the_network() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema.json"}}}

    def reach(a: int) -> int:
        return a

    tool = StructuredTool.from_function(reach, description="Reach.", args_schema=schema)
    with pytest.raises(PlanError, match=r"its schema cannot check this: .*Unresolvable"):
        Toolbox.of([tool])["reach"].check({"a": 1})


# ── annotations ───────────────────────────────────────────────────────────────────────────────


async def test_annotations_that_are_believed_rule_the_scheduling(
    ledger: Path, configure: Configure
) -> None:
    said = {"*": {"timeout": 9}, "web": {"max_parallel": 1}, "add_note": {"domain": "notes"}}
    configure(mountains=stdio(ledger, hints=said))
    tools = await with_mcp(OWN)
    assert tools["height"].rules.domain == "mountains", "its server's name"
    assert tools["add_note"].rules.domain == "notes"
    assert tools["height"].rules.early_start
    assert tools["height"].retried
    assert not tools["height"].rules.untrusted
    assert tools["web"].rules.untrusted
    assert tools["web"].rules.limits == {"tool web": 1}
    assert tools["web"].hints["timeout"] == 9
    for name in ("delete-file", "unannotated"):
        assert tools[name].destructive
        assert not tools[name].rules.early_start
        assert not tools[name].retried
    assert tools["unannotated"].rules.untrusted
    assert not tools["add_note"].destructive
    assert not tools["add_note"].retried, "twice is two notes"
    assert tools["set_flag"].retried
    writes = {name for name, tool in tools.items() if tool.rules.writes}
    assert {"delete-file", "unannotated", "add_note", "set_flag"} <= writes
    assert not {"height", "web"} & writes


async def test_annotations_that_are_not_believed_only_let_a_read_start_early(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger, trust_annotations=False))
    tools = await with_mcp(OWN)
    reads = tools["height"]
    assert reads.rules.early_start
    assert not reads.rules.writes
    assert (reads.rules.guarded, reads.rules.untrusted, reads.retried) == (True, True, False)
    for name in ("add_note", "set_flag"):
        assert tools[name].destructive
        assert tools[name].rules.untrusted


async def test_a_read_that_nobody_vouches_for_asks_when_an_untrusted_result_reaches_it(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger, trust_annotations=False))
    plan = 'a = height("K2")\ndescribe(f"{a}")\nanswer("Done.")'
    planner, saver = ScriptedModel(plan), InMemorySaver()
    graph = build_graph([], planner=planner, joiner=ScriptedModel("Done."), checkpointer=saver)
    state = await graph.ainvoke(ASK, THREAD)
    [request] = state["__interrupt__"][0].value["action_requests"]
    assert request["args"] == {"name": "8611.0"}
    assert "(asked because it may write and " in request["description"]
    assert (await turn(plan, trusted_writes=("describe",)))["2"]["status"] == "ok"


async def test_a_destructive_call_that_an_untrusted_result_reaches_needs_a_person(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger))
    planner = ScriptedModel('a = web("x")\ndelete_file("mine")\ndelete_file(a)')
    graph = build_graph(
        [], planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    state = await graph.ainvoke(ASK, THREAD)
    [interrupt] = state["__interrupt__"]
    [request] = interrupt.value["action_requests"]
    assert request["args"] == {"path": "the web says x"}
    assert lines(ledger) == ["delete mine"]


# ── servers that are not there ────────────────────────────────────────────────────────────────


async def test_an_unreachable_server_never_fails_a_turn(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    http.stop()
    configure(
        dead={"url": http.url, "allow": ["climb"]},
        gone={"command": "no-such-command"},
        broken={"command": sys.executable, "args": ["-c", "raise SystemExit('no licence')"]},
        mountains=stdio(ledger),
    )
    plan = 'mountains_describe("K2")\ndead_climb("K2")\ngone_whatever()'
    found = await turn(plan, approve=["dead_climb"], allow=["mountains_describe", "dead_climb"])
    assert "climb" not in found["prompt"]
    assert "__interrupt__" not in found
    for name, error in (("2", "the MCP server 'dead' cannot be reached"), ("3", "'gone'")):
        assert found[name]["status"] == "failed"
        assert error in found[name]["error"]
        assert "check that it is running, or remove it from servers.json" in found[name]["error"]


async def test_a_server_that_does_not_answer_is_given_up_with_its_process(ledger: Path) -> None:
    program = f"import os, time; open({str(ledger)!r}, 'w').write(f'pid {{os.getpid()}}');"
    command = ["-c", program + "time.sleep(100)"]
    session = Session(Server(command=sys.executable, args=tuple(command)), opens_within=0.5)
    with pytest.raises(GoneError, match=r"^no answer within 0\.5 s$"):
        await session.request(lambda session: session.list_tools())
    await until(lambda: session.ended)
    assert not [pid for pid in pids(ledger) if runs(pid)]


async def test_a_session_that_is_closed_while_it_opens_ends_at_once() -> None:
    session = Session(Server(command=sys.executable, args=("-c", SILENT["initialize"])))
    asked = asyncio.ensure_future(session.request(lambda session: session.list_tools()))
    began = time.perf_counter()
    await session.close()
    assert session.ended
    assert time.perf_counter() - began < 2
    with pytest.raises(GoneError, match=r"^the session was closed$"):
        await asked


async def test_a_turn_does_not_wait_for_a_slow_server_past_its_deadline(
    configure: Configure,
) -> None:
    configure(slow={"command": sys.executable, "args": ["-c", SILENT["initialize"]]})
    began = time.perf_counter()
    tools = await with_mcp(OWN, 0.3)
    assert time.perf_counter() - began < 3
    with pytest.raises(PlanError, match="'slow' is still starting; ask again later"):
        tools.tool("anything")


SILENT = {
    "initialize": "import sys; sys.stdin.read()",
    "tools/list": """
import json, sys
for line in sys.stdin:
    asked = json.loads(line)
    if asked.get("method") == "initialize":
        version = asked["params"]["protocolVersion"]
        told = {"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "x",
                "version": "1"}}
        print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": told}), flush=True)
""",
}


@pytest.mark.parametrize("never", SILENT)
async def test_a_server_that_never_answers_is_waited_for_once(
    configure: Configure, never: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_compiler.mcp.server._MAX_WAIT_SECONDS", 1.0)
    configure(silent={"command": sys.executable, "args": ["-c", SILENT[never]]})
    began = time.perf_counter()
    waited = []
    for _ in range(5):
        tools = await with_mcp(OWN)
        waited.append(time.perf_counter() - began)
    assert waited[-1] < 3
    with pytest.raises(PlanError, match="'silent' is still starting; ask again later"):
        tools.tool("anything")


async def test_a_server_that_lists_no_tools_in_time_is_tried_again_later(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_compiler.mcp.server._LIST_SECONDS", 0.5)
    configure(silent={"command": sys.executable, "args": ["-c", SILENT["tools/list"]]})
    for _ in range(3):
        tools = await with_mcp(OWN)
    with pytest.raises(PlanError, match="'silent' lists no tools: TimeoutError"):
        tools.tool("anything")


async def test_a_slow_server_is_found_ready_by_a_later_round(
    ledger: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_compiler.mcp.server._MAX_WAIT_SECONDS", 0.0)
    configure(mountains=stdio(ledger, allow=["height"]))
    assert set(await with_mcp(OWN)) == set()
    while not await with_mcp(OWN):  # noqa: ASYNC110 - a server has no event to wait for
        await asyncio.sleep(0.05)
    assert set(await with_mcp(OWN)) == {"height"}
    assert len(pids(ledger)) == 1


async def test_a_tool_that_no_plan_can_call_is_left_out(
    ledger: Path, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    unusable = ["no.schema", "alike", "task"]
    configure(mountains=stdio(ledger, "--old", allow=["height", *unusable]))
    for _ in range(2):
        assert set(await with_mcp(OWN)) == {"height"}
    said = ["TypeError", "two of its parameters are written alike", "only as a task"]
    assert len(caplog.messages) == len(said)
    for warning, name, why in zip(caplog.messages, unusable, said, strict=True):
        assert f"the tool {name!r} of the MCP server 'mountains' is left out: " in warning
        assert why in warning


async def test_a_result_is_not_checked_against_its_servers_patterns(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger, allow=["evil"]))
    async with LoopWatch() as watch:
        assert await call(await with_mcp(OWN), "evil", text="a" * 40 + "!") == "a" * 40 + "!"
    assert watch.busy < 0.5


async def test_the_outcome_says_why_a_process_ended(configure: Configure) -> None:
    program = "import sys; sys.exit('no licence')"
    configure(broken={"command": sys.executable, "args": ["-c", program]})
    tools = await with_mcp(OWN)
    with pytest.raises(PlanError, match=r"'broken' cannot be reached: .* 'no licence'"):
        tools.tool("anything")


async def test_a_server_that_dies_in_the_middle_is_a_failed_outcome_and_comes_back(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger))
    found = await turn('exit_now(3)\nheight("K2")')
    assert found["1"]["status"] == "failed"
    assert found["1"]["attempts"] == 1
    assert found["1"]["error"].startswith(
        "the MCP server 'mountains' ended during the call: Connection closed"
    )
    assert (await turn('describe("K2")'))["1"]["value"] == "K2 is high."
    assert len(pids(ledger)) == 2
    assert lines(ledger) == ["exit", "describe K2"]


async def test_an_http_server_that_dies_in_the_middle_is_a_failed_outcome(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    configure(mountains={"url": http.url, "hints": {"*": {"readOnlyHint": True}}})
    found = await turn('slow("a")\nexit_now(3)', tool_retries=0)
    assert "the MCP server 'mountains' ended during the call" in found["2"]["error"]
    # Whether this one had been sent when the server ended is a matter of luck.
    assert found["1"]["status"] == "failed"
    assert found["1"]["error"].startswith("the MCP server 'mountains'")
    found = await turn('describe("K2")', tool_retries=0)
    assert "'mountains' cannot be reached" in found["1"]["error"]
    http.start()
    assert (await turn('describe("K2")'))["1"]["value"] == "K2 is high."


async def test_a_session_lost_between_two_calls_is_opened_again(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    far = {"url": http.url, "allow": ["add_note"], "trust_annotations": True}
    configure(near=stdio(ledger, allow=["describe"]), far=far)
    plan = 'near_describe("A")\nfar_add_note("A")'
    assert (await turn(plan))["2"]["status"] == "ok"
    assert http.process is not None
    [near] = {*pids(ledger)} - {http.process.pid}
    psutil.Process(near).kill()
    http.start()
    found = await turn(plan)
    assert [found[id]["status"] for id in "12"] == ["ok", "ok"]
    assert found["2"]["attempts"] == 1, "a note must not be added twice"


async def test_a_cancelled_call_is_cancelled_on_its_server(
    entry: Any, ledger: Path, configure: Configure
) -> None:
    configure(mountains=entry)
    found = await turn('slow("a")', tool_timeout=0.5, tool_retries=0)
    assert found["1"]["error"].endswith("no result within 0.5 s (tool_timeout)")
    await until(lambda: "left a" in lines(ledger))
    assert (await turn('describe("K2")'))["1"]["value"] == "K2 is high."


# ── nothing is left ───────────────────────────────────────────────────────────────────────────


def test_a_reset_ends_the_servers_and_the_next_run_starts_them(
    ledger: Path, configure: Configure
) -> None:
    configure(mountains=stdio(ledger))
    for number in (1, 2):
        planner, joiner = ScriptedModel('describe("K2")'), ScriptedModel("Done.")
        state = build_graph([], planner=planner, joiner=joiner).invoke(ASK)
        assert state["outcomes"]["1"]["value"] == "K2 is high."
        MCP_SERVERS.reset()
        assert len(pids(ledger)) == number
        assert not [pid for pid in pids(ledger) if runs(pid)]


PROGRAM = """
import asyncio, sys
from langchain_core.messages import HumanMessage
from llm_compiler import build_graph
from tests.support.scripted import ScriptedModel

graph = build_graph([], planner=ScriptedModel('describe("K2")'), joiner=ScriptedModel("Done."))
ask = {"messages": [HumanMessage("What?")]}
state = graph.invoke(ask) if sys.argv[1] == "sync" else asyncio.run(graph.ainvoke(ask))
print(state["outcomes"]["1"]["value"])
"""


@pytest.mark.parametrize(("way", "stubborn"), [("sync", True), ("async", True), ("sync", False)])
def test_no_process_is_left_when_the_program_ends(
    ledger: Path, configure: Configure, way: str, stubborn: bool
) -> None:
    server = stdio(ledger)
    if stubborn:  # a server that does not end with its input
        wrapped = f"{sys.executable} {SERVER} {ledger}; echo pid $$ >> {ledger}; sleep 100"
        server = {"command": "bash", "args": ["-c", wrapped]}
    # Of the others one cannot be described, which is told on standard error.
    configure(mountains={**server, "allow": ["describe"]})
    root, path = Path(__file__).parents[2], filter(None, [os.environ.get("PYTHONPATH")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, way],
        capture_output=True,
        text=True,
        cwd=root,
        # Before what this process itself was given, so that both import the same package.
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *path])},
        check=True,
    )
    assert (done.stdout, done.stderr) == ("K2 is high.\n", "")
    assert not [pid for pid in pids(ledger) if runs(pid)]


# ── the file ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "write JSON"),
        ("[]", 'has no {"mcpServers"'),
        ('{"mcpServers": {"a": {}}}', "either a command or a url; correct the file"),
        ('{"mcpServers": {"a": {"command": "x", "url": "y"}}}', "either a command or a url"),
        ('{"mcpServers": {"a": {"command": "x", "alow": ["y"]}}}', "a: alow: Extra inputs"),
        ('{"mcpServers": {"a": {"url": "x", "type": "ws"}}}', "a: type: Input should be"),
        ('{"mcpServers": {"a": {"command": "x", "type": "sse"}}}', "does not match"),
        ('{"mcpServers": {"a": {"url": "x", "transport": "stdio"}}}', "does not match"),
        ('{"mcpServers": {"a": {"url": "x", "headers": "sk-hidden"}}}', "a: headers: Input"),
        (
            '{"mcpServers": {"a": {"url": "x", "headers": {"A": "${NO_SUCH_VARIABLE}"}}}}',
            "the variable NO_SUCH_VARIABLE is not set; set it",
        ),
    ],
)
def test_a_wrong_file_is_a_setup_error(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "servers.json"
    path.write_text(text)
    with pytest.raises(SetupError) as raised:
        read_servers(path)
    assert why in str(raised.value)
    assert "sk-hidden" not in str(raised.value)


async def test_a_missing_file_is_a_setup_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none.json"))
    with pytest.raises(SetupError, match="No such file or directory; set the file's path"):
        await with_mcp(OWN)


def test_the_readmes_file_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FILES_KEY", "k")
    monkeypatch.setenv("WIKI_TOKEN", "t")
    readme = Path(__file__).parents[2].joinpath("README.md").read_text("utf-8")
    [shown] = re.findall(r'^```json\n({"mcpServers".*?)^```', readme, re.MULTILINE | re.DOTALL)
    path = tmp_path / "servers.json"
    path.write_text(shown)
    read = read_servers(path)
    assert read["files"].allow == ("read_file", "delete_file")
    assert read["wiki"].hints_for("any") == {"readOnlyHint": True, "openWorldHint": False}


def test_variables_are_filled_in_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AT", "here")
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    text = "${AT}/${NO_SUCH_VARIABLE:-there}"
    process = {"command": text, "cwd": text, "args": [text], "env": {"A": text}}
    web = {"url": text, "headers": {"A": text}}
    path = tmp_path / "servers.json"
    path.write_text(json.dumps({"mcpServers": {"process": process, "web": web}}))
    read = read_servers(path)
    filled = "here/there"
    one, other = read["process"], read["web"]
    assert (one.command, one.cwd, one.args, one.env) == (filled, filled, (filled,), {"A": filled})
    assert (other.url, other.headers) == (filled, {"A": filled})


@pytest.mark.parametrize(
    ("given", "is_sse"),
    [
        ({"url": "http://x/sse"}, True),
        ({"url": "http://x/sse/?key=1"}, True),
        ({"url": "http://x/mcp", "type": "sse"}, True),
        ({"url": "http://x/sse", "type": "http"}, False),
        ({"url": "http://x/mcp"}, False),
        ({"url": "http://x/ssel"}, False),
        ({"command": "x"}, False),
    ],
)
def test_a_url_may_name_the_older_transport(given: dict[str, Any], is_sse: bool) -> None:
    assert Server.model_validate(given).is_sse == is_sse


def test_variables_are_filled_in_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WIKI", "hidden-token")
    headers = {"Authorization": "Bearer ${WIKI}", "X": "$WIKI"}
    servers = {
        "wiki": {"type": "http", "url": "https://wiki.example/mcp", "headers": headers},
        "off": {"command": "x", "env": {"A": "${NO_SUCH_VARIABLE}"}, "disabled": True},
    }
    path = tmp_path / "servers.json"
    path.write_text(json.dumps({"mcpServers": servers, "other": 1}))
    read = read_servers(path)
    assert list(read) == ["wiki"]
    assert read["wiki"].headers == {"Authorization": "Bearer hidden-token", "X": "$WIKI"}
    assert "hidden-token" not in repr(read)


async def test_without_the_packages_the_error_says_what_to_install(
    ledger: Path, configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(mountains=stdio(ledger))
    monkeypatch.setitem(sys.modules, "llm_compiler.mcp.server", None)
    with pytest.raises(SetupError, match=r"pip install 'mcp>=2\.3,<3'"):
        await with_mcp(OWN)


async def test_without_the_variable_nothing_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert await with_mcp(OWN) is OWN
