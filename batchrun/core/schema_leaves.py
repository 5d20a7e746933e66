"""The fields that a schema asks for: every path at which a cell can put a value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from batchrun.core import schema_types, targets
from batchrun.core.schema_types import Wanted
from batchrun.core.targets import Path

DEEPEST = 8
MOST = 500


@dataclass(frozen=True, slots=True)
class Leaf:
    """One field: where it is, what is wanted there, and the only values that it takes, where the schema names them.

    `is_list` says that the field is a list of single values.
    """

    path: Path
    wanted: Wanted
    required: bool
    words: tuple[Any, ...] = ()
    description: str = ""
    is_list: bool = False

    @property
    def target(self) -> str:
        """The path as a job's target is written."""
        return targets.written(self.path)


def leaves(schema: Mapping[str, Any], places: int = 1) -> tuple[Leaf, ...]:
    """Give a schema's fields in its own order; `places` of each list of objects, at most 500 fields in all."""
    return tuple(islice(_below(schema, (), [schema], places, required=True), MOST))


def _below(root: Mapping[str, Any], path: Path, nodes: Iterable[Any], places: int, *, required: bool) -> Iterator[Leaf]:
    sure = [part for node in nodes for part in _sure(root, node)]
    names = [name for name in dict.fromkeys(schema_types.names_at(root, path)) if name]
    if names and len(path) < DEEPEST:
        needed = {name for part in sure for name in part.get("required", ())}
        for name in names:
            inner = [part["properties"][name] for part in sure if name in part.get("properties", {})]
            yield from _below(root, (*path, name), inner, places, required=required and name in needed)
    elif _lists_objects(root, path):
        inner = [part["items"] for part in sure if "items" in part]
        for place in range(places):
            yield from _below(root, (*path, place), inner, places, required=required and place == 0)
    elif path:
        yield _leaf(root, path, sure, required=required)


def _lists_objects(root: Mapping[str, Any], path: Path) -> bool:
    return len(path) < DEEPEST and _is_list(root, path) and bool(schema_types.names_at(root, (*path, 0)))


def _is_list(root: Mapping[str, Any], path: Path) -> bool:
    return schema_types.wanted_at(root, path).value_types == {"array"}


def _leaf(root: Mapping[str, Any], path: Path, sure: list[Mapping[str, Any]], *, required: bool) -> Leaf:
    words = [tuple(part["enum"]) for part in sure if "enum" in part]
    words += [(part["const"],) for part in sure if "const" in part]
    told = [part["description"] for part in sure if isinstance(part.get("description"), str)]
    return Leaf(
        path=path,
        wanted=schema_types.wanted_at(root, path),
        required=required,
        words=min(words, key=len, default=()),
        description=" ".join(told[0].split()) if told else "",
        is_list=_is_list(root, path),
    )


def _sure(root: Mapping[str, Any], node: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield a schema and the subschemas that hold whatever the value is."""
    if not isinstance(node, Mapping) or depth > DEEPEST:
        return
    yield node
    if isinstance(node.get("$ref"), str):
        yield from _sure(root, schema_types.resolve(root, node["$ref"]), depth + 1)
    for branch in node.get("allOf", ()):
        yield from _sure(root, branch, depth + 1)
