"""Tools from an OpenAPI document: one for each method of a path."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.bench.gold.case import GoldTool

_METHODS = ("get", "post", "put", "delete")
_MAX_LEVELS = 7
"""Levels of a result: documents refer to themselves."""


@dataclass(frozen=True)
class Endpoint:
    """A method of a path as a tool, with the schema of its result."""

    name: str
    """`GET /me/playlists`"""
    tool: GoldTool
    returns: Mapping[str, Any]


def endpoints(document: Mapping[str, Any]) -> Iterator[Endpoint]:
    """All of a document's."""
    reader = _Reader(document)
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if method in operations:
                yield reader.endpoint(method, path, operations)


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def endpoint(self, method: str, path: str, operations: Mapping[str, Any]) -> Endpoint:
        operation = operations[method]
        properties: dict[str, Any] = {}
        required: set[str] = set()
        for given in [*operations.get("parameters", []), *operation.get("parameters", [])]:
            it = self._resolved(given)
            properties[it["name"]] = self._schema(it.get("schema", {}), 2)
            if str(it.get("required")).lower() == "true":
                required.add(it["name"])
        body = self._content(operation.get("requestBody", {}))
        # The body's says more: a list, where a query has a text.
        properties |= body.get("properties", {})
        # Some documents require what is in no place.
        required |= set(body.get("required", [])) & properties.keys()
        responses: Mapping[str, Any] = operation["responses"]
        returns = [it for status, it in responses.items() if status.startswith("2")]
        tool = GoldTool(
            re.sub(r"\W+", "_", f"{method}{path}").strip("_"),
            {"type": "object", "properties": properties, "required": sorted(required)},
            operation.get("summary", ""),
            writes=method != "get",
            domain="music and films",
        )
        return Endpoint(
            f"{method.upper()} {path}", tool, self._content(returns[0] if returns else {})
        )

    def _content(self, given: Mapping[str, Any]) -> dict[str, Any]:
        kinds = [*(self._resolved(given).get("content") or {}).values()]
        return self._schema(kinds[0].get("schema", {}) if kinds else {}, _MAX_LEVELS)

    def _schema(self, given: Mapping[str, Any], levels: int) -> dict[str, Any]:
        """A schema without references, alternatives and what is deeper than the levels."""
        it = dict(self._resolved(given))
        for part in it.pop("allOf", []):
            more = self._schema(part, levels)
            it["properties"] = {**it.get("properties", {}), **more.pop("properties", {})}
            it = {**more, **it}
        for part in [*it.pop("oneOf", []), *it.pop("anyOf", [])][:1]:
            it = {**self._schema(part, levels), **it}
        kind = it.get("type") or ("object" if it.get("properties") else None)
        schema: dict[str, Any] = {"type": kind} if isinstance(kind, str) else {}
        schema |= {key: it[key] for key in ("enum", "description") if it.get(key)}
        if kind == "object" and levels:
            parts = it.get("properties", {}).items()
            schema["properties"] = {name: self._schema(part, levels - 1) for name, part in parts}
            if isinstance(it.get("required"), list):
                schema["required"] = it["required"]
        elif kind == "array" and levels:
            schema["items"] = self._schema(it.get("items", {}), levels - 1)
        return schema

    def _resolved(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        while isinstance(given.get("$ref"), str):
            part: Any = self._document
            for name in given["$ref"].removeprefix("#/").split("/"):
                part = part[name]
            given = part
        return given
