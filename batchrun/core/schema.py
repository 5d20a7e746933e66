"""The procedure's input schema: checked before anything is checked against it, and never fetched from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from batchrun.core.cells import cut
from batchrun.core.targets import Step, pointer
from batchrun.errors import BadSchema

# How much a pattern may backtrack on one value before it is stopped: some milliseconds.
BACKTRACK_LIMIT = 100_000
_UNKNOWN_FORMAT = re.compile(r"Unknown format: '(.*)'\. ", re.DOTALL)
NESTED = "it is nested too deeply"
DEFAULT_DIALECT = "https://json-schema.org/draft/2020-12/schema"
DIALECTS = {
    DEFAULT_DIALECT,
    "https://json-schema.org/draft/2019-09/schema",
    "http://json-schema.org/draft-07/schema",
    "http://json-schema.org/draft-06/schema",
    "http://json-schema.org/draft-04/schema",
}


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema that can be used: its document, with exact numbers, and its compiled validator."""

    document: Mapping[str, Any]
    validator: Any


def compile_schema(document: Any, name: str) -> Schema:
    """Check a schema and compile it. Raise BadSchema with one sentence where it cannot be used."""
    if not isinstance(document, dict):
        raise BadSchema(f"{name}: a JSON Schema is an object, and this file holds {_kind(document)}")
    dialect = document.get("$schema", DEFAULT_DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") not in DIALECTS:
        raise BadSchema(
            f'{name}: "$schema" names {cut(repr(dialect))}, which is not known; 2020-12 is {DEFAULT_DIALECT}'
        )
    try:
        _refuse_foreign_references(document, name)
        validator = jsonschema_rs.validator_for(
            {"$schema": DEFAULT_DIALECT, **document},
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
            pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT),
        )
    except RecursionError:
        raise BadSchema(f"{name}: the schema cannot be used: {NESTED}") from None
    except jsonschema_rs.ValidationError as error:
        raise BadSchema(f"{name}: {_told(error, document, dialect)}") from None
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        raise BadSchema(f"{name}: the schema cannot be used: {_short(error)}") from None
    return Schema(document, validator)


def _told(error: jsonschema_rs.ValidationError, document: dict[str, Any], dialect: str) -> str:
    unknown = _UNKNOWN_FORMAT.match(error.message)
    if unknown is not None:
        return (
            f'the format "{cut(unknown[1])}" at {pointer(error.instance_path)} is none that can be checked; '
            "say what is meant by a `pattern`, or take it out of this copy of the schema"
        )
    fault = _fault(document, dialect)
    if fault is None and not error.instance_path:
        return f"the schema cannot be used: {_short(error)}"
    path, message = fault or (error.instance_path, _short(error))
    return f"the schema itself is wrong at {pointer(path) or 'its top'}: {message}"


def _fault(document: dict[str, Any], dialect: str) -> tuple[Iterable[Step], str] | None:
    """Give where a schema is wrong, and why, of several faults the one that explains most; None where none is known.

    What a pattern may hold is not asked here: these are JavaScript's patterns, and Python's are others.
    """
    from jsonschema import exceptions, validators  # only who has a wrong schema pays for it

    checker = validators.validator_for({"$schema": dialect}, default=validators.validator_for({}))
    found = exceptions.best_match(checker(checker.META_SCHEMA).iter_errors(document))
    return None if found is None else (found.path, cut(found.message))


def _refuse_foreign_references(document: Any, name: str) -> None:
    ids = {node["$id"] for node in _objects(document) if isinstance(node.get("$id"), str)}
    for node in _objects(document):
        for keyword in ("$ref", "$dynamicRef"):
            reference = node.get(keyword)
            if isinstance(reference, str) and not reference.startswith("#") and reference.split("#")[0] not in ids:
                raise BadSchema(
                    f'{name}: the reference "{cut(reference)}" points out of the file; nothing is ever fetched, '
                    'so copy what it names into "$defs"'
                )


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)


def _kind(document: Any) -> str:
    return {list: "a list", str: "text", type(None): "nothing"}.get(type(document), "a single value")


def _short(error: Exception) -> str:
    told = str(getattr(error, "message", error)).splitlines()[0]
    return NESTED if told == "Recursion limit reached" else cut(told)  # jsonschema-rs has no class for it
