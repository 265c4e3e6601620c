"""What is believed of what an MCP server says of its own tools."""

from typing import Any

import pytest
from langchain_core.tools import StructuredTool

from llm_compiler.language.toolbox.mcp_hints import hints, of_adapter
from llm_compiler.language.toolbox.tool import Tool

WORST = {
    "readOnlyHint": False,
    "destructiveHint": True,
    "idempotentHint": False,
    "openWorldHint": True,
    "guarded": True,
}
READS = {**WORST, "readOnlyHint": True, "destructiveHint": False}
BELIEVED_READS = {**READS, "idempotentHint": True, "guarded": False}


@pytest.mark.parametrize("believed", [True, False])
def test_hints_default_to_the_worst_as_mcp_says(believed: bool) -> None:
    assert hints({}, {}, believed=believed) == WORST
    odd = {"readOnlyHint": None, "title": "x", "timeout": 0.001}
    assert hints(odd, {}, believed=believed) == WORST


def test_a_server_that_is_believed_says_what_its_tools_do() -> None:
    # MCP: the hint of destruction means something only for tools that write.
    listed = {"readOnlyHint": True, "destructiveHint": True}
    assert hints(listed, {}, believed=True) == BELIEVED_READS
    mild = {"destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
    assert hints(mild, {}, believed=True) == {**WORST, **mild}


def test_a_server_that_is_not_believed_says_only_what_reads() -> None:
    mild = {"destructiveHint": False, "idempotentHint": True, "openWorldHint": False}
    assert hints(mild, {}, believed=False) == WORST
    assert hints({**mild, "readOnlyHint": True}, {}, believed=False) == READS


@pytest.mark.parametrize("believed", [True, False])
def test_what_the_file_says_is_believed_in_any_case(believed: bool) -> None:
    said = {"readOnlyHint": True, "openWorldHint": False, "max_parallel": 2}
    found = hints({"readOnlyHint": False}, said, believed=believed)
    assert found == {**BELIEVED_READS, "openWorldHint": False, "max_parallel": 2}


# ── tools that LangChain's MCP adapter made ───────────────────────────────────────────────────


def made(**annotations: Any) -> dict[str, Any]:
    """The metadata of such a tool."""
    tool = {"annotations": annotations, "_meta": {"a": 1}}
    return {"mcp": {"tool": tool, "server": {"name": "files", "version": "1"}}}


def tool(metadata: dict[str, Any]) -> Tool:
    base = StructuredTool.from_function(lambda: "", name="f", description="F", metadata=metadata)
    return Tool.of(base)


def test_a_tool_of_the_adapter_writes_unless_it_claims_to_read() -> None:
    writes = tool(made(destructive_hint=False))
    assert writes.rules.writes
    assert writes.rules.untrusted
    assert writes.rules.domain == "files"
    assert writes.destructive
    reads = tool(made(read_only_hint=True))
    assert not reads.rules.writes
    assert (reads.rules.guarded, reads.retried) == (True, False)


def test_what_its_metadata_says_itself_is_believed() -> None:
    said = {"readOnlyHint": True, "openWorldHint": False, "domain": "other"}
    reads = tool({**made(), **said})
    assert reads.retried
    assert not reads.rules.guarded
    assert not reads.rules.untrusted
    assert reads.rules.domain == "other"


@pytest.mark.parametrize("odd", [{"mcp": 5}, {"mcp": {"tool": 5, "server": {"name": 5}}}, {}])
def test_odd_metadata_does_no_harm(odd: dict[str, Any]) -> None:
    assert of_adapter(odd).get("readOnlyHint", False) is False
