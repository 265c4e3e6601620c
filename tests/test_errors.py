"""The tree of errors."""

from llm_compiler.errors import LLMCompilerError, ModelError, PlanError, SetupError, ToolError


def test_errors_are_split_by_whose_fault_they_are() -> None:
    assert all(
        issubclass(kind, LLMCompilerError)
        for kind in (PlanError, ToolError, ModelError, SetupError)
    )
