"""Control totals can be told apart, and what is said of amounts is said of one of them."""

from __future__ import annotations

from typing import Any

import pytest
from small_jobs import spec_of

from batchrun.core.spec_checks import column_faults, columns_needed
from batchrun.core.spec_faults import build
from batchrun.core.total_checks import no_total, total_faults
from batchrun.model import Summed

SPLIT = {"sum": "Amount", "by": "Currency"}
TRAILER = {"when": {"column": "K", "equals": "TOTAL"}, "rows": "Vendor", "totals": {"Amount EUR": "Amount"}}


def said(found: Any) -> list[str]:
    return [f"{'.'.join(map(str, fault.place))}: {fault.message}" for fault in found]


def test_amounts_are_expected_and_limited_of_control_totals_only() -> None:
    good = spec_of({"a": "A"}, results={"totals": ["Amount"]}, expect={"rows": 2, "totals": {"Amount": "1.50"}})
    assert list(total_faults(good)) == []
    bad = spec_of({"a": "A"}, results={"totals": ["Amount"]}, limits={"total": {"Amout": "1"}, "each": {"Sum": "2"}})
    assert [(fault.place, fault.message) for fault in total_faults(bad)] == [
        (("limits", "total", "Amout"), '"Amout" is no control total; did you mean "Amount"?'),
        (("limits", "each", "Sum"), '"Sum" is no control total; known are "Amount"'),
    ]
    (none,) = total_faults(spec_of({"a": "A"}, expect={"totals": {"Amount": 1}}))
    assert none.message == '"Amount" is no control total; add it to results.totals'


def test_a_split_total_is_named_with_its_value() -> None:
    told = {"Amount EUR": 1, "Amount (no Currency)": 2}
    good = spec_of(
        {"a": "A"},
        results={"totals": [SPLIT, "Fee"]},
        expect={"totals": told},
        limits={"total": told, "each": {"Amount": 1, "Amount USD": 2, "Fee": 3}},
        source={"file": "x", "trailer": TRAILER},
    )
    assert said(total_faults(good)) == []
    bad = spec_of({"a": "A"}, results={"totals": [SPLIT]}, expect={"totals": {"Amount": 1, "Amout EUR": 2, "Fe": 3}})
    assert said(total_faults(bad)) == [
        'expect.totals.Amount: "Amount" is added up by Currency; write which, for example "Amount EUR"',
        'expect.totals.Amout EUR: "Amout EUR" is no control total; did you mean "Amount EUR"?',
        'expect.totals.Fe: "Fe" is no control total; known are "Amount EUR"',
    ]


def test_what_a_trailer_tells_must_be_a_control_total() -> None:
    made = spec_of({"a": "A"}, results={"totals": ["Amount"]}, source={"file": "x", "trailer": TRAILER})
    assert said(total_faults(made)) == [
        'source.trailer.totals.Amount EUR: "Amount EUR" is no control total; did you mean "Amount"?'
    ]


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        (["Amount", "Amount"], '"Amount" comes twice'),
        ([SPLIT, SPLIT], '"Amount" comes twice'),
        ([SPLIT, {"sum": "Amount", "by": "Country"}], '"Amount" is added up by Currency already, and a total has'),
        ([SPLIT, "Amount Net"], 'the totals of "Amount Net" and "Amount" may have the same name'),
        (["Amount Net", SPLIT], 'the totals of "Amount" and "Amount Net" may have the same name'),
    ],
)
def test_totals_that_could_be_mistaken_are_refused(entries: list[Any], told: str) -> None:
    (fault,) = total_faults(spec_of({"a": "A"}, results={"totals": entries}))
    assert fault.place == ("results", "totals", 1)
    assert fault.message.startswith(told)


def test_a_column_may_be_added_up_whole_and_split() -> None:
    assert said(total_faults(spec_of({"a": "A"}, results={"totals": ["Amount", SPLIT, "Amounts"]}))) == []


def test_the_columns_of_totals_and_trailer_must_be_in_the_sheet() -> None:
    trailer = {**TRAILER, "when": {"column": "Kee", "equals": "T"}, "rows": "Vendr", "totals": {"Amount EUR": "Amont"}}
    only_total = {"when": {"column": "K", "equals": "T"}, "totals": {"Amount EUR": "K"}}
    made = spec_of(
        {"a": "K"},
        results={"totals": ["K", {"sum": "Amount", "by": "Curency"}]},
        source={"file": "x", "trailer": trailer},
    )
    assert said(column_faults(made, ["K", "Key", "Amount", "Currency", "Vendor"])) == [
        'results.totals.1.by: unknown column "Curency"; did you mean "Currency"?',
        'source.trailer.when.column: unknown column "Kee"; did you mean "Key"?',
        'source.trailer.rows: unknown column "Vendr"; did you mean "Vendor"?',
        'source.trailer.totals.Amount EUR: unknown column "Amont"; did you mean "Amount"?',
    ]
    assert columns_needed(made) == ("K", "Amount", "Curency", "Kee", "Vendr", "Amont")
    assert columns_needed(spec_of({"a": "K"}, source={"file": "x", "trailer": only_total})) == ("K",)


def test_faults_inside_name_what_is_known_there() -> None:
    def told(**parts: Any) -> list[str]:
        return said(build({**DOCUMENT, **parts})[1])

    assert told(results={"totals": [{"sum": "A", "bye": "C"}]}) == [
        'results.totals.0.bye: unknown key "bye"; did you mean "by"?'
    ]
    assert told(results={"totals": [{"by": "C"}, 5]}) == [
        'results.totals.0.sum: the key "sum" is missing',
        'results.totals.1: "totals[1]" must be text; put it in quotes',
    ]
    assert told(source={"file": "x", "trailer": {"when": {"colum": "K", "equals": "T"}, "row": "K"}}) == [
        'source.trailer.when.column: the key "column" is missing',
        'source.trailer.when.colum: unknown key "colum"; did you mean "column"?',
        'source.trailer.row: unknown key "row"; did you mean "rows"?',
    ]


DOCUMENT = {
    "job": "j",
    "procedure": {"id": "p"},
    "source": {"file": "in.csv"},
    "key": "K",
    "schema": "s.json",
    "data": {"a": "A"},
}


def test_a_name_is_no_total_where_nothing_is_added_up() -> None:
    assert no_total("Amount", []) == '"Amount" is no control total; add it to results.totals'
    assert no_total("Amount", [Summed("Amount", "Currency")], whole_columns=True) is None
