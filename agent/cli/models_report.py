"""`llm-compiler models`: which model each role uses and why, and what the local model needs."""

import importlib.metadata
import importlib.util
import os
import re
from dataclasses import asdict, dataclass
from typing import Any

from llm_compiler.cli import wording
from llm_compiler.context import Context
from llm_compiler.models.choice import ROLES, chosen
from llm_compiler.models.local.kept import Visit, kept_servers
from llm_compiler.models.local.obtain import find
from llm_compiler.redaction import masked


@dataclass(frozen=True)
class ReportRow:
    """One line of the report."""

    name: str
    value: str
    why: str


@dataclass(frozen=True)
class ModelsReport:
    """What `llm-compiler models` prints."""

    roles: tuple[ReportRow, ...]
    local: tuple[ReportRow, ...]

    def text(self) -> str:
        """Two blocks of aligned columns."""
        rows = [*self.roles, *self.local]
        widths = [max(len(row.name) for row in rows), max(len(row.value) for row in self.roles)]
        blocks = []
        for block in (self.roles, self.local):
            width = widths[1] if block is self.roles else max(len(row.value) for row in block)
            blocks.append(
                "\n".join(
                    f"{row.name:<{widths[0]}}  {row.value:<{width}}  {row.why}".rstrip()
                    for row in block
                )
            )
        return "\n\n".join(blocks)

    def data(self) -> dict[str, Any]:
        """The same as JSON data."""
        return asdict(self)


def models_report(context: Context) -> ModelsReport:
    """Make the report, without using the network or opening a model."""
    planner, joiner = (chosen(role, vars(context).get) for role in ROLES)
    roles: tuple[ReportRow, ...] = (
        ReportRow("planner", *planner),
        ReportRow("joiner", *joiner),
        ReportRow("tools", joiner[0], "tools that read text use the joiner's model"),
    )
    if base_url := os.environ.get("OPENAI_BASE_URL"):
        roles += (
            ReportRow("server", _without_key(base_url), "OPENAI_BASE_URL is set (for openai:…)"),
        )
    found = find()
    ready = "ready" if found.ready else "not ready"
    brought = ReportRow("local weights", ready, f"{found.kind} {found.where}: {found.why}")
    return ModelsReport(roles, (brought, _library(), *map(_kept, kept_servers())))


def _kept(server: Visit) -> ReportRow:
    users = wording.counted(server.guests, "command")
    until = (
        f"used by {users}"
        if server.guests
        else f"for {wording.seconds(server.seconds)} more if nobody uses it"
    )
    return ReportRow("local server", "loaded", f"process {server.pid}, {until}")


def _library() -> ReportRow:
    if importlib.util.find_spec("xllamacpp") is None:
        return ReportRow("local xllamacpp", "missing", "run: pip install xllamacpp")
    try:
        version = importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        version = "unknown version"
    return ReportRow("local xllamacpp", "installed", version)


def _without_key(url: str) -> str:
    """A URL without the password before its host and the key after its path."""
    scheme, slashes, rest = re.split("[?#]", masked(url), maxsplit=1)[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{slashes}{host.rpartition('@')[2]}{slash}{path}"
