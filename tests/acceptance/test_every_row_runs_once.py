"""What the API gets, and what the workbook says of it: 300 rows against a server that shares no code with batchrun."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from finance_desk import HEADERS, Desk, Outcome, Results, Row, at_a_desk, in_the_background, invoices, total, with_cell
from independent_server import IndependentServer

ROWS = invoices(300)


@dataclass(frozen=True)
class Paid:
    """A batch of 300 rows that ran to its end."""

    desk: Desk
    server: IndependentServer
    outcome: Outcome
    results: Results


@pytest.fixture(scope="module")
def paid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    with at_a_desk(tmp_path_factory.mktemp("paid"), run_seconds=0.2) as desk:
        desk.job(in_the_background)
        desk.sheet(ROWS)
        outcome = desk.run("--events", "events.jsonl").ended(0)
        yield Paid(desk, desk.server, outcome, desk.answer(outcome))


def test_each_of_300_rows_runs_exactly_once(paid: Paid) -> None:
    assert len(paid.server.starts) == 300
    assert Counter(paid.server.sent("invoiceNumber")) == Counter(row["Invoice No"] for row in ROWS)


def test_a_payload_is_the_sheets_row_to_the_cent(paid: Paid) -> None:
    payloads = {start.digits["data"]["invoiceNumber"]: start.digits["data"] for start in paid.server.starts}
    for row in ROWS:
        assert payloads[row["Invoice No"]] == {
            "invoiceNumber": row["Invoice No"],
            "vendor": row["Vendor"],
            "amount": row["Amount"],
            "dueDate": row["Due"],
            "urgent": row["Urgent"] == "Y",
            "currency": "EUR",
        }


def test_the_amounts_on_the_wire_add_up_to_the_sheet(paid: Paid) -> None:
    assert sum(start.json["data"]["amount"] for start in paid.server.starts) == total(ROWS)


def test_version_pin_and_mode_go_along_and_no_undocumented_field(paid: Paid) -> None:
    for start in paid.server.starts:
        assert set(start.json) == {"data", "metadata", "control"}
        assert start.json["metadata"] == {"procedureVersion": "v2"}
        assert start.json["control"] == {"executionMode": "async"}


def test_every_request_is_one_that_the_api_documents(paid: Paid) -> None:
    assert {start.path for start in paid.server.starts} == {"/v1/procedures/proc_payout/sandbox"}
    assert {start.headers["content-type"] for start in paid.server.starts} == {"application/json"}
    reads = [request for request in paid.server.requests if request.method != "POST"]
    assert {request.path.removeprefix("/runs/") for request in reads} == set(paid.server.runs)
    assert {(request.method, request.key) for request in reads} == {("GET", "right")}


def test_the_document_counts_every_row_and_every_cent(paid: Paid) -> None:
    document = paid.outcome.document
    assert (document["version"], document["batch"], document["job"]) == (1, "payouts-001", "payouts")
    assert (document["environment"], document["rows"], document["runs"]) == ("sandbox", 300, 300)
    assert document["counts"] == {"completed": 300}
    assert document["totals"] == {"Amount": {"completed": f"{total(ROWS):.2f}"}}
    assert (document["stopped"], document["next"], document["error"]) == (None, None, None)
    assert Path(document["workbook"]) == paid.desk.folder / "results.xlsx"


def test_the_workbook_has_the_sheets_rows_and_values_in_their_order(paid: Paid) -> None:
    assert tuple(paid.results.header[: len(HEADERS)]) == HEADERS
    assert all(name.startswith("_") for name in paid.results.header[len(HEADERS) :])
    assert paid.results.column("_row") == list(range(2, 302))
    for row, shown in zip(ROWS, paid.results.rows, strict=True):
        assert Decimal(str(shown["Amount"])) == Decimal(row["Amount"])
        assert {name: shown[name] for name in HEADERS if name not in ("Amount", "Due")} == {
            name: row[name] for name in HEADERS if name not in ("Amount", "Due")
        }
        assert str(shown["Due"])[:10] == row["Due"]


def test_the_workbook_has_each_rows_own_run_id_and_output(paid: Paid) -> None:
    runs = {run.data["invoiceNumber"]: run for run in paid.server.runs.values()}
    for shown in paid.results.rows:
        run = runs[shown["Invoice No"]]
        assert (shown["_run_id"], shown["_status"], shown["_attempts"]) == (run.run_id, "completed", 1)
        assert shown["_output.transactionId"] == run.output["transactionId"]
        assert shown["_output.approved"] is True
        assert shown["_error"] is None


def test_the_workbooks_times_are_dates_and_in_order(paid: Paid) -> None:
    for shown in paid.results.rows:
        assert isinstance(shown["_sent_at"], dt.datetime)
        assert shown["_sent_at"] <= shown["_finished_at"]
        assert shown["_seconds"] >= 0


def test_the_workbook_begins_with_the_results_and_has_a_summary(paid: Paid) -> None:
    assert paid.results.sheets[:2] == ["Results", "Summary"]


def test_one_rows_whole_life_is_shown_with_its_cells_payload_and_run(paid: Paid) -> None:
    outcome = paid.desk.command("show", "last", "--row", "18", "--json").ended(0)
    run = next(run for run in paid.server.runs.values() if run.data["invoiceNumber"] == "00017")
    assert outcome.document["run_id"] == run.run_id
    assert outcome.document["cells"] == dict(ROWS[16])
    assert outcome.document["payload"]["invoiceNumber"] == "00017"


def test_status_names_the_batch_and_disturbs_nothing(paid: Paid) -> None:
    before = len(paid.server.requests)
    [batch] = paid.desk.batches()
    assert (batch["batch"], batch["rows"], batch["counts"]) == ("payouts-001", 300, {"completed": 300})
    assert len(paid.server.requests) == before


@pytest.mark.parametrize("amount", ["0.01", "0.10", "0.30", "19.90", "19.99", "1250", "100000", "123456789012.34"])
def test_an_amount_keeps_its_very_digits(amount: str, exact: dict[str, Any]) -> None:
    assert exact[amount]["amount"] == amount


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    amounts = ["0.01", "0.10", "0.30", "19.90", "19.99", "1250", "100000", "123456789012.34"]
    names = ["NA", "null", "None", "nan", "-", "=1+1", " Söhne ", '5" & "co"']
    rows: list[Row] = invoices(len(amounts))
    for index, (amount, name) in enumerate(zip(amounts, names, strict=True)):
        rows = with_cell(rows, index, Amount=amount, Vendor=name)
    with at_a_desk(tmp_path_factory.mktemp("exact")) as desk:
        desk.sheet(rows)
        desk.run().ended(0)
        assert sorted(desk.server.sent("vendor")) == sorted(names)
        return {start.digits["data"]["amount"]: start.digits["data"] for start in desk.server.starts}


def test_without_a_pin_no_version_is_sent(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.job(lambda text: text.replace(", version: v2", ""))
        desk.sheet(invoices(1))
        desk.run().ended(0)
        assert "metadata" not in desk.server.starts[0].json


@pytest.mark.slow
def test_no_second_holds_more_sends_than_the_rate_and_97_percent_of_it_is_used(tmp_path: Path) -> None:
    rate, used = 100, []
    for attempt in range(3):  # a machine that is busy with other tests cannot keep up: it may try again, not exceed
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with at_a_desk(folder) as desk:
            desk.sheet(invoices(400))
            desk.run("--rate", f"{rate}/s", "--concurrency", "16").ended(0)
            times = [start.at for start in desk.server.starts]
        busiest = max(sum(1 for at in times if begin <= at < begin + 1) for begin in times)
        used.append((len(times) - 1) / (times[-1] - times[0]) / rate)
        assert busiest <= rate, f"{busiest} in one second, {used[-1]:.1%} used"
        if used[-1] >= 0.97:
            return
    raise AssertionError(f"used: {used}")
