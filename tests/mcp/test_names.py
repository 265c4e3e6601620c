"""The names of MCP tools follow from the configuration, and settings name tools that exist."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command
from mcp.types import Tool as Listed

from llm_compiler import Context, build_graph
from llm_compiler.errors import PlanError, SetupError
from llm_compiler.language.toolbox.toolbox import Toolbox
from llm_compiler.mcp import with_mcp
from llm_compiler.mcp.names import Names
from llm_compiler.mcp.servers import MCP_SERVERS
from llm_compiler.mcp.tools import McpTool
from tests.support.functions import called, toolbox
from tests.support.mcp_processes import Configure, HttpServer, lines, stdio
from tests.support.scripted import ScriptedModel

pytestmark = pytest.mark.server

ASK: Any = {"messages": [HumanMessage("What?")]}
THREAD: Any = {"configurable": {"thread_id": "1"}}
APPROVED: Any = Command(resume={"decisions": [{"type": "approve"}]})
GONE: Any = {"command": "no-such-command"}
OWN = Toolbox.of([])
SETTINGS = ["allow", "approve", "trusted_writes"]


@pytest.fixture
def tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_compiler.mcp.server._RETRY_SECONDS", 0.0)


def asked_about(state: dict[str, Any]) -> list[tuple[str, Any]]:
    """The calls that a run stopped at."""
    [interrupt] = state["__interrupt__"]
    return [(it["name"], it["args"]) for it in interrupt.value["action_requests"]]


# ── the names ─────────────────────────────────────────────────────────────────────────────────


def test_the_tools_of_a_single_server_keep_their_names() -> None:
    names = Names(["the alps"], ["search"])
    assert names.of("the alps", "height") == "height"
    assert names.of("the alps", "odd.name") == "odd_name"
    assert names.of("the alps", "8000ers") == "_8000ers"
    assert names.of("the alps", "search") == "the_alps_search", "the graph has a tool of this name"
    for word in ("answer", "print", "compute"):
        assert names.of("the alps", word) == f"the_alps_{word}", "a word of the plan language"
    assert len(names.of("the alps", "x" * 100)) == 64


def test_with_two_servers_every_tool_has_its_servers_name() -> None:
    names = Names(["the alps", "asia"], [])
    assert names.of("the alps", "height") == "the_alps_height"
    assert names.of("asia", "8000ers") == "asia_8000ers"


def test_a_name_is_of_one_server_alone() -> None:
    names = Names(["a", "a_b", "a b"], ["a_own"])
    assert names.owner("a_c") == "a"
    assert names.owner("a_b_c") == "a_b", "also while that server is down"
    assert names.owner("a_own") is None
    assert names.owner("c") is None
    assert Names(["a"], ["own"]).owner("c") == "a"
    assert Names(["a"], ["own"]).owner("own") is None


def offered_there(server: str, *names: str) -> list[McpTool]:
    def call(*_: Any) -> Any:
        raise NotImplementedError

    listed = (Listed(name=name, input_schema={"type": "object"}) for name in names)
    return [McpTool.of(server, tool, {}, call, believed=False) for tool in listed]


def test_of_two_tools_that_a_plan_writes_alike_the_first_is_offered() -> None:
    tools, left_out = Names(["a"], []).named(offered_there("a", "get-x", "get_x", "get x", "y"))
    assert [tool.name for tool in tools] == ["get-x", "y"]
    assert len(left_out) == 2
    assert "the tool 'get_x' of the MCP server 'a' is left out" in left_out[0]
    tools, left_out = Names(["a"], ["get_x"]).named(offered_there("a", "get-x"))
    assert [tool.name for tool in tools] == ["a_get-x"]
    assert left_out == []


@pytest.mark.parametrize("up", [["my-own", "my_own"], ["my_own"]])
def test_of_two_servers_that_a_plan_writes_alike_the_first_is_offered(up: list[str]) -> None:
    """Also while it is down: a name does not mean another tool then."""
    names = Names(["my-own", "my_own"], [])
    tools, _ = names.named(tool for server in up for tool in offered_there(server, "x"))
    assert [tool.name for tool in tools] == ["my-own_x"][: len(up) - 1]


async def test_the_graphs_own_tools_keep_their_names(ledger: Path, configure: Configure) -> None:
    def search(query: str) -> str:
        """Our own."""
        return f"ours {query}"

    own = toolbox(search)
    one = stdio(ledger, allow=["search", "height"])
    configure(alps=one)
    assert set(await with_mcp(own)) == {"search", "height", "alps_search"}
    configure(alps=one, asia=stdio(ledger, allow=["describe"]))
    tools = await with_mcp(own)
    assert set(tools) == {"search", "alps_search", "alps_height", "asia_describe"}
    assert tools["search"] is own["search"]
    assert await called(tools["alps_search"], {"query": "x"}) == "found x"


async def test_of_names_that_cannot_be_told_apart_the_first_is_offered(
    ledger: Path, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    server = stdio(ledger, allow=["height", "describe"])
    configure(**{"a b": server, "a_b": stdio(ledger, allow=["height"])})
    for _ in range(2):
        tools = await with_mcp(OWN)
        assert set(tools) == {"a_b_describe", "a_b_height"}
        assert await called(tools["a_b_height"], {"name": "K2"}) == 8611
    [warning] = caplog.messages
    assert warning == (
        "the tool 'height' of the MCP server 'a_b' is left out: the name 'a_b_height' is another"
        " tool's; rename the server or set its 'allow'"
    )


@pytest.mark.usefixtures("tried_again_at_once")
async def test_names_do_not_depend_on_which_servers_are_up(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    http.stop()
    allow = ["delete-file", "height"]
    configure(a=stdio(ledger, allow=allow), b={"url": http.url, "allow": allow})
    assert set(await with_mcp(OWN)) == {"a_delete-file", "a_height"}
    http.start()
    both = {"a_delete-file", "a_height", "b_delete-file", "b_height"}
    assert set(await with_mcp(OWN)) == both


async def test_a_call_in_approve_asks_while_another_server_is_down(
    ledger: Path, configure: Configure
) -> None:
    configure(a=stdio(ledger), b=GONE)
    planner = ScriptedModel('a_delete_file("x")\ndelete_file("y")')
    graph = build_graph(
        [], planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    state = await graph.ainvoke(ASK, THREAD, context=Context(approve=["a_delete-file"]))
    assert asked_about(state) == [("a_delete-file", {"path": "x"})]
    assert lines(ledger) == []


# ── names in settings ─────────────────────────────────────────────────────────────────────────


async def refused(own: Any = (), **settings: Any) -> str:
    """Why a turn with these settings ends before its planner is asked."""
    planner = ScriptedModel()
    graph = build_graph([*own], planner=planner, joiner=ScriptedModel())
    with pytest.raises(SetupError) as raised:
        await graph.ainvoke(ASK, context=Context(**settings))
    assert planner.seen == []
    return str(raised.value)


async def test_a_name_that_no_tool_has_is_an_error_before_anything_runs(
    ledger: Path, configure: Configure
) -> None:
    configure(a=stdio(ledger), b=GONE)
    for setting, name in product(SETTINGS, ("delete-file", "a_delete-fil")):
        why = await refused(**{setting: ["a_height", name]})
        assert why == f"{setting}: no tool {name!r}; did you mean 'a_delete-file'?"
    configure(a=stdio(ledger))
    for setting in SETTINGS:
        why = await refused(**{setting: ["a_delete-file"]})
        assert why == f"{setting}: no tool 'a_delete-file'; did you mean 'delete-file'?"
    assert lines(ledger) == []


async def test_what_may_be_the_name_of_a_tool_of_a_server_that_is_down_is_none(
    ledger: Path, configure: Configure
) -> None:
    one = stdio(ledger, allow=["describe"])
    configure(up=one, down=GONE, few={**GONE, "allow": ["climb", "odd.name"]})
    tools = await with_mcp(OWN)
    for setting in SETTINGS:
        assert set(tools.offered(**named(setting, "up_describe", "down_any", "few_odd_name")))
        for name in ("any", "few_any", "up_any"):
            with pytest.raises(SetupError, match=f"{setting}: no tool '{name}'"):
                tools.offered(**named(setting, name))


def named(setting: str, *names: str) -> dict[str, Any]:
    return {"allow": None, "approve": (), setting: names}


async def test_a_single_server_that_is_down_may_have_any_tool_but_the_graphs_own(
    configure: Configure,
) -> None:
    def delete_file(path: str) -> str:
        """Delete a file."""
        return path

    configure(a=GONE)
    tools = await with_mcp(toolbox(delete_file))
    tools.offered(None, ["climb", "a_delete_file", "delete_file"])
    with pytest.raises(PlanError, match="'a' cannot be reached"):
        tools.tool("climb")
    # The graph's own tool would run unasked for as long as the server is down.
    for slip in ("delete_fil", "delete-file", "Delete_File"):
        why = await refused([delete_file], approve=[slip])
        assert why == f"approve: no tool {slip!r}; did you mean 'delete_file'?"


async def test_what_the_file_allows_may_be_named_like_an_own_tool(configure: Configure) -> None:
    def delete_file(path: str) -> str:
        """Delete a file."""
        return path

    configure(a={**GONE, "allow": ["delete_files"]})
    tools = await with_mcp(toolbox(delete_file))
    tools.offered(None, ["delete_files"])
    with pytest.raises(SetupError, match="approve: no tool 'climb'"):
        tools.offered(None, ["climb"])


# ── the world changes in the middle of a turn ─────────────────────────────────────────────────


async def comes_up(http: HttpServer, plan: str, approve: str) -> dict[str, Any]:
    """A turn that begins while a server is down; it is up when the second round is planned."""
    http.stop()

    def wake() -> str:
        """Start the server."""
        http.start()
        return "up"

    planner = ScriptedModel("wake()", plan)
    joiner = ScriptedModel("REPLAN: delete it", "Done.")
    graph = build_graph([wake], planner=planner, joiner=joiner, checkpointer=InMemorySaver())
    state: dict[str, Any] = await graph.ainvoke(ASK, THREAD, context=Context(approve=[approve]))
    return state


@pytest.mark.usefixtures("tried_again_at_once")
async def test_a_server_that_comes_up_in_the_middle_of_a_turn_is_guarded(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    configure(a={"url": http.url})
    state = await comes_up(http, 'delete_file("x")', "delete-file")
    assert asked_about(state) == [("delete-file", {"path": "x"})]
    assert lines(ledger) == []


@pytest.mark.usefixtures("tried_again_at_once")
async def test_a_wrong_name_is_an_error_as_soon_as_its_server_is_up(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    configure(a={"url": http.url})
    with pytest.raises(SetupError, match=r"approve: no tool 'delet'; .*delete-file"):
        await comes_up(http, 'delete_file("x")', "delet")
    assert lines(ledger) == []


@pytest.mark.usefixtures("tried_again_at_once")
async def test_a_name_guards_when_another_server_comes_up_with_a_tool_of_that_name(
    ledger: Path, http: HttpServer, configure: Configure
) -> None:
    configure(a=stdio(ledger), b={"url": http.url})
    plan = 'a_delete_file("x")\nb_delete_file("y")\ndelete_file("z")'
    state = await comes_up(http, plan, "a_delete-file")
    assert asked_about(state) == [("a_delete-file", {"path": "x"})]
    assert lines(ledger) == []


def begun(ledger: Path, configure: Configure, **listed: Any) -> Any:
    """A turn that waits for a person, when its server has begun again with other tools."""
    configure(a=stdio(ledger))
    planner = ScriptedModel('a = add_note("x")\nadd_note(f"{a} again")')
    graph = build_graph(
        [], planner=planner, joiner=ScriptedModel("Done."), checkpointer=InMemorySaver()
    )
    state = graph.invoke(ASK, THREAD, context=Context(approve=["add_note"]))
    assert asked_about(state) == [("add_note", {"text": "x"})]
    MCP_SERVERS.reset()
    configure(a=stdio(ledger, **listed))
    return graph


def test_a_name_guards_on_when_the_list_of_the_servers_tools_has_changed(
    ledger: Path, configure: Configure
) -> None:
    harmless = {"readOnlyHint": True, "openWorldHint": False}
    graph = begun(ledger, configure, allow=["height", "add_note"], hints={"add_note": harmless})
    state = graph.invoke(APPROVED, THREAD, context=Context(approve=["add_note"]))
    assert asked_about(state) == [("add_note", {"text": "x again"})]
    assert lines(ledger) == ["add x"]
    MCP_SERVERS.reset()


def test_a_name_whose_tool_is_gone_when_the_turn_goes_on_is_an_error_that_can_be_mended(
    ledger: Path, configure: Configure
) -> None:
    graph = begun(ledger, configure, allow=["height"])
    with pytest.raises(SetupError, match="approve: no tool 'add_note'"):
        graph.invoke(APPROVED, THREAD, context=Context(approve=["add_note"]))
    assert lines(ledger) == []
    state = graph.invoke(APPROVED, THREAD)
    assert [state["outcomes"][id]["status"] for id in "13"] == ["failed", "failed"]
    assert "no tool 'add_note'" in state["outcomes"]["1"]["error"]
    assert lines(ledger) == []
    MCP_SERVERS.reset()
