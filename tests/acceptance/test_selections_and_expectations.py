"""Which rows run, and what must hold before any of them does."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from finance_desk import Desk, at_a_desk, invoices, total, with_cell
from independent_server import LIVE_KEY

ROWS = invoices(20)
CENT = Decimal("0.01")


def nothing_left(desk: Desk) -> None:
    """Hold that no request was made and no workbook written."""
    assert desk.server.requests == []
    assert not list(desk.folder.glob("*.xlsx"))


def test_rows_are_named_by_the_sheets_own_numbers(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        outcome = desk.run("--rows", "5-7,21").ended(0)
        assert sorted(desk.server.sent("invoiceNumber")) == ["00004", "00005", "00006", "00020"]
        assert desk.answer(outcome).column("_row") == [5, 6, 7, 21]
        assert desk.run().ended(1).document["counts"] == {"completed": 16, "duplicate": 4}


@pytest.mark.slow
def test_limit_takes_the_first_rows(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        assert desk.run("--limit", "3").ended(0).document["rows"] == 3
        assert sorted(desk.server.sent("invoiceNumber")) == ["00001", "00002", "00003"]


def test_a_row_outside_the_selection_cannot_stop_it(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(with_cell(ROWS, 10, Amount="bad"))
        desk.run("--rows", "2-5").ended(0)
        assert len(desk.server.runs) == 4


def test_a_param_reaches_file_name_payload_and_batch_name(tmp_path: Path) -> None:
    def with_period(text: str) -> str:
        text = text.replace("job: payouts\n", "job: payouts\nparams:\n  period: {pattern: '\\d{4}-\\d{2}'}\n")
        text = text.replace("file: payouts.csv", "file: 'payouts-{period}.csv'")
        return text.replace("vendor: Vendor", "vendor: {param: period}")

    with at_a_desk(tmp_path) as desk:
        desk.job(with_period)
        desk.sheet(invoices(2), "payouts-2026-11.csv")
        desk.run().ended(2)
        desk.run("--param", "period=../x").ended(2)
        nothing_left(desk)
        outcome = desk.run("--param", "period=2026-11").ended(0)
        assert desk.server.sent("vendor") == ["2026-11"] * 2
        assert outcome.document["batch"] == "payouts-2026-11-001"


def test_input_takes_another_sheet(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.sheet(invoices(2, first=500), "other.csv")
        desk.run("--input", "other.csv").ended(0)
        assert sorted(desk.server.sent("invoiceNumber")) == ["00500", "00501"]


def test_a_total_that_is_right_to_the_cent_lets_the_rows_go(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.run("--expect-rows", "20", "--expect-total", f"Amount={total(ROWS)}").ended(0)
        assert len(desk.server.runs) == 20


def test_a_total_that_is_off_by_a_cent_sends_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        refused = desk.run("--expect-total", f"Amount={total(ROWS) + CENT}").ended(2)
        assert "0.01" in refused.document["error"]["message"]
        nothing_left(desk)


def test_a_row_too_few_sends_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        refused = desk.run("--expect-rows", "21").ended(2)
        assert "20" in refused.document["error"]["message"]
        nothing_left(desk)


def test_an_unreadable_amount_cannot_make_an_expected_total_come_true(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(with_cell(ROWS, 2, Amount="12,50"))
        readable = total(ROWS) - Decimal(ROWS[2]["Amount"])
        refused = desk.run("--skip-invalid", "--expect-total", f"Amount={readable}").ended(2)
        assert refused.document["error"]["code"] == "expectation-failed"
        nothing_left(desk)


def test_expected_rows_count_invalid_and_duplicate_ones(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(4))
        desk.run().ended(0)
        desk.sheet(with_cell(invoices(10), 8, Due="soon"), "more.csv")
        second = desk.run("--input", "more.csv", "--expect-rows", "10", "--skip-invalid").ended(1)
        assert second.document["counts"] == {"completed": 5, "duplicate": 4, "invalid": 1}


@pytest.mark.slow
def test_an_edit_of_the_sheet_after_the_start_changes_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(5))
        desk.run(key="rsk_sandbox_old").ended(3)
        desk.sheet(with_cell(invoices(5), 1, Amount="999.99"))
        desk.command("resume", "last", "--json").ended(0)
        amounts = {start.json["data"]["amount"] for start in desk.server.starts}
        assert amounts == {Decimal(row["Amount"]) for row in invoices(5)}


def expecting(lines: str) -> Callable[[str], str]:
    return lambda text: text + lines


def test_the_job_itself_says_what_it_expects(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.job(expecting(f"expect: {{rows: 20, totals: {{Amount: {total(ROWS) + CENT}}}}}\n"))
        short = desk.run().ended(2)
        assert f"{total(ROWS) + CENT:,}" in short.words and f"{total(ROWS):,}" in short.words
        assert "-0.01" in short.words
        nothing_left(desk)
        desk.job(expecting("expect: {rows: 21}\n"))
        assert "21 rows were expected (expect in the job), and the sheet has 20" in desk.run().ended(2).words
        assert (
            desk.command("check", "payouts.yaml", "--json").ended(2).document["error"]["code"] == "expectation-failed"
        )
        nothing_left(desk)
        desk.job(expecting(f"expect: {{rows: 20, totals: {{Amount: {total(ROWS)}}}}}\n"))
        desk.run().ended(0)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ("rows: 19", "20 rows would be sent, and the job allows 19 on live"),
        ("total: {Amount: 10}", "the total of Amount is"),
        ("each: {Amount: '0.01'}", "payouts.csv!"),
    ],
)
def test_a_jobs_limits_hold_on_live(tmp_path: Path, limits: str, told: str) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.job(expecting(f"limits: {{{limits}}}\n"))
        stopped = desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(2)
        assert told in stopped.words and stopped.document["error"]["code"] == "limit"
        nothing_left(desk)
        desk.run().ended(0)


def test_what_is_within_the_limits_goes_out(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.job(
            expecting(f"limits: {{rows: 20, total: {{Amount: {total(ROWS)}}}, each: {{Amount: {total(ROWS)}}}}}\n")
        )
        desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(0)


def test_limits_of_what_is_no_control_total_are_faults_of_the_job(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        desk.job(expecting("limits: {each: {Amout: 5}}\nexpect: {totals: {Vendor: x}}\n"))
        told = desk.run().ended(2).words
        assert '"Amout" is no control total; did you mean "Amount"?' in told and '"x" is no amount' in told
