"""The data of many groups at once is what each group's would be, whatever shape the targets and the gaps have."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from small_jobs import job

from batchrun.core import groups
from batchrun.core.groups_together import Together
from batchrun.model import Cell, SourceRow

ANYTHING: dict[str, Any] = {"type": "object"}
COLUMNS = ("Who", "City", "SKU", "Qty")
OMITTED = {"column": "City", "blank": "omit"}
TEXT = {"type": "string"}
THINGS = {
    "type": "object",
    "properties": {
        "k": TEXT,
        "who": {"type": "object", "properties": {"name": TEXT, "city": TEXT}},
        "cities": {"type": "array", "items": TEXT},
        "tags": {"type": "array", "items": TEXT},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": TEXT,
                    "qty": TEXT,
                    "more": {"type": "object", "properties": {"city": TEXT, "tag": TEXT}},
                    "cities": {"type": "array", "items": TEXT},
                },
            },
        },
    },
}


def data_of(data: Mapping[str, Any], *rows: Sequence[Cell]) -> list[Any]:
    """Give the payloads of a sheet's groups, which are what each one alone has."""
    preparer = job(data, COLUMNS, THINGS, group_by="K")
    members: dict[Cell, list[SourceRow]] = {}
    for number, cells in enumerate(rows, 2):
        members.setdefault(cells[0], []).append(SourceRow(number, tuple(cells)))
    together = list(Together(preparer).prepared([(of_group, None) for of_group in members.values()]))
    assert together == [groups.prepared(preparer, of_group, None) for of_group in members.values()]
    return [json.loads(one[0].payload or b"null") for one in together]


def test_an_object_and_the_items_of_a_list_are_laid_out_for_all_groups() -> None:
    data = {"k": "K", "who.name": "Who", "lines[].sku": "SKU", "who.city": "City", "lines[].qty": "Qty"}
    assert data_of(data, ["a", "X", "Rom", "s1", "1"], ["b", "Y", "Ulm", "s2", "2"], ["a", "X", "Rom", "s3", "3"]) == [
        {
            "k": "a",
            "who": {"name": "X", "city": "Rom"},
            "lines": [{"sku": "s1", "qty": "1"}, {"sku": "s3", "qty": "3"}],
        },
        {"k": "b", "who": {"name": "Y", "city": "Ulm"}, "lines": [{"sku": "s2", "qty": "2"}]},
    ]


def test_items_that_are_single_values_are_laid_out() -> None:
    assert data_of({"k": "K", "tags[]": "SKU"}, ["a", "", "", "s1", ""], ["a", "", "", "s2", ""]) == [
        {"k": "a", "tags": ["s1", "s2"]}
    ]


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        ({"cities[0]": "City", "k": "K", "lines[].sku": "SKU"}, {"cities": ["Rom"], "k": "a"}),
        ({"lines[].cities[0]": "City", "lines[].sku": "SKU"}, {}),
    ],
)
def test_places_of_a_list_are_laid_out_group_by_group(data: dict[str, Any], payload: dict[str, Any]) -> None:
    (found,) = data_of(data, ["a", "X", "Rom", "s1", "1"], ["a", "X", "Rom", "s2", "2"])
    lines = [{"sku": "s1"}, {"sku": "s2"}]
    if not payload:
        lines = [{"cities": ["Rom"], **line} for line in lines]
    assert found == {**payload, "lines": lines}


def test_what_is_left_out_behind_another_value_is_taken_out() -> None:
    data = {
        "who.name": "Who",
        "who.city": OMITTED,
        "lines[].sku": "SKU",
        "lines[].more.tag": "Qty",
        "lines[].more.city": OMITTED,
    }
    assert data_of(data, ["a", "X", "", "s1", "1"], ["a", "X", "", "s2", "2"], ["b", "Y", "Ulm", "s3", "3"]) == [
        {"who": {"name": "X"}, "lines": [{"sku": "s1", "more": {"tag": "1"}}, {"sku": "s2", "more": {"tag": "2"}}]},
        {"who": {"name": "Y", "city": "Ulm"}, "lines": [{"sku": "s3", "more": {"tag": "3", "city": "Ulm"}}]},
    ]


def test_an_object_of_which_the_first_value_is_left_out_stands_where_the_next_one_does() -> None:
    data = {"who.city": OMITTED, "k": "K", "lines[].more.city": OMITTED, "lines[].sku": "SKU", "who.name": "Who"}
    rows = (["a", "X", "", "s1", "1"], ["b", "Y", "Ulm", "s2", "2"])
    found = data_of(data, *rows)
    assert found == [
        {"k": "a", "lines": [{"sku": "s1"}], "who": {"name": "X"}},
        {"who": {"city": "Ulm", "name": "Y"}, "k": "b", "lines": [{"more": {"city": "Ulm"}, "sku": "s2"}]},
    ]
    assert [list(one) for one in found] == [["k", "lines", "who"], ["who", "k", "lines"]]
