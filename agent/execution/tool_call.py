"""Calls a tool's function, in LangChain's callbacks if there are any.

LangChain's own way to the function is not taken: it drops `**filters`, knows no aliases, fails on
parameters named `config`, makes texts of results, and takes 0.2 ms more. So all kinds of tools get
their arguments, and give their results, in one way.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ArgsSchema, BaseTool, StructuredTool
from langchain_core.tools import Tool as SingleInputTool
from pydantic import Field, PrivateAttr

from llm_compiler.errors import SetupError, ToolError
from llm_compiler.execution.injected import Injected, ToolCall, annotations_of
from llm_compiler.execution.jsonable import listed
from llm_compiler.execution.tool_result import Result
from llm_compiler.execution.tool_threads import LoopWork, Threads
from llm_compiler.langgraph_private import has_parent
from llm_compiler.language.evaluation.references import as_text
from llm_compiler.language.toolbox.parameters import is_of_the_run
from llm_compiler.language.toolbox.schema_problems import problem_in
from llm_compiler.language.toolbox.tool import Tool

_OF_FUNCTIONS = (StructuredTool, SingleInputTool)
"""LangChain's tools that are made of a function."""
_ENTRIES = ("run", "arun", "invoke", "ainvoke")
"""Methods by which a tool is called; a class that has its own is called by these."""
_MANAGERS = ("callbacks", "run_manager")
"""Parameters that get the call's callbacks, as LangChain fills them in."""


class CallableTool:
    """A tool, inspected once for how to call it.

    Raises:
        SetupError: its function has a parameter that nothing fills, or lacks one.
    """

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._function, self.is_async = _function(tool.base)
        self._injected = Injected.of(tool, self._function)
        self._parameters = _parameters(self._function)
        types = annotations_of(self._function)
        self._managers = [
            name
            for name in _MANAGERS
            if name in self._parameters and is_of_the_run(types.get(name, RunnableConfig))
        ]
        kinds = self._parameters.values()
        self._list = next((it.name for it in kinds if it.kind is it.VAR_POSITIONAL), "")
        """The parameter that is given as a list of arguments: `*args`."""
        if self._list not in tool.parameters:
            self._list = ""
        self._positional = [
            it.name
            for it in kinds
            if it.kind is it.POSITIONAL_ONLY
            # What stands before a list of arguments can have no name either.
            or (self._list and it.kind is it.POSITIONAL_OR_KEYWORD)
        ]
        self._invokes = _has_own(tool.base, *_ENTRIES)
        self._has_artifact = not self._invokes and _has_artifact(tool.base)
        self._one = isinstance(tool.base, SingleInputTool) and not _has_own(tool.base, "_run")
        self._check_signature()

    def call(self, call: ToolCall, loop: LoopWork) -> Result:
        """Call the tool, which is sync, in a thread.

        A function may be async though it does not say so, being wrapped by one that is not.

        Raises:
            PlanError: the arguments are refused.
            ToolError: it failed, or its result is no data.
        """
        if not self._watches(call):
            return self._called(call, loop)
        watched = _Watched.of(self, call, loop=loop)
        return watched.result(watched.invoke(_given(call), call.config))

    async def acall(self, call: ToolCall, threads: Threads) -> Result:
        """Call the tool, which is async, as `call`; what is large is converted in a thread."""
        if not self._watches(call):
            return await self._acalled(call, threads)
        watched = _Watched.of(self, call, threads=threads)
        return watched.result(await watched.ainvoke(_given(call), call.config))

    def _watches(self, call: ToolCall) -> bool:
        """Whether LangChain has something to do beside the function."""
        base = self._tool.base
        watches = _is_handled(base) or base.callbacks or self._managers or _is_watched(call.config)
        return bool(watches and not self._invokes)

    def _called(self, call: ToolCall, loop: LoopWork, run_manager: Any = None) -> Result:
        returned = self._begun(call, self._arguments(call), run_manager)
        if inspect.isawaitable(returned) or isinstance(returned, AsyncIterator):
            returned = loop.wait(_awaited(returned))
        return self._ended(call, returned)

    async def _acalled(self, call: ToolCall, threads: Threads, run_manager: Any = None) -> Result:
        arguments = await threads.where_it_fits(call.args, lambda: self._arguments(call))
        returned = await _awaited(self._begun(call, arguments, run_manager))
        if isinstance(returned, Iterator):  # what it does for each item may block
            result: Result = await threads.run(lambda: self._ended(call, returned))
            return result
        return await threads.where_it_fits(returned, lambda: self._ended(call, returned))

    def _arguments(self, call: ToolCall) -> dict[str, Any]:
        return self._tool.arguments(call.args, self._injected.fill(call))

    def _begun(self, call: ToolCall, arguments: dict[str, Any], run_manager: Any = None) -> Any:
        """What the function returns; a coroutine if it is async."""
        if run_manager is not None:
            for name in self._managers:
                arguments[name] = run_manager.get_child() if name == "callbacks" else run_manager
        if self._one:
            return self._function(arguments.pop(next(iter(self._tool.parameters))), **arguments)
        first = [arguments.pop(name) for name in self._positional if name in arguments]
        first += arguments.pop(self._list, None) or ()
        return self._function(*first, **arguments)

    def _ended(self, call: ToolCall, returned: Any) -> Result:
        return Result.of(
            returned,
            call.id,
            has_artifact=self._has_artifact,
            has_parent=has_parent(call.config),
        )

    def _check_signature(self) -> None:
        tool = self._tool
        if self._one and len(tool.parameters) != 1:
            raise SetupError(
                f"{tool.name} is a Tool of one argument, but has {len(tool.parameters)}; use"
                " StructuredTool"
            )
        if self._one or not self._parameters:
            return
        filled = {*tool.parameters, *self._injected.kinds, *self._managers}
        for name, it in self._parameters.items():
            variadic = it.kind in (it.VAR_POSITIONAL, it.VAR_KEYWORD)
            if it.default is it.empty and not variadic and name not in filled:
                raise SetupError(
                    f"nothing fills the parameter {name!r} of {tool.name}; rename it, give it a"
                    " default, or bind it with functools.partial"
                )
        if any(it.kind is it.VAR_KEYWORD for it in self._parameters.values()):
            return
        for name in (*tool.parameters, *self._injected.kinds):
            if name not in self._parameters:
                raise SetupError(
                    f"the function of {tool.name} has no parameter {name!r}, which its args_schema"
                    " has; add it"
                )


def check_callable(tools: Iterable[Tool]) -> None:
    """Raises SetupError if a call of one of the tools could never work."""
    for tool in tools:
        CallableTool(tool)
        if isinstance(tool.base.args_schema, dict) and (why := problem_in(tool.schema)):
            raise SetupError(f"nothing can be checked against the schema of {tool.name}: {why}")


class _Watched(BaseTool):
    """One call, which LangChain runs with its callbacks and the tool's error handlers.

    LangChain is given the planner's arguments, and the result as a message. The function gets its
    arguments, and gives its result, past it.
    """

    args_schema: ArgsSchema | None = Field(default={"type": "object", "properties": {}})
    _tool: CallableTool = PrivateAttr()
    _call: ToolCall = PrivateAttr()
    _loop: LoopWork | None = PrivateAttr()
    _threads: Threads | None = PrivateAttr()
    _result: Result | None = PrivateAttr(default=None)

    @classmethod
    def of(
        cls,
        tool: CallableTool,
        call: ToolCall,
        *,
        loop: LoopWork | None = None,
        threads: Threads | None = None,
    ) -> "_Watched":
        base = tool._tool.base
        made = cls(
            name=call.name,
            description=base.description,
            verbose=base.verbose,
            callbacks=base.callbacks,
            tags=base.tags,
            metadata=base.metadata,
            handle_tool_error=base.handle_tool_error,
            handle_validation_error=base.handle_validation_error,
        )
        made._tool, made._call, made._loop, made._threads = tool, call, loop, threads
        return made

    def result(self, message: ToolMessage) -> Result:
        """The result of the call. Raises ToolError with the words of an error handler."""
        if self._result is None:
            raise ToolError(message.text)
        return self._result

    def _run(
        self, /, *_: Any, run_manager: CallbackManagerForToolRun | None = None, **__: Any
    ) -> ToolMessage:
        assert self._loop is not None
        return self._kept(self._tool._called(self._call, self._loop, run_manager))

    async def _arun(
        self, /, *_: Any, run_manager: AsyncCallbackManagerForToolRun | None = None, **__: Any
    ) -> ToolMessage:
        assert self._threads is not None
        return self._kept(await self._tool._acalled(self._call, self._threads, run_manager))

    def _kept(self, found: Result) -> ToolMessage:
        self._result = found
        return ToolMessage(
            as_text(found.value),
            artifact=found.artifact,
            tool_call_id=self._call.id,
            name=self._call.name,
        )


async def _awaited(returned: Any) -> Any:
    """What an async function returned, or the items that an async generator yields."""
    if inspect.isawaitable(returned):
        returned = await returned
    return await listed(returned) if isinstance(returned, AsyncIterator) else returned


def _given(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "args": dict(call.args), "id": call.id, "type": "tool_call"}


def _function(base: BaseTool) -> tuple[Callable[..., Any], bool]:
    """What does a tool's work, and whether it is async."""
    asynchronous = _has_own(base, "_arun", "arun", "ainvoke") or bool(
        getattr(base, "coroutine", None)
    )
    if _has_own(base, *_ENTRIES):
        # As a message, LangChain's result says whether it is an error, and has the artifact.
        as_message = _is_handled(base) or _has_artifact(base)

        def invoked(config: RunnableConfig, **arguments: Any) -> Any:
            call = {"name": base.name, "args": arguments, "id": "call", "type": "tool_call"}
            entry = base.ainvoke if asynchronous else base.invoke
            return entry(call if as_message else arguments, config)

        return invoked, asynchronous
    if not isinstance(base, _OF_FUNCTIONS) or _has_own(base, "_run", "_arun"):
        return (base._arun if asynchronous else base._run), asynchronous
    function = base.coroutine or base.func
    if function is None:
        raise SetupError(f"{base.name} has no function; give it func= or coroutine=")
    called = getattr(function, "__call__", function)  # noqa: B004 - of an object, not a function
    return function, any(map(inspect.iscoroutinefunction, (function, called)))


def _has_own(base: BaseTool, *methods: str) -> bool:
    """Whether a tool's class has one of these methods of its own, and not LangChain's."""
    kinds = (BaseTool, *_OF_FUNCTIONS)
    return any(
        getattr(type(base), name) not in [getattr(kind, name) for kind in kinds] for name in methods
    )


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # of some functions written in C
        return {}


def _is_handled(base: BaseTool) -> bool:
    return bool(base.handle_tool_error or base.handle_validation_error)


def _has_artifact(base: BaseTool) -> bool:
    return base.response_format == "content_and_artifact"


def _is_watched(config: RunnableConfig) -> bool:
    callbacks = config.get("callbacks")
    return bool(getattr(callbacks, "handlers", callbacks))
