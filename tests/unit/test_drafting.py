"""A draft is a whole job, with a comment wherever a person has to look, fill in or decide."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from small_sheets import matched, sample

from batchrun.core import drafting
from batchrun.core.column_samples import Sample
from batchrun.core.drafting import Heading, draft, key_column, open_targets, total_columns
from batchrun.core.spec_faults import build
from batchrun.io import yaml_text
from batchrun.model import Number

TEXT, NUMBER = {"type": "string"}, {"type": "number"}
HEADING = Heading("payouts", "in.csv", "in.csv", "s.json", schema_is_draft=False)


def drafted(
    properties: dict[str, Any], seen: Sample, required: tuple[str, ...] = (), heading: Heading = HEADING
) -> str:
    made = matched(properties, seen, required)
    return draft(heading, seen, made, key_column(seen, made))


def data_of(text: str) -> Any:
    return yaml_text.load(text).data


def comments(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("# ")]


def test_a_draft_is_a_job_without_faults() -> None:
    seen = sample(Invoice_No=["A1", "A2"], Betrag=["1.234,50", "5"], Due=["31.10.2026", "01.11.2026"])
    date = {"type": "string", "format": "date"}
    text = drafted({"invoiceNumber": TEXT, "amount": NUMBER, "dueDate": date}, seen)
    spec, faults = build(data_of(text))
    assert faults == []
    assert spec is not None
    assert drafting.is_unfinished(spec)
    assert data_of(text) == {
        "job": "payouts",
        "procedure": {"id": "proc_CHANGE_ME"},
        "source": {"file": "in.csv"},
        "key": "Invoice No",
        "schema": "s.json",
        "data": {
            "invoiceNumber": "Invoice No",
            "amount": {"column": "Betrag", "decimal": ",", "thousands": "."},
            "dueDate": {"column": "Due", "date_format": "%d.%m.%Y"},
        },
        "rate": "5/s",
        "results": {"totals": ["Betrag"]},
    }
    assert "FILL IN: the id of the procedure" in text


def test_an_expression_names_its_column_itself() -> None:
    seen = sample(No=["1"], IBAN=["DE12 3"])
    text = drafted({"no": TEXT, "iban": {"type": "string", "pattern": "^[A-Z0-9]+$"}}, seen)
    assert data_of(text)["data"]["iban"] == {"expr": 'row["IBAN"] | replace(" ", "")'}


def test_how_the_sheet_is_read_and_what_is_to_be_decided_about_it() -> None:
    heading = Heading(
        "j",
        "b.xlsx, P",
        "b.xlsx",
        "d.json",
        True,
        {"sheet": "P: 1", "header_row": 3},
        (("hidden_rows: skip", "say it"),),
    )
    text = drafted({"no": TEXT}, sample(No=["1"]), heading=heading)
    assert data_of(text)["source"] == {"file": "b.xlsx", "sheet": "P: 1", "header_row": 3}
    assert "# hidden_rows: skip       # say it" in text
    assert "a DRAFT made from the sheet" in text


def test_the_key_is_filled_and_different_and_named_like_one() -> None:
    def key(**columns: Any) -> str | None:
        found = key_column(sample(**columns), None)
        return found and found.name

    assert key(Name=["a", "b"], Invoice_No=["1", "2"]) == "Invoice No"
    assert key(Name=["a", "b"], Invoice_No=["1", "1"]) == "Name"
    assert key(Ref=[Number(Decimal(1)), Number(Decimal(2))]) == "Ref"
    assert key(Size=[Number(Decimal(1)), Number(Decimal(2))]) is None
    assert key(Amount=["1", "2"]) is None
    assert key(Due=[datetime(2026, 1, 1), datetime(2026, 1, 2)]) is None
    assert key(Name=["a", ""]) is None


def test_the_key_is_rather_one_that_is_sent_and_no_number() -> None:
    seen = sample(Order_No=["1", "2"], Invoice_No=["3", "4"], Size=["5", "6"], Name=["a", "b"])
    made = matched({"invoiceNumber": TEXT, "size": NUMBER}, seen)
    assert getattr(key_column(seen, made), "name") == "Invoice No"  # noqa: B009
    seen = sample(Size=["5", "6"])
    assert key_column(seen, matched({"size": NUMBER}, seen)) is None
    seen = sample(Day=["2026-01-01", "2026-01-02"])
    assert key_column(seen, matched({"day": {"type": "string", "format": "date"}}, seen)) is None


def test_a_key_that_is_no_name_for_one_is_to_be_looked_at_and_a_missing_one_to_be_filled_in() -> None:
    assert "look whether it is the right one" in drafted({"name": TEXT}, sample(Name=["a", "b"]))
    text = drafted({"name": TEXT}, sample(Name=["a", "a"]))
    assert data_of(text)["key"] == "CHANGE_ME"
    assert "none is filled, readable and different in each row" in text
    assert 'not even "Ref" or "Order No"' in drafted({"ref": TEXT}, sample(Ref=["a", "a"], Order_No=["", "1"]))


def test_totals_are_of_money_alone() -> None:
    seen = sample(Limit=["1", "2"], Size=["1", "2"], Netto=["1.5", "2"])
    made = matched({"limit": {"type": "object", "properties": {"amount": NUMBER}}, "size": NUMBER, "net": TEXT}, seen)
    assert total_columns(made) == ("Limit",)
    assert "results" not in data_of(drafted({"size": NUMBER}, sample(Size=["1"])))


def test_what_nothing_feeds_is_asked_for_in_comments() -> None:
    fields = {
        "dueDate": {"type": "string", "format": "date", "description": "The last\nday."},
        "currency": {"enum": ["EUR", "USD"]},
        "method": {"const": "bank"},
        "count": {"type": ["integer", "null"]},
        "whatever": {},
        "nothing": {"type": "null"},
    }
    text = drafted(fields, sample(No=["1"]), required=("dueDate",))
    assert [line for line in comments(text) if line.split(":")[0][2:] in fields] == [
        "# dueDate:                # required; date; The last day.",
        "# currency:               # one of EUR, USD",
        "# method:                 # only bank",
        "# count:                  # a whole number",
        "# whatever:               # anything",
        "# nothing:                # nothing but null",
    ]
    assert "# 'No'" in comments(text)


def test_a_required_field_with_one_value_is_filled_in() -> None:
    seen = sample(No=["1"])
    fields = {"no": TEXT, "method": {"const": "bank"}, "deep": {"const": {"a": 1}}}
    text = drafted(fields, seen, required=("method", "deep"))
    assert data_of(text)["data"]["method"] == {"value": "bank"}
    assert open_targets(matched(fields, seen, ("method", "deep"))) == ("deep",)


def test_what_a_person_can_complete_stands_ready_behind_a_hash() -> None:
    seen = sample(No=["1"], Amount=["1.000"], Email=["a"], **{"E-Mail": ["b"]})
    text = drafted({"no": TEXT, "amount": NUMBER, "email": TEXT}, seen, required=("amount",))
    assert "# amount: {column: Amount, decimal: ',', thousands: '.'}" in comments(text)
    assert any("required; " in line and "may mean 1.000 or 1000" in line for line in comments(text))
    assert any("may be meant; the names alone do not tell" in line for line in comments(text))
    assert "# Email                 # could be email: nothing was chosen" in comments(text)
    taken = text.replace("# amount: {", "amount: {")
    assert data_of(taken)["data"]["amount"]["decimal"] == ","


def test_further_places_of_a_list_are_not_asked_for() -> None:
    line = {"type": "array", "items": {"type": "object", "properties": {"sku": TEXT, "quantity": {"type": "integer"}}}}
    made = matched({"lines": line}, sample(SKU_1=["a"], SKU_2=["b"], Qty_2=["x"]), places=3)
    assert open_targets(made) == ("lines[0].quantity", "lines[1].quantity")


def test_empty_cells_of_a_required_field_and_near_names_are_told() -> None:
    seen = sample(No=["1", "2"], Amount=["5", ""], Bank_Fee=["a", "b"])
    text = drafted({"no": TEXT, "amount": NUMBER, "bankFeeCode": TEXT, "x": TEXT}, seen, required=("amount",))
    assert "empty in 1 of 2 rows, and required: fill in, or add a `default:`" in text
    seen = sample(Customer_Email_Address=["a@b.example"])
    assert "a near match: look whether it is meant" in drafted(
        {"customer": {"type": "object", "properties": {"email": TEXT}}}, seen
    )


def test_the_only_row_that_was_looked_at_is_told_in_the_singular() -> None:
    assert "names a row: filled in the 1 row looked at" in drafted({"a": TEXT}, sample(Invoice_No=["A1"]))
