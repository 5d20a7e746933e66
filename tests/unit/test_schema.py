"""A schema is checked before anything is checked against it, and nothing is ever fetched."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_jobs import schema_of

from batchrun.core.schema import DIALECTS, compile_schema
from batchrun.errors import BadSchema


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(depth):
        made = {"not": made}
    return made


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ([], "holds a list"),
        ("x", "holds text"),
        (None, "holds nothing"),
        (5, "holds a single value"),
        (True, "holds a single value"),
        ({"$schema": "https://example.com/mine"}, "'https://example.com/mine', which is not known"),
        ({"$schema": 5}, "names 5, which is not known"),
        ({"type": "strin"}, "wrong at /type"),
        ({"properties": {"a/b": {"minLength": -1}}}, "wrong at /properties/a~1b/minLength"),
        ({"required": "a"}, "wrong at /required"),
        ({"multipleOf": 0}, "wrong at /multipleOf"),
        ({"pattern": "("}, 'wrong at /pattern: "(" is not a "regex"'),
        ({"pattern": r"\p{L}", "minLength": -1}, "wrong at /minLength: -1 is less than the minimum of 0"),
        ({"patternProperties": {"(": {}}}, "wrong at /patternProperties"),
        ({"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": True}, "wrong at its top"),
        ({"properties": {"a": {"format": "iban"}}}, 'the format "iban" at /properties/a/format is none that can be'),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "cannot be used: Pointer '/$defs/none' does not exist"),
        (nested(400), "nested too deeply"),
        (nested(4_000), "nested too deeply"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_in_one_sentence(document: Any, part: str) -> None:
    with pytest.raises(BadSchema) as raised:
        compile_schema(document, "s.json")
    assert raised.value.message.startswith("s.json: ")
    assert part in raised.value.message
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    "reference", ["http://example.com/s.json", "file:///etc/passwd", "other.json", "other.json#/$defs/a", "/s"]
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_reference_out_of_the_file_is_never_fetched(keyword: str, reference: str) -> None:
    with pytest.raises(BadSchema, match="nothing is ever fetched"):
        compile_schema({"properties": {"a": {"allOf": [{keyword: reference}]}}}, "s.json")


@pytest.mark.parametrize(
    "document",
    [
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}},
        {"$id": "https://x/y", "$ref": "https://x/z", "$defs": {"a": {"$id": "https://x/z", "type": "object"}}},
        {"properties": {"$ref": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"format": "date"}}},
    ],
)
def test_references_inside_the_file_are_followed(document: Any) -> None:
    assert compile_schema(document, "s.json").validator.is_valid({})


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [(r"^\p{L}+$", "Émile", "R2D2"), (r"^(?<year>\d{4})$", "2026", "26"), (r"^\u{1F600}$", "\U0001f600", ":)")],
)
def test_a_pattern_may_hold_what_a_schemas_patterns_may_and_those_of_python_may_not(
    pattern: str, fits: str, does_not: str
) -> None:
    validator = compile_schema({"pattern": pattern}, "s.json").validator
    assert validator.is_valid(fits)
    assert not validator.is_valid(does_not)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_each_known_dialect_is_taken_with_and_without_a_fragment(dialect: str) -> None:
    for name in (dialect, dialect + "#"):
        assert not compile_schema({"$schema": name, "type": "object"}, "s.json").validator.is_valid([])


def test_money_is_checked_as_decimals_for_every_cent() -> None:
    cents = schema_of({"multipleOf": 0.01}).validator
    assert all(cents.is_valid(Decimal(number).scaleb(-2)) for number in range(1, 10_000))
    assert not cents.is_valid(Decimal("19.999"))


def test_formats_are_asserted() -> None:
    assert not schema_of({"format": "date"}).validator.is_valid("31.10.2026")
