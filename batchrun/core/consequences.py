"""What merely follows from a bad cell: the value itself, what lies around it, and conditions that looked at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from batchrun.core.schema_types import resolve
from batchrun.core.targets import Path

_PICKED_BELOW = frozenset({"properties", "patternProperties", "prefixItems"})  # the next step of the path names which
_PICKED_HERE = frozenset({"allOf", "anyOf", "oneOf", "dependentSchemas"})
_BELOW = frozenset({"items", "additionalItems", "additionalProperties", "unevaluatedProperties", "contains"})


def follows(schema: Mapping[str, Any], error: Any, path: Path, bad: frozenset[Path]) -> bool:
    """Tell whether a schema's error at a path says only that the targets in `bad` have no value."""
    if any(place[: len(path)] == path or path[: len(place)] == place for place in bad):
        return True
    return any(
        place[:depth] == path[:depth] and (names is None or place[depth] in names)
        for depth, names in (_conditions(schema, error) if bad else ())
        for place in bad
    )


def _conditions(schema: Mapping[str, Any], error: Any) -> Iterator[tuple[int, set[str] | None]]:
    """Yield the conditions that led to an error: how deep in the payload each stands, and the names it looks at."""
    node: Any = schema
    depth, steps = 0, iter(error.evaluation_path)
    for step in steps:
        if step in ("then", "else"):
            yield depth, _names_in(node.get("if"))
        elif step in ("anyOf", "oneOf"):
            yield depth, _names_in(node[step])
        depth += step in _PICKED_BELOW or step in _BELOW
        node = resolve(schema, node[step]) if step == "$ref" else _into(node, step)
        if step in _PICKED_BELOW or step in _PICKED_HERE:
            node = _into(node, next(steps))


def _into(node: Any, step: str | int) -> Any:
    if isinstance(node, list) and isinstance(step, int):
        return node[step]
    return node.get(step) if isinstance(node, Mapping) else None


def _names_in(node: Any) -> set[str] | None:
    """Give the names of properties that a schema looks at; None where they cannot be told."""
    names: set[str] = set()
    for part in node if isinstance(node, list) else [node]:
        if not isinstance(part, Mapping):
            continue
        if not part.keys().isdisjoint(_UNTOLD):
            return None
        names |= {*part.get("properties", ()), *part.get("required", ())}
    return names


_UNTOLD = frozenset(
    {"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "propertyNames"}
)
