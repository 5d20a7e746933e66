"""A schema's fields are found wherever they stand, with what is required and which words are allowed."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.core import targets
from batchrun.core.schema_leaves import DEEPEST, MOST, Leaf, leaves


def found(schema: dict[str, Any], places: int = 1) -> dict[str, Leaf]:
    return {leaf.target: leaf for leaf in leaves(schema, places)}


def an_object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TEXT = {"type": "string"}


def test_objects_and_lists_are_gone_into() -> None:
    line = {"type": "array", "items": an_object(sku=TEXT, tags={"type": "array", "items": TEXT})}
    fields = found(an_object(payee=an_object(iban=TEXT), lines=line, free={"type": "object"}), places=2)
    assert list(fields) == [
        *("payee.iban", "lines[0].sku", "lines[0].tags", "lines[1].sku", "lines[1].tags", "free"),
    ]
    assert [leaf.is_list for leaf in fields.values()] == [False, False, True, False, True, False]


def test_required_holds_along_the_whole_path_and_in_a_lists_first_place() -> None:
    inner = {**an_object(name=TEXT, note=TEXT), "required": ["name"]}
    people = {"type": "array", "items": inner}
    schema = {**an_object(payee=inner, agent=inner, people=people), "required": ["payee", "people"]}
    required = [target for target, leaf in found(schema, 2).items() if leaf.required]
    assert required == ["payee.name", "people[0].name"]


def test_what_only_a_branch_requires_is_not_required() -> None:
    schema = {
        **an_object(a=TEXT, b={"$ref": "#/$defs/b"}),
        "allOf": [{"required": ["b"]}],
        "anyOf": [{"required": ["a"]}, True],
        "$defs": {"b": {"enum": ["x", "y"], "description": " of\n two "}},
    }
    fields = found(schema)
    assert not fields["a"].required
    assert fields["b"].required
    assert fields["b"].words == ("x", "y")
    assert fields["b"].description == "of two"


def test_a_const_is_the_only_word() -> None:
    assert found(an_object(a={"const": "x"}, b={"enum": ["x"], "const": "x", "description": 3}))["b"].words == ("x",)


def test_a_schema_without_fields_has_none() -> None:
    assert found({"type": "object"}) == {}
    assert found(an_object(**{"": TEXT})) == {}


def test_schemas_that_go_round_end() -> None:
    node = an_object(name=TEXT, child={"$ref": "#"}, children={"type": "array", "items": {"$ref": "#"}})
    assert max(len(leaf.path) for leaf in leaves(node)) <= DEEPEST + 1
    assert found({"$ref": "#"}) == {}
    assert len(leaves(an_object(**{f"f{place}": TEXT for place in range(600)}))) == MOST


@pytest.mark.parametrize(
    "text", ["a", "payee.iban", "lines[0].sku", "lines[].sku", r"a\.b.c\[0\]", r"back\\slash[1][2]"]
)
def test_a_path_is_written_as_it_is_parsed(text: str) -> None:
    assert targets.written(targets.parse(text)) == text
