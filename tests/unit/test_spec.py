"""The job spec's model: one declaration gives parsing, faults and the JSON Schema for editors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from small_jobs import document, spec_of

from batchrun.core.spec import DEFAULT_CONCURRENCY, JobSpec, Target, json_schema
from batchrun.core.spec_faults import build
from batchrun.core.spec_types import is_amount
from batchrun.model import Summed

DATA: dict[str, Any] = {"a": "A"}


def test_a_short_spec_has_safe_defaults() -> None:
    made = spec_of(DATA)
    assert (made.per_second, made.concurrency, made.key, made.once_per) == (5.0, DEFAULT_CONCURRENCY, ("K",), ())
    assert (made.procedure.mode, made.procedure.timeout_ms, made.procedure.repeatable) == ("async", None, False)
    assert (made.source.double_read, made.source.max_bytes, made.review.four_eyes) == (True, None, False)
    assert made.schema_file == "s.json"


def test_a_plain_string_names_a_column_and_lists_may_be_one_name() -> None:
    made = spec_of({"a": "A", "b": {"value": None}}, key=["K", "L"], results={"totals": "A", "output": ["x"]})
    assert made.data["a"] == Target(column="A")
    assert [target.source for target in made.data.values()] == ["column", "value"]
    assert (made.key, made.results.summed, made.results.output) == (("K", "L"), (Summed("A"),), ("x",))


def test_a_control_total_may_be_split_by_another_column() -> None:
    split = {"sum": "Amount ", "by": "Currency"}
    for given in (split, [split], ["Fee", split], {"sum": "Fee"}):
        made = spec_of({"a": "A"}, results={"totals": given}).results.summed
        assert set(made) <= {Summed("Amount", "Currency"), Summed("Fee")}


def test_a_trailer_tells_something() -> None:
    made, faults = build(document({"a": "A"}, source={"file": "x", "trailer": {"when": {"column": "K", "equals": 99}}}))
    assert made is not None and made.source.trailer is None
    assert [fault.message for fault in faults] == [
        "a trailer tells how many rows there are, or their totals; add rows: or totals:"
    ]


@pytest.mark.parametrize(
    "amount", ["nan", "Infinity", "-inf", "12,50", "", "1_000", "1e3", "1e999999999", "٢٥", "9" * 101]
)
def test_what_cannot_be_compared_is_no_amount(amount: str) -> None:
    _, faults = build(document({"a": "A"}, expect={"totals": {"A": amount}}))
    assert [fault.message for fault in faults] == [f'"{amount}" is no amount; write it as 48210.55']


@pytest.mark.parametrize("amount", ["48210.55", "+48210.55", "-5", "0", ".5", "5.", " 12.50 "])
def test_an_amount_that_a_person_writes_out_is_one(amount: str) -> None:
    assert is_amount(amount)


def test_a_sheet_is_named_or_numbered_and_statuses_may_mean_not_run() -> None:
    for sheet in ("Payouts", 2, None):
        assert spec_of(DATA, source={"file": "x", "sheet": sheet}).source.sheet == sheet
    assert spec_of(DATA, procedure={"id": "p", "not_run": [503]}).procedure.not_run == (503,)


@pytest.mark.parametrize("name", ["Montant payé", "Montant paye\u0301", "Montant\u00a0payé", " Montant payé "])
def test_a_columns_name_is_compared_trimmed_and_composed_as_headers_are(name: str) -> None:
    made = spec_of({"a": name, "b": {"column": name, "blank": "null"}}, key=name, results={"totals": [name]})
    assert {
        *made.key,
        *(one.column for one in made.results.summed),
        *(target.column for target in made.data.values()),
    } == {"Montant payé"}


@pytest.mark.parametrize(("text", "size"), [("5MB", 5 * 10**6), ("2 GB", 2 * 10**9)])
def test_a_size_is_a_number_of_bytes(text: str, size: int) -> None:
    assert spec_of(DATA, source={"file": "x", "max_size": text}).source.max_bytes == size


def test_a_sync_run_may_have_a_timeout() -> None:
    assert spec_of(DATA, procedure={"id": "p", "mode": "sync", "timeout": "1500ms"}).procedure.timeout_ms == 1500
    assert spec_of(DATA, procedure={"id": "p", "mode": "sync"}).procedure.timeout_ms is None


@pytest.mark.parametrize(
    ("default", "text"), [("2026-10", "2026-10"), (7, "7"), (Decimal("1.50"), "1.50"), (Decimal("1.5E+3"), "1500")]
)
def test_a_params_default_is_text_as_it_is_written(default: object, text: str) -> None:
    assert spec_of(DATA, params={"p": {"default": default}}).params["p"].default == text


def test_a_default_of_null_is_a_default() -> None:
    assert Target(column="A", default=None).has_default
    assert not Target(column="A").has_default


GOOD: list[dict[str, Any]] = [
    document(DATA),
    document({"a": {"expr": "1"}, "b": {"value": [1]}, "c": {"column": "C", "blank": None}}, key=["K"], rate="300/min"),
    document(
        DATA, params={"p": {"pattern": "x", "default": 5}}, procedure={"id": "p", "mode": "sync", "timeout": "9s"}
    ),
]
WRONG: list[dict[str, Any]] = [
    {},
    document({}),
    document({"a": {"column": "A", "value": 1}}),
    document({"a": {}}),
    document(DATA, ratee="5/s"),
    document(DATA, rate=5),
    document(DATA, schema_file="x"),
    document(DATA, source={"file": "x", "sheet": True}),
    document(DATA, job="Not A Slug"),
]


@pytest.mark.parametrize("plain", GOOD)
def test_what_the_model_takes_the_editors_schema_takes(plain: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(json_schema())
    assert Draft202012Validator(json_schema()).is_valid(plain)
    JobSpec.model_validate(plain)


@pytest.mark.parametrize("plain", WRONG)
def test_what_the_model_refuses_the_editors_schema_refuses(plain: dict[str, Any]) -> None:
    assert not Draft202012Validator(json_schema()).is_valid(plain)
    with pytest.raises(ValueError, match="validation error"):
        JobSpec.model_validate(plain)


def test_an_amount_that_is_none_is_a_fault_and_numbers_of_yaml_are_amounts() -> None:
    _, faults = build(document({"a": "A"}, limits={"each": {"Amount": "many"}}))
    assert [fault.message for fault in faults] == ['"many" is no amount; write it as 48210.55']
    assert spec_of({"a": "A"}, limits={"each": {"Amount": Decimal("20000.50")}}).limits.each == {"Amount": "20000.50"}


KEY = "ed25519:yaiFg1FUn8/hR5eICgNSBVnWi1S5FWJly3/D/4/VSyo="


def test_approvers_are_people_with_public_keys() -> None:
    assert spec_of(DATA, approval="signed", approvers={"Ana Müller": KEY}).approvers == {"Ana Müller": KEY}
    assert spec_of(DATA).approvers is None


@pytest.mark.parametrize(
    ("approvers", "said"),
    [
        ({"ana": "ed25519:short"}, "no public key"),
        ({"": KEY}, "cannot approve"),
        ({"ana": KEY, "ANA": KEY}, "stands twice"),
        ({}, "is empty"),
    ],
)
def test_an_approver_without_a_name_or_a_key_is_a_fault(approvers: dict[str, str], said: str) -> None:
    _, faults = build(document(DATA, approvers=approvers))
    assert [said in fault.message for fault in faults] == [True], faults
