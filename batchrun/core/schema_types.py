"""What a JSON Schema asks for at a path: the type of the value there, and its format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

from batchrun.core.targets import Path, Step

_BRANCHES = ("allOf", "anyOf", "oneOf")
_CONDITIONS = ("then", "else")
ALL_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the schema asks for at one path; `known` is False where no part of it names the path."""

    types: frozenset[str]
    formats: frozenset[str]
    known: bool = True
    open: bool = False

    @property
    def value_types(self) -> frozenset[str]:
        """The types without null, and without integer where any number will do."""
        types = self.types - {"null"}
        return types - {"integer"} if "number" in types else types


def wanted_at(schema: Mapping[str, Any], path: Path) -> Wanted:
    """Say what the schema asks for at a path."""
    nodes = [schema]
    is_open = False
    for step in path:
        found = [child for node in nodes for child in _children(schema, node, step)]
        is_open = is_open or any(_is_open(schema, node) for node in nodes)
        if not found:
            return Wanted(ALL_TYPES, frozenset(), known=False, open=is_open)
        nodes = found
    return Wanted(_types(schema, nodes), _formats(schema, nodes), open=is_open)


def names_at(schema: Mapping[str, Any], path: Path) -> list[str]:
    """Give the property names that the schema knows directly below a path, for suggestions."""
    nodes = [schema]
    for step in path:
        nodes = [child for node in nodes for child in _children(schema, node, step)]
    return [name for node in nodes for part in _parts(schema, node) for name in part.get("properties", {})]


def resolve(root: Mapping[str, Any], reference: str) -> Mapping[str, Any] | None:
    """Follow a reference inside the same document; None for any other."""
    node: Any = root
    if not reference.startswith("#"):
        return None
    if reference[1:2] not in ("", "/"):
        return _anchored(root, reference[1:])
    for token in unquote(reference[1:]).split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        node = node.get(name) if isinstance(node, Mapping) else _item(node, name)
    return node if isinstance(node, Mapping) else None


def _anchored(node: Any, name: str) -> Mapping[str, Any] | None:
    """Find the subschema that bears an anchor."""
    if isinstance(node, Mapping) and name in (node.get("$anchor"), node.get("$dynamicAnchor")):
        return node
    children = node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ()
    return next((found for child in children if (found := _anchored(child, name)) is not None), None)


def _item(node: Any, name: str) -> Any:
    return node[int(name)] if isinstance(node, list) and name.isdigit() and int(name) < len(node) else None


def _parts(root: Mapping[str, Any], node: Any, seen: frozenset[int] = frozenset()) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and every subschema that speaks of the same value."""
    if not isinstance(node, Mapping) or id(node) in seen:
        return
    seen |= {id(node)}
    yield node
    if isinstance(node.get("$ref"), str):
        yield from _parts(root, resolve(root, node["$ref"]), seen)
    for name in _BRANCHES:
        for branch in node.get(name, ()):
            yield from _parts(root, branch, seen)
    for name in _CONDITIONS:
        yield from _parts(root, node.get(name), seen)


def _children(root: Mapping[str, Any], node: Any, step: Step) -> Iterator[Any]:
    for part in _parts(root, node):
        yield from _child_items(part, step) if isinstance(step, int) else _child_properties(part, step)


def _child_items(part: Mapping[str, Any], step: int) -> Iterator[Any]:
    items = part.get("items")
    # Before 2020-12 a list of schemas stood under `items`, and the rest under `additionalItems`.
    prefix, rest = (
        (items, part.get("additionalItems")) if isinstance(items, list) else (part.get("prefixItems", ()), items)
    )
    if 0 <= step < len(prefix):
        yield prefix[step]
    elif isinstance(rest, Mapping):
        yield rest


def _child_properties(part: Mapping[str, Any], step: str) -> Iterator[Any]:
    named = [part["properties"][step]] if step in part.get("properties", {}) else []
    matching = [child for pattern, child in part.get("patternProperties", {}).items() if _fits(pattern, step)]
    if named or matching:
        yield from (*named, *matching)
    elif isinstance(part.get("additionalProperties"), Mapping):
        yield part["additionalProperties"]


def _fits(pattern: str, name: str) -> bool:
    # As payloads are validated: a schema's patterns are JavaScript's, and Python does not know all of their forms.
    return bool(jsonschema_rs.is_valid({"pattern": pattern}, name))


def _is_open(root: Mapping[str, Any], node: Any) -> bool:
    parts = list(_parts(root, node))
    declared = any("properties" in part for part in parts)
    return any(part.get("additionalProperties") is True for part in parts) or not declared


def _types(root: Mapping[str, Any], nodes: list[Any]) -> frozenset[str]:
    found: set[str] = set()
    for node in nodes:
        for part in _parts(root, node):
            found |= _own_types(part)
    return frozenset(found) or ALL_TYPES


def _own_types(part: Mapping[str, Any]) -> set[str]:
    if "type" in part:
        return {part["type"]} if isinstance(part["type"], str) else set(part["type"])
    if "const" in part:
        return {type_of(part["const"])}
    return {type_of(value) for value in part["enum"]} if "enum" in part else set()


def type_of(value: Any) -> str:
    """Give a value's JSON type."""
    if value is None:
        return "null"
    for kind, name in ((bool, "boolean"), (str, "string"), (int, "integer"), (Decimal, "number"), (list, "array")):
        if isinstance(value, kind):
            return name
    return "object"


def _formats(root: Mapping[str, Any], nodes: list[Any]) -> frozenset[str]:
    parts = (part for node in nodes for part in _parts(root, node))
    return frozenset(part["format"] for part in parts if isinstance(part.get("format"), str))
