"""Reads the file that configures MCP servers, in the `mcpServers` format that MCP clients share.

    {"mcpServers": {
        "files": {"command": "files-server", "args": ["/data"], "env": {"KEY": "${FILES_KEY}"},
                  "allow": ["read_file"], "hints": {"read_file": {"readOnlyHint": true}}},
        "wiki": {"url": "https://wiki.example/mcp", "headers": {"Authorization": "Bearer ${WIKI}"}}
    }}

It is a file, not a setting of a run, because it contains commands and secrets.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from llm_compiler.errors import SetupError

VARIABLE = "LLM_COMPILER_MCP"

_REFERENCE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_SSE_PATH = re.compile(r"/sse/?(\?|$)")


class Hints(BaseModel):
    """What the file says about a tool. It overrides what the server says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    readOnlyHint: bool | None = None  # noqa: N815 - MCP's own names
    destructiveHint: bool | None = None  # noqa: N815
    idempotentHint: bool | None = None  # noqa: N815
    openWorldHint: bool | None = None  # noqa: N815
    max_parallel: int | None = Field(None, ge=1)
    exclusive: str | None = None
    timeout: float | None = Field(None, gt=0)
    domain: str | None = None


class Server(BaseModel):
    """One server of the file: `command` for stdio, `url` for streamable HTTP or SSE."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = Field(default_factory=dict, repr=False)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = Field(default_factory=dict, repr=False)
    type: (
        Literal["stdio", "http", "streamable_http", "streamable-http", "streamableHttp", "sse"]
        | None
    ) = None
    disabled: bool = False
    trust_annotations: bool = False
    """Whether what the server says of its own tools is believed."""
    allow: tuple[str, ...] | None = None
    """The names of the tools to offer, as the server spells them. None: all."""
    hints: Mapping[str, Hints] = Field(default_factory=dict)
    """By the tool's name; `*` means all tools."""

    @model_validator(mode="before")
    @classmethod
    def _under_one_name(cls, given: Any) -> Any:
        """Accept `transport` for `type`, which some clients write."""
        if isinstance(given, dict):
            given = {"type": given.get("transport"), **given}
            given.pop("transport", None)
        return given

    @model_validator(mode="after")
    def _is_one_kind(self) -> "Server":
        if (self.command is None) == (self.url is None):
            raise ValueError("give either a command or a url")
        if self.type is not None and (self.type == "stdio") != (self.command is not None):
            raise ValueError(f"the type {self.type!r} does not match; omit it")
        return self

    @property
    def is_sse(self) -> bool:
        """Whether it speaks the transport that streamable HTTP has replaced.

        Many files name only its url, which by custom ends in `/sse`.
        """
        by_url = self.type is None and _SSE_PATH.search(self.url or "") is not None
        return by_url or self.type == "sse"

    def hints_for(self, tool: str) -> dict[str, Any]:
        """What the file says about a tool."""
        said: dict[str, Any] = {}
        for name in ("*", tool):
            if name in self.hints:
                said |= self.hints[name].model_dump(exclude_none=True)
        return said

    def filled(self, where: str) -> "Server":
        """A copy with each `${NAME}` and `${NAME:-default}` replaced by the environment variable.

        Raises:
            SetupError: a variable is not set, and has no default.
        """

        def fill(text: str) -> str:
            return _REFERENCE.sub(lambda found: _value(found[1], found[2], where), text)

        texts = {name: getattr(self, name) for name in ("command", "cwd", "url")}
        return self.model_copy(
            update={
                **{name: None if text is None else fill(text) for name, text in texts.items()},
                "args": tuple(map(fill, self.args)),
                "env": {name: fill(value) for name, value in self.env.items()},
                "headers": {name: fill(value) for name, value in self.headers.items()},
            }
        )


def read_servers(path: Path) -> dict[str, Server]:
    """The servers in a file by name, in the order of the file, without disabled ones.

    Raises:
        SetupError: the file is missing or not in the format above, or a variable is not set.
    """
    try:
        held = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SetupError(
            f"{VARIABLE}={str(path)!r}: {error.strerror}; set the file's path"
        ) from None
    except ValueError as error:
        raise SetupError(f"{VARIABLE}={str(path)!r}: {error}; write JSON") from None
    servers = held.get("mcpServers") if isinstance(held, dict) else None
    if not isinstance(servers, dict):
        raise SetupError(f'{VARIABLE}={str(path)!r} has no {{"mcpServers": {{…}}}}; write one')
    read = {name: _server(given, f"{path.name}, {name}") for name, given in servers.items()}
    return {
        name: server.filled(f"{path.name}, {name}")
        for name, server in read.items()
        if not server.disabled
    }


def _server(given: Any, where: str) -> Server:
    try:
        return Server.model_validate(given)
    except ValidationError as error:
        # The value is not quoted: it may be a secret.
        refused = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, refused["loc"])) or "the server"
        raise SetupError(f"{where}: {place}: {refused['msg']}; correct the file") from None


def _value(name: str, default: str | None, where: str) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise SetupError(f"{where}: the variable {name} is not set; set it")
    return value
