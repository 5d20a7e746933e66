"""A payload against its schema: every no in words, traced to its cell, and nothing that merely follows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_jobs import fields, job, prepared, told, value_through

from batchrun.model import Cell, Number

TEXT = {"type": "string"}


def text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def number(**more: Any) -> dict[str, Any]:
    return {"type": "number", **more}


@pytest.mark.parametrize(
    ("wanted", "cell", "said"),
    [
        ({"type": ["integer", "string"]}, Number(Decimal("1.5")), "type: a whole number or text is expected"),
        (text(const="X"), "a", "const: must be X"),
        (text(enum=["a", "b"]), "c", "enum: must be one of a, b"),
        (text(enum=["a"]), "c", "enum: must be a"),
        (
            text(enum=[str(number) for number in range(12)]),
            "x",
            "enum: must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
        ),
        ({"enum": [1.5, True, None, []]}, Number(Decimal(3)), "enum: must be one of 1.5, true, None, a list"),
        (text(minLength=2), "a", "min-length: at least 2 characters; this has 1"),
        (text(maxLength=1), "äö", "max-length: at most 1 character; this has 2"),
        (text(pattern=r"^\d+$"), "x", r"pattern: not written as the schema asks, by the pattern ^\d+$"),
        (text(format="email"), "x", "format: not written as an email"),
        (text(format="uuid"), "x", "format: not written as a uuid"),
        (number(minimum=5), "1.10", "minimum: must be 5 or more"),
        (number(maximum=0.5), "1", "maximum: must be 0.5 or less"),
        (number(exclusiveMinimum=1), "1", "exclusive-minimum: must be more than 1"),
        (number(exclusiveMaximum=1), "1", "exclusive-maximum: must be less than 1"),
        (number(multipleOf=0.01), "1.001", "multiple-of: at most 2 decimals; this is 1.001"),
        (number(multipleOf=0.1), "1.01", "multiple-of: at most 1 decimal; this is 1.01"),
        (number(multipleOf=0.05), "1.01", "multiple-of: must be a multiple of 0.05; this is 1.01"),
        (number(multipleOf=10), "1", "multiple-of: must be a multiple of 10; this is 1"),
        ({"type": "integer", "maximum": 5}, "9" * 30, "maximum: must be 5 or less"),
        ({"not": {"const": "a"}}, "a", "not: the schema does not allow this value"),
        (False, "a", "false-schema: the schema allows nothing here"),
        ({"anyOf": [text(maxLength=1), {"type": "null"}]}, "ab", "max-length: at most 1 character; this has 2"),
        ({"oneOf": [{"const": "a"}, {"const": "b"}]}, "c", "enum: must be one of a, b"),
        ({"if": TEXT, "then": {"maxLength": 1}}, "ab", "max-length: at most 1 character; this has 2"),
        (text(enum=["a"], minLength=5, pattern="^x"), "c", "enum: must be a"),
        ({"type": ["string", "number"], "const": 1.50}, Number(Decimal("1.60")), "const: must be 1.5"),
        (text(minLength=3, pattern="^x"), "c", "min-length: at least 3 characters; this has 1"),
    ],
)
def test_each_no_is_said_in_words(wanted: Any, cell: Cell, said: str) -> None:
    assert value_through("A", wanted, cell) == f"schema-{said}"


@pytest.mark.parametrize(
    ("cell", "shown"),
    [("19.90", "19.90"), ("12345678901234567.89", "12345678901234567.89"), ("0.00000010", "0.00000010")],
)
def test_a_refused_number_is_shown_as_the_sheet_has_it(cell: str, shown: str) -> None:
    (problem,) = prepared(job({"v": "A"}, "A", fields(v=number(multipleOf=7, maximum=1e30))), cell).problems
    assert (problem.value, problem.message) == (shown, f"must be a multiple of 7; this is {shown}")
    (problem,) = prepared(job({"v": "A"}, "A", fields(v=number(exclusiveMinimum=1e-7))), "0.0000001").problems
    assert problem.message == "must be more than 0.0000001"


def test_a_pattern_that_backtracks_for_ever_is_stopped_and_says_so() -> None:
    slow = text(pattern=r"^(?:(?=a)a|a)*$")
    assert value_through("A", slow, "a" * 200 + "b") == (
        "schema-pattern: the schema's pattern takes too long on this value; it was stopped"
    )


@pytest.mark.parametrize(
    ("wanted", "cell", "said"),
    [
        ({"minItems": 2}, "a", "min-items: at least 2 items; this has 1"),
        ({"maxItems": 1}, "a;b", "max-items: at most 1 item; this has 2"),
        ({"uniqueItems": True}, "a;a", "unique-items: an item comes twice"),
        ({"contains": {"const": "x"}}, "a", "contains: the list does not hold what the schema asks for"),
        ({"contains": TEXT, "maxContains": 1}, "a;a", "contains: the list does not hold what the schema asks for"),
        ({"items": text(maxLength=1)}, "a;bc", "max-length: at most 1 character; this has 2"),
        ({"prefixItems": [TEXT], "items": False}, "a;b", "false-schema: the schema allows nothing here"),
        (
            {"prefixItems": [TEXT], "unevaluatedItems": False},
            "a;b",
            "unevaluated-items: Unevaluated items are not allowed ('\"b\"' was unexpected)",
        ),
    ],
)
def test_lists_are_told_of_in_words(wanted: Any, cell: Cell, said: str) -> None:
    assert value_through({"column": "A", "split": ";"}, {"type": "array", **wanted}, cell) == f"schema-{said}"


def problems(data: Any, schema: Any, *cells: Cell) -> list[tuple[str, str | None, str, str]]:
    return told(prepared(job(data, "ABC"[: len(cells)], schema), *cells))


def test_an_item_is_named_by_its_place() -> None:
    data = {"v": {"column": "A", "split": ";"}}
    schema = fields(v={"type": "array", "items": text(maxLength=1)})
    assert [where[1] for where in problems(data, schema, "a;bc;d;ef")] == ["/v/1", "/v/3"]


def test_what_is_required_names_the_empty_cell_or_says_that_nothing_maps_it() -> None:
    schema = {**fields(a=TEXT, b=fields(c=TEXT)), "required": ["a", "b", "z"]}
    assert problems({"a": "A", "b.c": "B"}, schema, "", "") == [
        ("in.csv!B2", "/a", "schema-required", "a value is required here, and A is empty"),
        ("in.csv!C2", "/b", "schema-required", "a value is required here, and B is empty"),
        ("in.csv!2", "/z", "schema-required", 'the schema requires "z", and the job does not map it'),
    ]


def test_an_object_that_lacks_a_field_is_not_called_an_empty_cell() -> None:
    data = {"a": {"expr": '{"x": {"y": row["A"]}}'}}
    schema = fields(a={"type": "object", "properties": {"x": {"required": ["z"]}}})
    assert problems(data, schema, "filled") == [
        ("in.csv!B2", "/a/x/z", "schema-required", 'the schema requires "z", and what A gives does not hold it')
    ]


@pytest.mark.parametrize(
    ("wanted", "path", "said"),
    [
        ({"properties": {"y": {}}, "additionalProperties": False}, "/v/x", 'the schema does not know "x"'),
        ({"unevaluatedProperties": False}, "/v/x", 'the schema does not know "x"'),
        ({"maxProperties": 0}, "/v", "at most 0 fields; this has 1"),
        ({"minProperties": 2}, "/v", "at least 2 fields; this has 1"),
        ({"propertyNames": {"maxLength": 0}}, "/v", '"x" is longer than 0 characters'),
        ({"dependentRequired": {"x": ["z"]}}, "/v/z", 'the schema requires "z", and what A gives does not hold it'),
    ],
)
def test_objects_are_told_of_in_words(wanted: Any, path: str, said: str) -> None:
    data = {"v": {"expr": '{"x": row["A"]}'}}
    ((cell, where, _, message),) = problems(data, fields(v={"type": "object", **wanted}), "a")
    assert (cell, where, message) == ("in.csv!B2", path, said)


def test_a_rule_for_the_whole_payload_names_the_row() -> None:
    ((cell, path, _, message),) = problems({"a": "A"}, {**fields(a=TEXT), "minProperties": 2}, "x")
    assert (cell, path, message) == ("in.csv!2", "", "at least 2 fields; this has 1")


PAY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["iban", "us"]},
        "currency": TEXT,
        "iban": TEXT,
    },
    "oneOf": [
        {"properties": {"kind": {"const": "us"}}},
        {"properties": {"kind": {"const": "iban"}, "currency": {"enum": ["EUR"]}}, "required": ["iban"]},
    ],
}
BY_CELL = {"kind": "A", "currency": "B", "iban": "C"}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("iban", "USD", "DE1"), [("in.csv!C2", "/currency", "schema-enum", "must be EUR")]),
        (
            ("iban", "EUR", ""),
            [("in.csv!D2", "/iban", "schema-required", "a value is required here, and C is empty")],
        ),
        (("us", "USD", ""), []),
        (("x", "EUR", ""), [("in.csv!B2", "/kind", "schema-enum", "must be one of iban, us")]),
    ],
)
def test_one_of_is_explained_by_the_branch_whose_discriminator_matches(
    cells: tuple[str, ...], expected: list[tuple[str, str, str, str]]
) -> None:
    assert problems(BY_CELL, PAY, *cells) == expected


def test_without_a_discriminator_the_nearest_branch_explains() -> None:
    schema = fields(
        v={"anyOf": [{"type": "integer", "maximum": 5}, {"type": "string", "maxLength": 3, "format": "date"}]}
    )
    assert problems({"v": "A"}, schema, "1234") == [("in.csv!B2", "/v", "schema-type", "a whole number is expected")]


def test_constants_at_several_places_are_no_discriminator() -> None:
    branches = [
        {"properties": {"a": {"const": "x"}, "b": {"const": "y"}}},
        {"properties": {"a": {"const": "p"}}},
    ]
    schema = {**fields(a=TEXT, b=TEXT), "oneOf": branches}
    assert problems({"a": "A", "b": "B"}, schema, "q", "q") == [("in.csv!B2", "/a", "schema-const", "must be p")]


def test_one_line_a_cause_and_nothing_that_follows_from_a_bad_cell() -> None:
    schema = {**fields(a=number(multipleOf=0.01), b=TEXT), "required": ["a", "b"], "minProperties": 2}
    assert problems({"a": "A", "b": "B"}, schema, "x", "y") == [("in.csv!B2", "/a", "not-a-number", "not a number")]


BAD = {"column": "A", "map": {"I": "iban", "U": "us"}}
IF = {"properties": {"kind": {"const": "iban"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"if": IF, "then": {"required": ["iban"]}},
        {"if": {**IF, "required": ["kind"]}, "else": {"required": ["iban"]}},
        {"allOf": [{"if": IF, "then": {"required": ["iban"]}}]},
        {
            "$ref": "#/$defs/rule",
            "$defs": {"rule": {"if": {"$ref": "#/$defs/is"}, "then": {"required": ["iban"]}, "$defs": {}}, "is": IF},
        },
        {"oneOf": [{**IF, "required": ["iban"]}, {"properties": {"kind": {"const": "us"}}, "required": ["routing"]}]},
        {"anyOf": [{**IF, "required": ["kind", "iban"]}, {"required": ["kind", "routing"]}]},
    ],
)
def test_a_condition_on_a_bad_cell_adds_nothing(schema: dict[str, Any]) -> None:
    whole = {"type": "object", "properties": {"kind": TEXT, "iban": TEXT}, **schema}
    found = problems({"kind": BAD, "iban": "B"}, whole, "?", "")
    assert [(cell, code) for cell, _, code, _ in found] == [("in.csv!B2", "not-in-map")]


@pytest.mark.parametrize("cells", [("I", "", "5"), ("I", "", "x")])
def test_a_condition_on_other_cells_is_still_told(cells: tuple[str, ...]) -> None:
    schema = fields(kind=TEXT, iban=TEXT, amount={"type": "integer"})
    whole = {**schema, "if": IF, "then": {"required": ["iban"]}}
    found = problems({"kind": BAD, "iban": "B", "amount": "C"}, whole, *cells)
    assert ("in.csv!C2", "schema-required") in [(cell, code) for cell, _, code, _ in found]


def nested(schema: dict[str, Any]) -> dict[str, Any]:
    inner = {"type": "object", "properties": {"kind": TEXT, "iban": TEXT}, **schema}
    return fields(list={"type": "array", "items": inner}, payee=inner)


def test_a_condition_inside_an_object_or_a_list_looks_at_its_own_place_only() -> None:
    schema = nested({"if": IF, "then": {"required": ["iban"]}})
    data = {"payee.kind": BAD, "payee.iban": "B", "list[0].kind": "C", "list[0].iban": "B"}
    found = problems(data, schema, "?", "", "iban")
    assert [(cell, path) for cell, path, _, _ in found] == [("in.csv!B2", "/payee/kind"), ("in.csv!C2", "/list/0/iban")]


def test_conditions_are_followed_through_every_kind_of_place() -> None:
    rule = {"if": IF, "then": {"required": ["iban"]}}
    inner = {"type": "object", "properties": {"kind": TEXT, "iban": TEXT}, **rule}
    schema = {
        "type": "object",
        "properties": {"t": {"prefixItems": [inner]}, "m": {"type": "object", "additionalProperties": inner}},
        "dependentSchemas": {"m": {"allOf": [{"patternProperties": {"^p": inner}}]}},
    }
    data = {"t[0].kind": BAD, "m.x.kind": BAD, "p.kind": {**BAD, "type": "string"}, "t[0].iban": "B", "m.x.iban": "B"}
    found = problems(data, schema, "?", "")
    assert {code for _, _, code, _ in found} == {"not-in-map"}


def test_a_condition_without_names_is_told_all_the_same() -> None:
    schema = {**fields(a={"type": "integer"}, b=TEXT), "if": True, "then": {"required": ["b"]}}
    found = problems({"a": "A", "b": "B"}, schema, "x", "")
    assert [code for _, _, code, _ in found] == ["not-a-number", "schema-required"]
