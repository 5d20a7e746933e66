"""Every fault of a spec, all at once, in plain words and with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from small_jobs import document

from batchrun.core.spec_faults import build

DATA: dict[str, Any] = {"a": "A"}
ONE = "a value has exactly one source out of column, value, param and expr; this has "


def faults(**changes: Any) -> list[tuple[tuple[str | int, ...], str]]:
    """Give the faults of a spec with some parts changed; None takes a part out."""
    plain = {name: part for name, part in {**document(DATA), **changes}.items() if part is not None}
    return [(fault.place, fault.message) for fault in build(plain)[1]]


def target(**parts: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return faults(data={**DATA, "b": parts})


@pytest.mark.parametrize("name", ["job", "procedure", "source", "key", "schema", "data"])
def test_what_is_needed_and_missing_is_named(name: str) -> None:
    assert faults(**{name: None}) == [((name,), f'the key "{name}" is missing')]


@pytest.mark.parametrize(
    ("changes", "place", "message"),
    [
        ({"rate": 5}, ("rate",), "5 is not a rate; write it with its time, such as 5/s"),
        ({"rate": Decimal("0.5")}, ("rate",), "0.5 is not a rate; write it with its time, such as 5/s"),
        ({"rate": True}, ("rate",), '"rate" must be text; put it in quotes'),
        ({"rate": "fast"}, ("rate",), '"fast" is not a rate; write for example 5/s, 300/min, 1000/h or unlimited'),
        ({"ratee": "5/s"}, ("ratee",), 'unknown key "ratee"; did you mean "rate"?'),
        ({"schema_file": "x"}, ("schema_file",), 'unknown key "schema_file"; did you mean "schema"?'),
        ({"zzz": 1}, ("zzz",), 'unknown key "zzz"'),
        ({"concurrency": 0}, ("concurrency",), '"concurrency" must be at least 1'),
        ({"concurrency": 257}, ("concurrency",), '"concurrency" must be at most 256'),
        ({"concurrency": "8"}, ("concurrency",), '"concurrency" must be a whole number'),
        ({"key": []}, ("key",), "the key is empty; name the column, or columns, that name a row"),
        ({"key": ""}, ("key", 0), '"key[0]" is empty'),
        ({"key": ["A", 5]}, ("key", 1), '"key[1]" must be text; put it in quotes'),
        ({"key": {"a": 1}}, ("key",), '"key" must be a list'),
        ({"job": "J x"}, ("job",), "\"job\" (it is 'J x') is not written as it must be: ^[a-z0-9][a-z0-9-]*$"),
        ({"job": 5}, ("job",), '"job" must be text; put it in quotes'),
        ({"data": {}}, ("data",), '"data" is empty'),
        ({"data": []}, ("data",), '"data" must have keys below it'),
        ({"results": "x"}, ("results",), '"results" must have keys below it'),
        ({"results": {"totls": "A"}}, ("results", "totls"), 'unknown key "totls"; did you mean "totals"?'),
        ({"review": {"four_eyes": "yes"}}, ("review", "four_eyes"), '"four_eyes" must be true or false'),
        ({"review": {"eyes": 4}}, ("review", "eyes"), 'unknown key "eyes"; did you mean "four_eyes"?'),
        ({"once_per": [1]}, ("once_per", 0), '"once_per[0]" must be text; put it in quotes'),
        ({"params": {"p": 5}}, ("params", "p"), '"p" must have keys below it'),
        ({"params": {"p": {"defalt": 1}}}, ("params", "p", "defalt"), 'unknown key "defalt"; did you mean "default"?'),
        (
            {"params": {"p": {"pattern": "("}}},
            ("params", "p", "pattern"),
            "the pattern is no regular expression: missing ), unterminated subpattern at position 0",
        ),
        (
            {"params": {"a b": {}}},
            ("params", "a b"),
            "\"a b\" (it is 'a b') is not written as it must be: ^[A-Za-z_][A-Za-z0-9_-]*$",
        ),
        ({"source": "in.csv"}, ("source",), '"source" must have keys below it'),
        ({"source": {"file": "x", "sheet": True}}, ("source", "sheet"), "the sheet is a name or a number"),
        (
            {"source": {"file": "x", "delimiter": ";;"}},
            ("source", "delimiter"),
            '"delimiter" must be a single character',
        ),
        (
            {"source": {"file": "x", "hidden_rows": "hide"}},
            ("source", "hidden_rows"),
            "\"hidden_rows\" must be 'include', 'skip' or 'refuse' (it is 'hide')",
        ),
        (
            {"procedure": {"id": "p", "mode": "sync", "timeout": 60}},
            ("procedure", "timeout"),
            "60 is not a duration; write it with its unit, such as 60s",
        ),
        (
            {"procedure": {"id": "p", "mode": "sync", "timeout": "6m"}},
            ("procedure", "timeout"),
            "the timeout must be from 1s to 300s",
        ),
        ({"procedure": {"id": "p", "timeout": "9s"}}, ("procedure",), "a timeout goes with mode: sync only"),
        (
            {"procedure": {"id": "p", "mode": "syn", "timeout": "9s"}},
            ("procedure", "mode"),
            "\"mode\" must be 'async' or 'sync' (it is 'syn')",
        ),
        (
            {"procedure": {"id": "p", "not_run": [200]}},
            ("procedure", "not_run"),
            "not_run takes statuses from 400 to 599",
        ),
        (
            {"procedure": {"id": "p", "not_run": ["503"]}},
            ("procedure", "not_run", 0),
            '"not_run[0]" must be a whole number',
        ),
    ],
)
def test_a_fault_is_one_line_in_plain_words(changes: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    assert faults(**changes) == [(place, message)]


@pytest.mark.parametrize(
    ("parts", "place", "message"),
    [
        ({}, ("data", "b"), ONE + "none"),
        ({"column": "A", "value": 1}, ("data", "b"), ONE + "column and value"),
        ({"column": None}, ("data", "b"), "column is empty; fill it in"),
        ({"colum": "A"}, ("data", "b", "colum"), 'unknown key "colum"; did you mean "column"?'),
        ({"column": ["A"]}, ("data", "b", "column"), '"column" must be text; put it in quotes'),
        (
            {"column": "A", "default": 1, "blank": "omit"},
            ("data", "b"),
            "default and blank say two things about an empty cell; keep one of them",
        ),
        (
            {"column": "A", "blank": "nul"},
            ("data", "b", "blank"),
            "\"blank\" must be 'omit', 'null' or 'error' (it is 'nul')",
        ),
        (
            {"column": "A", "decimal": ",", "thousands": ","},
            ("data", "b"),
            "decimal (a point where none is given) and thousands cannot be the same sign",
        ),
        (
            {"column": "A", "thousands": "."},
            ("data", "b"),
            "decimal (a point where none is given) and thousands cannot be the same sign",
        ),
        (
            {"value": 1, "map": {}, "blank": "omit"},
            ("data", "b"),
            "blank and map can only be used with a column or an expr",
        ),
        ({"expr": "x", "split": ";"}, ("data", "b"), "split goes with a column; an expr can use .split() itself"),
        ({"column": "A", "blank_values": "NA"}, ("data", "b", "blank_values"), '"blank_values" must be a list'),
    ],
)
def test_a_fault_of_a_target_is_one_line(parts: dict[str, Any], place: tuple[str, ...], message: str) -> None:
    assert target(**parts) == [(place, message)]


def test_all_faults_are_told_together_whatever_hides_behind_another() -> None:
    found = faults(
        rate=5,
        ratee="5/s",
        key=[],
        procedure={"id": "a/b", "mood": "x", "not_run": ["x"]},
        data={"a": {"column": "A", "typ": "date", "value": 1}, "b": {"column": "B", "decimal": ";"}},
        results={"totals": [""]},
    )
    assert {place for place, _ in found} == {
        ("rate",),
        ("ratee",),
        ("key",),
        ("procedure", "id"),
        ("procedure", "mood"),
        ("procedure", "not_run", 0),
        ("data", "a", "typ"),
        ("data", "b", "decimal"),
        ("results", "totals", 0),
        ("data", "a"),
    }


def test_nothing_is_called_empty_or_missing_because_its_fault_was_taken_out() -> None:
    assert faults(data={"a": {"column": "A", "value": 1}}) == [(("data", "a"), ONE + "column and value")]
    assert faults(procedure=5) == [(("procedure",), '"procedure" must have keys below it')]


def test_faults_of_what_is_optional_leave_a_model_that_can_be_checked_further() -> None:
    made, found = build(document({**DATA, "b": {"value": 1, "column": "B"}}, rate=5, simulate=7))
    assert made is not None
    assert (list(made.data), made.rate, made.simulate, len(found)) == (["a"], "5/s", {}, 3)


def test_the_document_itself_is_left_as_it_was() -> None:
    plain = document(DATA, rate=5)
    build(plain)
    assert plain == document(DATA, rate=5)
