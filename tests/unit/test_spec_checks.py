"""Names that must meet: columns, params, paths, expressions, zones and forms of dates."""

from __future__ import annotations

from typing import Any

import pytest
from small_jobs import fields, spec_of

from batchrun.core.spec_checks import (
    column_faults,
    columns_needed,
    expression_faults,
    file_faults,
    fill_params,
    key_is_in_payload,
    param_faults,
    param_values,
    params_in,
    schema_faults,
    target_faults,
)

DATA: dict[str, Any] = {"a": "A"}
PERIOD = {"period": {"pattern": r"\d{4}-\d{2}", "default": "2026-10"}}


def said(found: Any) -> list[str]:
    return [f"{'.'.join(map(str, fault.place))}: {fault.message}" for fault in found]


def test_params_are_put_into_file_names_and_unknown_ones_stay() -> None:
    assert fill_params("a-{period}-{x}.csv", {"period": "2026-10"}) == "a-2026-10-{x}.csv"
    assert params_in("a-{period}-{x}-{}.csv") == ["period", "x", ""]


def test_a_param_has_its_given_value_or_its_default() -> None:
    made = spec_of(DATA, params={**PERIOD, "who": {}})
    assert param_values(made, {"who": "me"}) == ({"period": "2026-10", "who": "me"}, [])
    values, faults = param_values(made, {"period": "2026-1", "perod": "x"})
    assert values == {}
    assert said(faults) == [
        'params: --param perod: the job has no such param; did you mean "period"?',
        r'params.period: "2026-1" does not match the pattern \d{4}-\d{2}',
        "params.who: the param is not given; add --param who=VALUE",
    ]


def test_a_default_must_match_its_own_pattern() -> None:
    made = spec_of(DATA, params={"p": {"pattern": "x", "default": "y\n"}})
    assert said(param_values(made, {})[1]) == ['params.p: "y\n" does not match the pattern x']


@pytest.mark.parametrize("value", ["../x", "a/b", "a\\b", "..", "a..b", "", "a b", "C:", "a\n", "~", "ä"])
def test_a_param_in_a_file_name_cannot_lead_elsewhere(value: str) -> None:
    made = spec_of(DATA, params={"p": {}}, source={"file": "in-{p}.csv"}, results={"file": "out-{p}.xlsx"})
    assert [fault.place for fault in file_faults(made, {"p": value})] == [("source", "file"), ("results", "file")]
    assert said(file_faults(made, {"p": "2026-10_a.b"})) == []
    assert said(file_faults(made, {})) == []


def test_a_file_name_with_an_unknown_param_is_a_fault() -> None:
    made = spec_of(DATA, params=PERIOD, source={"file": "{perod}.csv"})
    assert said(file_faults(made, {})) == ['source.file: {perod} is no param of the job; did you mean "period"?']


def test_params_that_are_named_must_be_declared() -> None:
    made = spec_of({**DATA, "p": {"param": "perod"}, "q": {"param": "period"}}, params=PERIOD, once_per=["period", "x"])
    assert said(param_faults(made)) == [
        'data.p: "perod" is no param of the job; did you mean "period"?',
        'once_per: "x" is no param of the job; known are "period"',
    ]


def test_targets_are_well_written_distinct_and_not_inside_one_another() -> None:
    data = {"a": "A", r"\a": "A", "b..c": "A", "[0]": "A", "d": "A", "d.e": "A", "f[0]": "A", "f.g": "A", "": "A"}
    assert [(str(fault.place[1]), fault.message[:30]) for fault in target_faults(spec_of(data))] == [
        (r"\a", 'is the same target as "a"'),
        ("b..c", '"b..c" is not a target; write '),
        ("[0]", '"[0]" is not a target; write n'),
        ("", '"" is not a target; write name'),
        ("d.e", "does not go together with the "),
        ("f.g", "does not go together with the "),
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlinn", "../../etc/passwd", "/etc/localtime", "Europe", "MEZ?"])
def test_a_zone_must_be_known(zone: str) -> None:
    made = spec_of({"a": {"column": "A", "timezone": zone}})
    assert said(target_faults(made)) == [f'data.a.timezone: "{zone}" is no time zone; write one as Europe/Berlin']
    assert said(target_faults(spec_of({"a": {"column": "A", "timezone": "Europe/Berlin"}}))) == []


@pytest.mark.parametrize(
    "form", ["%d/%m", "%Y", "%m.%Y", "%H:%M", "dd/mm/yyyy", "%Q", "%d/%m/%Y %", "%d", "%d %d %m %Y"]
)
def test_a_form_of_dates_must_hold_day_month_and_year(form: str) -> None:
    made = spec_of({"a": {"column": "A", "date_format": form}})
    assert said(target_faults(made)) == [
        f'data.a.date_format: "{form}" is no form of dates with day, month and year; write one as %d/%m/%Y'
    ]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%y", "%d %B %Y", "%Y%m%d", "%Y-%j", "%d.%m.%Y %H:%M:%S", "%x"])
def test_any_form_that_names_a_day_is_taken(form: str) -> None:
    assert said(target_faults(spec_of({"a": {"column": "A", "date_format": form}}))) == []


def test_every_column_that_is_named_must_be_in_the_sheet() -> None:
    data = {
        "a": "Amout",
        "b": {"column": "IBEN", "blank": "null"},
        "c": {"expr": 'row["Nam"] ~ row.Name ~ row.get("x")'},
        "d": {"value": 1},
        "e": {"expr": "1 +"},
    }
    source = {"file": "x", "where": 'row["Aproved"] == "Y"'}
    made = spec_of(data, key=["Amount", "Keyy"], results={"totals": ["Amont"]}, source=source)
    assert said(column_faults(made, ["Amount", "IBAN", "Name", "Key", "Approved"])) == [
        'key: unknown column "Keyy"; did you mean "Key"?',
        'results.totals: unknown column "Amont"; did you mean "Amount"?',
        'data.a: unknown column "Amout"; did you mean "Amount"?',
        'data.b.column: unknown column "IBEN"; did you mean "IBAN"?',
        'data.c.expr: unknown column "Nam"; did you mean "Name"?',
        'source.where: unknown column "Aproved"; did you mean "Approved"?',
    ]
    assert columns_needed(made) == ("Amount", "Keyy", "Amont", "Amout", "IBEN", "Nam", "Name", "Aproved")


def test_expressions_must_be_understood_and_their_params_known() -> None:
    data = {"a": {"expr": "1 +"}, "b": {"expr": "params.perod ~ params['period']"}, "c": "C"}
    made = spec_of(data, params=PERIOD, source={"file": "x", "where": ")"})
    found = said(expression_faults(made))
    assert found[0].startswith("data.a.expr: the expression '1 +' cannot be understood")
    assert found[1] == 'data.b.expr: "perod" is no param of the job; did you mean "period"?'
    assert found[2].startswith("source.where: the expression ')' cannot be understood")
    assert len(found) == 3


SCHEMA = fields(
    amount={"type": "number"},
    payee=fields(iban={"type": "string"}),
    tags={"type": "array", "items": {"type": "string"}},
    due={"type": "string", "format": "date"},
    open={"type": "object"},
    anything={"type": "array"},
)
BELONGS = "; where it belongs there all the same, say its type, as in type: string"


@pytest.mark.parametrize(
    ("target", "source", "message"),
    [
        ("amonut", "A", 'the schema does not know "amonut" at /amonut; did you mean "amount"?'),
        ("payee.ibann", "A", 'the schema does not know "ibann" at /payee/ibann; did you mean "iban"?'),
        ("payee.iban.x", "A", 'the schema does not know "x" at /payee/iban/x'),
        ("tags[0].x", {"value": 1}, 'the schema does not know "x" at /tags/0/x'),
        ("open.x", {"value": 1}, 'the schema does not know "x" at /open/x'),
        ("open.x", "A", f'the schema does not know "x" at /open/x{BELONGS}'),
        ("anything[].x", "A", f"the schema says nothing of the items of /anything{BELONGS}"),
        ("payee", "A", "the schema asks for an object here; map its parts, as in payee.name"),
        ("tags", "A", "the schema asks for a list here; add `split:` or map its places, as in tags[0]"),
        ("amount", {"column": "A", "split": ";"}, "split makes a list, and the schema asks for none here"),
        ("due", {"param": "period"}, "the param period: not a date such as 2026-10-31"),
    ],
)
def test_a_target_must_fit_the_schema(target: str, source: Any, message: str) -> None:
    (found,) = schema_faults(spec_of({target: source}, params=PERIOD), SCHEMA, {"period": "2026-10"})
    assert found.place == ("data", target)
    assert found.message.startswith(message)
    assert "correct the cell" not in found.message


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("amount", "A"),
        ("payee.iban", "A"),
        ("tags[3]", "A"),
        ("tags", {"column": "A", "split": ";"}),
        ("tags", {"column": "A", "map": {"a": ["b"]}}),
        ("tags", {"expr": "[1]"}),
        ("payee", {"value": {}}),
        ("open.x", {"column": "A", "type": "string"}),
        ("due", {"param": "missing"}),
        ("payee.iban", {"param": "period"}),
        ("not..a.target", "A"),
        ("payee", {"column": "A", "type": "string"}),
    ],
)
def test_a_target_that_fits_is_no_fault(target: str, source: Any) -> None:
    assert said(schema_faults(spec_of({target: source}, params=PERIOD), SCHEMA, {"period": "2026-10"})) == []


def test_a_schema_that_allows_nothing_but_null_asks_for_no_list() -> None:
    assert said(schema_faults(spec_of({"n": "A"}), fields(n={"type": "null"}), {})) == []


@pytest.mark.parametrize(
    ("data", "proved"),
    [
        ({"a": "K", "b": "L"}, True),
        ({"a": "K", "b": {"expr": "row['L']"}}, True),
        ({"a": "K"}, False),
        ({"a": "K", "b": {"value": "L"}, "c": {"expr": "1 +"}}, False),
    ],
)
def test_the_key_is_in_the_payload_when_every_part_of_it_is_mapped(data: Any, proved: bool) -> None:
    assert key_is_in_payload(spec_of(data, key=["K", "L"], source={"file": "x", "where": 'row["L"] == ""'})) is proved


def test_a_job_without_expressions_needs_its_columns_alone() -> None:
    made = spec_of({"a": "A", "b": {"value": 1}})
    assert columns_needed(made) == ("K", "A")
    assert not key_is_in_payload(made)
