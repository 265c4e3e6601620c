"""What more messages come to in a thread; what clients write is in run/test_stored_state.py."""

import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, RemoveMessage
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages

from llm_compiler.thread_messages import mended_messages, with_messages

IDS = st.sampled_from("abcd")
MESSAGES = st.one_of(
    st.builds(lambda text, id: HumanMessage(text, id=id), st.text(max_size=3), IDS),
    st.builds(lambda text, id: AIMessageChunk(content=text, id=id), st.text(max_size=3), IDS),
    IDS.map(lambda id: RemoveMessage(id)),
)


def distinct(given: Any) -> list[Any]:
    return [*{it.id: it for it in given if not isinstance(it, RemoveMessage)}.values()]


@given(st.lists(MESSAGES, max_size=5).map(distinct), st.lists(MESSAGES, max_size=6), st.booleans())
def test_messages_are_added_as_langgraph_does(left: Any, right: Any, anew: bool) -> None:
    known, more = {it.id for it in left}, []
    for message in right:  # the removal of another is an error there
        if not isinstance(message, RemoveMessage) or message.id in known:
            more.append(message)
            known.add(message.id)
    if anew:  # there, what follows is taken as it is
        more = [RemoveMessage(REMOVE_ALL_MESSAGES), *distinct(more)]
    before = [*left]
    assert with_messages(left, more) == add_messages(left, more)
    assert left == before


def test_a_message_without_an_id_gets_one() -> None:
    found: Any = with_messages([HumanMessage("a")], [AIMessage("b"), AIMessage("c", id="")])
    assert len({it.id for it in found} - {None, ""}) == 3


def test_forty_thousand_messages_are_added_at_once() -> None:
    stored = [AIMessage("x", id=f"a{n}") for n in range(20_000)]
    added = [AIMessage("x", id=f"b{n}") for n in range(20_000)]
    taken = []
    for _ in range(5):
        began = time.thread_time()
        found = with_messages(stored, added)
        assert mended_messages(found) is found
        taken.append(time.thread_time() - began)
    assert min(taken) < 0.05
