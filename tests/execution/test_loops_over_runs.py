"""What is promised for a call is promised for each instance of a loop, over any number of runs."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from llm_compiler import Context
from llm_compiler.language.tasks.task import COMPUTE, Task
from tests.support.looping import THREAD, Looping, ended
from tests.support.loops import each, inner
from tests.support.protocol import follows_protocol

PAYING = each(
    2,
    "$1",
    inner("2[].1", "look", {"x": "$(2[].0)"}),
    inner("2[].2", "pay", {"x": "$(2[].1)"}),
    value="$(2[].2)",
)
Make = Callable[..., Looping]


@pytest.fixture(params=["memory", "sqlite"])
async def looping(request: Any, tmp_path: Path) -> AsyncIterator[Make]:
    if request.param == "memory":
        saver = InMemorySaver()
        yield lambda *plan, **more: Looping(saver, *plan, **more)
    else:
        async with AsyncSqliteSaver.from_conn_string(str(tmp_path / "threads.db")) as stored:
            yield lambda *plan, **more: Looping(stored, *plan, **more)


async def run(turn: Looping, graph: Any, input: Any = None, **context: Any) -> Any:
    return await graph.ainvoke(input, THREAD, context=Context(**context) if context else None)


async def test_instances_are_in_state_and_messages_behind_their_loop(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    state = await run(turn, graph)
    ids = ["2[0].1", "2[0].2", "2[1].1", "2[1].2", "2[2].1", "2[2].2"]
    assert [task["id"] for task in state["plan"]] == [1, 2, *ids]
    assert list(state["outcomes"]) == ["1", "2", *ids]
    assert ended(state)["2"] == ("ok", [1, 2, 3])
    follows_protocol(state["messages"])
    [calls] = [message.tool_calls for message in state["messages"] if message.type == "ai"][:1]
    assert len(calls) == 7
    assert all(call["id"].replace("_", "").isalnum() for call in calls)


@pytest.mark.parametrize(
    ("at", "finished"), [(("look", 2), ["2[2].1", "2[0].2"]), (("pay", 2), ["2[2].1", "2[0].2"])]
)
async def test_killed_loop_goes_on_where_it_was(
    looping: Make, at: tuple[str, Any], finished: list[str]
) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    await turn.cut_off(graph, None, at, *finished)
    done = list(turn.ended)
    state = await run(turn, turn.deploy())
    assert all(turn.began.count(call) == 1 for call in done)
    outcomes = ended(state)
    if at[0] == "pay":  # it may have run
        assert outcomes["2[1].2"][0] == "failed"
        assert outcomes["2[2].2"] == ("skipped", "comes after 2[1].2, which failed")
        assert turn.began.count(at) == 1
    else:
        assert outcomes["2"] == ("ok", [1, 2, 3])


async def test_what_has_ended_stands_without_its_tool_and_under_any_limit(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    await turn.cut_off(graph, None, ("look", 3), "2[0].2", "2[1].2")
    state = await run(turn, turn.deploy(pay=None), max_tasks=1)
    assert ended(state)["2[0].2"] == ("ok", 1)
    assert ended(state)["2[1].2"] == ("ok", 2)
    assert ended(state)["2[2].2"][0] == "failed"
    assert turn.began.count(("pay", 1)) == 1


async def test_instances_are_decided_on_together_and_over_restarts(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    state = await run(turn, graph, approve=["pay"])
    [question] = state["__interrupt__"]
    assert [it["args"] for it in question.value["action_requests"]] == [{"x": n} for n in (1, 2, 3)]
    edit = {"type": "edit", "edited_action": {"name": "pay", "args": {"x": 9}}}
    decisions = [edit, {"type": "reject", "message": "no"}, {"type": "approve"}]
    state = await run(turn, turn.deploy(), Command(resume={"decisions": decisions}))
    assert [call for call in turn.began if call[0] == "pay"] == [("pay", 9), ("pay", 3)]
    assert ended(state)["2[1].2"] == ("rejected", "no")
    by_id = {task["id"]: task for task in state["plan"]}
    assert by_id["2[0].2"]["args"] == {"x": 9}


async def test_instance_that_a_person_edits_runs_again_and_no_other(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    await run(turn, graph)
    turn.began.clear()
    plan = await turn.plan(graph)
    by_id = {task["id"]: task for task in plan}
    by_id["2[1].1"]["args"] = {"x": 7}
    await turn.edit(graph, plan)
    state = await run(turn, turn.deploy())
    assert turn.began == [("look", 7), ("pay", 7)]
    assert ended(state)["2"] == ("ok", [1, 7, 3])


async def test_loop_that_a_person_edits_makes_its_instances_anew(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    await run(turn, graph)
    turn.began.clear()
    plan = await turn.plan(graph)
    plan[1]["args"]["items"] = [1, 5]
    await turn.edit(graph, plan)
    state = await run(turn, turn.deploy())
    assert turn.began == [("look", 5), ("pay", 5)]
    assert ended(state)["2"] == ("ok", [1, 5])
    assert [task["id"] for task in state["plan"]][-1] == "2[1].2"


async def test_loop_of_an_earlier_round_is_not_repeated(looping: Make) -> None:
    turn = looping(PAYING, replans=1)
    graph = turn.deploy()
    await turn.begin(graph)
    state = await run(turn, graph, max_tasks=7)
    assert turn.began.count(("pay", 1)) == 1
    assert [task["id"] for task in state["plan"]][-1] == 3
    assert ended(state)["2"] == ("ok", [1, 2, 3])
    follows_protocol(state["messages"])


async def test_killed_loop_that_a_message_abandons_is_closed(looping: Make) -> None:
    turn = looping(PAYING)
    graph = turn.deploy()
    await turn.begin(graph)
    await turn.cut_off(graph, None, ("pay", 2), "2[0].2")
    snapshot = await graph.aget_state(THREAD)
    graph = turn.deploy()
    await graph.ainvoke({"messages": [("user", "And?")]}, THREAD, interrupt_before=["scheduler"])
    state = (await graph.aget_state(THREAD)).values
    follows_protocol([it for it in state["messages"] if it.content != "And?"])
    said = [it.content for it in state["messages"] if it.type == "tool"]
    assert said[:3] == ["[1, 2, 3]", "1", "1"]
    assert any("may have run" in text for text in said)
    assert snapshot.next == ("scheduler",)


async def test_deeper_loops_and_conditions_over_a_kill(looping: Make) -> None:
    leaf = inner("2[].2[]", "pay", {"x": ["$(2[].0)", "$(2[].2[].0)"]})
    inner_loop = inner(
        "2[].2",
        "each",
        {"items": [1, 2], "body": [leaf], "value": "$(2[].2[])"},
        when={"id": "2[].1", "holds": True, "line": 2},
    )
    odd = inner("2[].1", COMPUTE, {"expression": "$(2[].0) % 2 == 1"})
    plan: list[Task] = [each(2, "$1", odd, inner_loop, value="$(2[].2)", keep="2[].1")]
    turn = looping(*plan)
    graph = turn.deploy()
    await turn.begin(graph)
    await turn.cut_off(graph, None, ("look", "first"))
    state = await run(turn, turn.deploy())
    assert ended(state)["2"] == ("ok", [[[1, 1], [1, 2]], [[3, 1], [3, 2]]])
    assert ended(state)["2[1].2"] == ("skipped", "condition on line 2 is false")
    assert [x for name, x in turn.began if name == "pay"] == [[1, 1], [1, 2], [3, 1], [3, 2]]
