"""What a schema asks for at a path, however it is put together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.schema_types import ALL_TYPES, names_at, resolve, type_of, wanted_at
from batchrun.core.targets import parse

TEXT = {"type": "string"}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "text": TEXT,
        "maybe": {"type": ["integer", "null"]},
        "any": True,
        "never": False,
        "ref": {"$ref": "#/$defs/money"},
        "by_anchor": {"$ref": "#here"},
        "by_dynamic_anchor": {"$ref": "#there"},
        "escaped": {"$ref": "#/$defs/a~1b~0c%20d"},
        "in_list": {"$ref": "#/$defs/several/1"},
        "dangling": {"$ref": "#/$defs/none"},
        "past_the_end": {"$ref": "#/$defs/several/9"},
        "no_such_anchor": {"$ref": "#nowhere"},
        "foreign": {"$ref": "https://example.com/x"},
        "itself": {"$ref": "#/properties/itself"},
        "all": {"allOf": [{"type": "string"}, {"format": "date"}]},
        "some": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "one": {"oneOf": [{"const": "a"}, {"const": 1}]},
        "when": {"if": {}, "then": {"type": "boolean"}, "else": {"type": "string"}},
        "words": {"enum": ["a", None]},
        "sizes": {"enum": [1, Decimal("2.5")]},
        "tree": {"const": {"a": []}},
        "list": {"type": "array", "items": TEXT},
        "pair": {"prefixItems": [{"type": "integer"}], "items": {"type": "boolean"}},
        "closed_pair": {"prefixItems": [{"type": "integer"}], "items": False},
        "old_pair": {"items": [{"type": "integer"}], "additionalItems": {"type": "boolean"}},
        "map": {"type": "object", "additionalProperties": {"type": "number"}},
        "open": {"type": "object", "properties": {"x": TEXT}, "additionalProperties": True},
        "shut": {"type": "object", "properties": {"x": TEXT}, "additionalProperties": False},
        "bare": {"type": "object"},
        "by_pattern": {
            "properties": {"x-1": TEXT},
            "patternProperties": {"^x-": {"type": "integer"}, r"^\p{Lu}": TEXT},
        },
        "deep": {"allOf": [{"properties": {"a": {"properties": {"b": TEXT}}}}, {"$ref": "#/$defs/more"}]},
    },
    "$defs": {
        "money": {"type": "number"},
        "anchored": {"allOf": [{"$anchor": "here", "type": "boolean"}]},
        "dynamic": {"$dynamicAnchor": "there", "type": "integer"},
        "a/b~c d": {"type": "boolean"},
        "several": [TEXT, {"type": "integer"}],
        "more": {"properties": {"c": TEXT}},
    },
}


@pytest.mark.parametrize(
    ("path", "types"),
    [
        ("text", {"string"}),
        ("maybe", {"integer", "null"}),
        ("any", ALL_TYPES),
        ("never", ALL_TYPES),
        ("ref", {"number"}),
        ("by_anchor", {"boolean"}),
        ("by_dynamic_anchor", {"integer"}),
        ("escaped", {"boolean"}),
        ("in_list", {"integer"}),
        ("dangling", ALL_TYPES),
        ("past_the_end", ALL_TYPES),
        ("no_such_anchor", ALL_TYPES),
        ("foreign", ALL_TYPES),
        ("itself", ALL_TYPES),
        ("all", {"string"}),
        ("some", {"number", "null"}),
        ("one", {"string", "integer"}),
        ("when", {"boolean", "string"}),
        ("words", {"string", "null"}),
        ("sizes", {"integer", "number"}),
        ("tree", {"object"}),
        ("list", {"array"}),
        ("list[3]", {"string"}),
        ("pair[0]", {"integer"}),
        ("pair[1]", {"boolean"}),
        ("old_pair[0]", {"integer"}),
        ("old_pair[1]", {"boolean"}),
        ("map.whatever", {"number"}),
        ("by_pattern.x-2", {"integer"}),
        ("by_pattern.x-1", {"string", "integer"}),
        ("by_pattern.Événement", {"string"}),
        ("deep.a.b", {"string"}),
        ("deep.c", {"string"}),
    ],
)
def test_the_types_at_a_path(path: str, types: set[str]) -> None:
    wanted = wanted_at(SCHEMA, parse(path))
    assert wanted.known
    assert wanted.types == types


@pytest.mark.parametrize(
    ("path", "is_open"),
    [
        ("nothing", False),
        ("open.y", True),
        ("shut.y", False),
        ("bare.y", True),
        ("closed_pair[1]", True),
        ("by_pattern.y", False),
        ("text.y", True),
        ("list.y", True),
    ],
)
def test_a_path_that_no_part_names_is_unknown_and_may_be_open(path: str, is_open: bool) -> None:
    wanted = wanted_at(SCHEMA, parse(path))
    assert (wanted.known, wanted.open) == (False, is_open)


def test_formats_are_gathered_from_all_parts() -> None:
    assert wanted_at(SCHEMA, ("all",)).formats == {"date"}
    assert wanted_at({"properties": {"a": {"format": 5}}}, ("a",)).formats == frozenset()


def test_null_is_no_type_of_a_value_and_any_number_includes_integers() -> None:
    assert wanted_at(SCHEMA, ("maybe",)).value_types == {"integer"}
    assert wanted_at(SCHEMA, ("sizes",)).value_types == {"number"}


def test_names_are_known_for_suggestions() -> None:
    assert names_at(SCHEMA, ("deep",)) == ["a", "c"]
    assert names_at(SCHEMA, ("deep", "a")) == ["b"]
    assert names_at(SCHEMA, ("text",)) == []


def test_a_reference_is_followed_in_its_document_only() -> None:
    assert resolve(SCHEMA, "#") is SCHEMA
    assert resolve(SCHEMA, "#/$defs/money") == {"type": "number"}
    assert resolve(SCHEMA, "https://example.com/#/$defs/money") is None
    assert resolve(SCHEMA, "#/$defs/several") is None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "boolean"),
        ("", "string"),
        (1, "integer"),
        (Decimal("1.0"), "number"),
        ([], "array"),
        ({}, "object"),
    ],
)
def test_each_value_has_one_type(value: object, name: str) -> None:
    assert type_of(value) == name
