"""`resolve`: a row in doubt is settled by a run that is proved to be its own, or as not run; or nothing changes."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import Outcome, invoices, with_cell
from independent_server import LIVE_KEY
from ledger_server import Fault, ledger_of, workbook_agrees
from openpyxl import load_workbook

DOUBTED = ("00002", "00004", "00006", "00008")  # the first three ran, the last did not
FIRST_ROW = 2  # the header is in row 1, so invoice 00002 is in row 3


def faults(key: str, attempt: int) -> Fault | None:
    """Lose the answers of four rows at their first attempt."""
    if attempt > 1 or key not in DOUBTED:
        return None
    return Fault.HANG_UP_BEFORE if key == "00008" else Fault.HANG_UP


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[CrashDesk]:
    """Give a desk whose batch of ten rows has four in doubt."""
    with at_a_crash_desk(tmp_path, crasher) as one:
        one.server.plan = faults
        one.sheet(with_cell(invoices(10), 1, Amount="19.90"))
        one.run("--concurrency", "1").ended(1)
        assert one.states() == {"completed": 6, "in_doubt": 4}
        yield one
        ledger_of(one).holds()


def row_of(key: str) -> int:
    """Give the row number of an invoice."""
    return int(key) + FIRST_ROW - 1


def run_of(desk: CrashDesk, key: str) -> str:
    """Give the run that was accepted for an invoice."""
    return desk.server.accepted(key)[0]


def listed(desk: CrashDesk, *lines: tuple[object, object], header: tuple[str, str] = ("row", "run_id")) -> str:
    """Write a CSV of run ids."""
    with (desk.folder / "found.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *lines])
    return "found.csv"


def settled(desk: CrashDesk, *words: str, **more: Any) -> Outcome:
    """Settle something that can be settled."""
    return desk.json("resolve", *words, **more).ended(0)


def refused(desk: CrashDesk, *words: str, code: str = "bad-decisions", **more: Any) -> Outcome:
    """Try to settle what cannot be; nothing may have changed and nothing been sent."""
    before, starts = _dump(desk), len(desk.server.starts)
    outcome = desk.json("resolve", *words, **more).ended(2)
    assert outcome.document["error"]["code"] == code, outcome.document
    assert _dump(desk) == before, "something was changed"
    assert len(desk.server.starts) == starts
    return outcome


def _dump(desk: CrashDesk) -> list[Any]:
    tables = ("rows", "events", "run_ids", "batches")
    return [desk.ask_journal(f"SELECT * FROM {table}") for table in tables]


# By flags and by CSV


def test_a_run_is_taken_by_its_id_with_its_state_and_output(desk: CrashDesk) -> None:
    done = settled(desk, "--row", "3", "--run-id", run_of(desk, "00002"))
    assert done.document["counts"] == {"completed": 7, "in_doubt": 3}
    assert desk.row("00002").run_id == run_of(desk, "00002")
    shown = workbook_agrees(desk, desk.json("report").ended(0)).rows[1]
    assert shown["_output.transactionId"] == desk.server.runs[run_of(desk, "00002")].output["transactionId"]
    life = desk.command("show", "last", "--row", "3", "--json").ended(0).document
    assert life["steps"][-1]["detail"].startswith("settled by ")
    assert [step["after"] for step in life["steps"]] == ["sending", "in_doubt", "completed"]


def test_a_row_that_was_not_run_is_ready_and_resume_sends_it_once(desk: CrashDesk) -> None:
    done = settled(desk, "--row", "9", "--not-run", "--yes")
    assert done.document["counts"] == {"ready": 1, "completed": 6, "in_doubt": 3}
    assert done.document["next"] == "batchrun resume payouts-001"
    assert len(desk.server.accepted("00008")) == 0
    resumed = desk.json("resume").ended(1)
    assert resumed.document["counts"] == {"completed": 7, "in_doubt": 3}
    assert len(desk.server.accepted("00008")) == 1
    assert desk.row("00008").attempts == 2
    desk.json("resume").ended(1)
    assert len(desk.server.accepted("00008")) == 1


def test_a_csv_settles_many_rows_at_once(desk: CrashDesk) -> None:
    file = listed(desk, *((row_of(key), run_of(desk, key)) for key in DOUBTED[:3]), header=("_row", "Run ID"))
    assert settled(desk, "--run-ids", file).document["counts"] == {"completed": 9, "in_doubt": 1}
    assert [desk.row(key).run_id for key in DOUBTED[:3]] == [run_of(desk, key) for key in DOUBTED[:3]]
    settled(desk, "--all-not-run", "--yes")
    workbook_agrees(desk, desk.json("resume").ended(0))
    assert ledger_of(desk).holds().accepted == 10


def test_numbers_are_compared_by_value(desk: CrashDesk) -> None:
    run = desk.server.runs[run_of(desk, "00002")]
    assert str(run.data["amount"]) == "19.90"  # and the server gives it back as 19.9
    settled(desk, "--row", "3", "--run-id", run.run_id)


def test_a_run_that_still_runs_is_open_and_followed_by_resume(desk: CrashDesk) -> None:
    desk.server.switches.run_seconds = 3600
    settled(desk, "--row", "3", "--run-id", run_of(desk, "00002"))
    assert desk.row("00002").state == "running"
    desk.server.switches.run_seconds = 0
    desk.json("resume").ended(1)
    assert desk.row("00002").state == "completed"


def test_a_reading_that_fails_now_and_then_is_made_again(desk: CrashDesk) -> None:
    desk.server.break_reads = lambda count: count % 2 == 1
    file = listed(desk, *((row_of(key), run_of(desk, key)) for key in DOUBTED[:3]))
    assert settled(desk, "--run-ids", file).document["counts"] == {"completed": 9, "in_doubt": 1}


# What does not prove anything


def older(desk: CrashDesk) -> str:
    """Make a run six minutes older than its row."""
    desk.server.runs[run_of(desk, "00002")].created -= 6 * 60
    return run_of(desk, "00002")


def with_other_input(desk: CrashDesk) -> str:
    """Give a run of the same invoice with one cent more."""
    run = desk.server.runs[run_of(desk, "00002")]
    run.data = {**run.data, "amount": run.data["amount"] + run.data["amount"] / 10}
    return run.run_id


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(older, "before this row was sent", id="an older run"),
        pytest.param(with_other_input, "amount", id="a run with another input"),
        pytest.param(lambda desk: run_of(desk, "00006"), "invoiceNumber", id="the run of another row in doubt"),
        pytest.param(lambda desk: desk.row("00001").run_id, "row 2", id="a run that another row has"),
        pytest.param(lambda desk: "run_nobody_knows", "knows no run", id="an unknown run"),
        pytest.param(lambda desk: "../../v1/procedures", "", id="no run id at all"),
        pytest.param(lambda desk: "", "", id="an empty run id"),
    ],
)
@pytest.mark.parametrize("way", ["flags", "csv"])
def test_a_run_that_is_not_proved_is_refused_by_its_place(
    desk: CrashDesk, found: Callable[[CrashDesk], str], said: str, way: str
) -> None:
    run_id = found(desk)
    if way == "flags":
        outcome = refused(desk, "--row", "3", "--run-id", run_id)
        assert "--row 3" in outcome.words
    else:
        outcome = refused(desk, "--run-ids", listed(desk, (5, run_of(desk, "00004")), (3, run_id)))
        assert "found.csv!3" in outcome.words
        assert "found.csv!2: " not in outcome.words, "that one is right"
    assert said in outcome.words


def test_twins_with_the_same_payload_cannot_be_told_apart(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        without_key = "  invoiceNumber: {value: '00002'}\n"
        desk.job(lambda text: text.replace("  invoiceNumber: Invoice No\n", without_key))
        desk.server.plan = lambda key, attempt: Fault.HANG_UP
        twins = [{**invoices(1)[0], "Invoice No": f"{number:05d}"} for number in (1, 2)]
        desk.sheet(twins)
        desk.run("--concurrency", "1").ended(1)
        assert desk.states() == {"in_doubt": 2}
        for row in (2, 3):
            outcome = refused(desk, "--row", str(row), "--run-id", run_of(desk, "00002"))
            assert "same payload" in outcome.words


def test_a_run_that_is_given_to_two_rows_is_refused(desk: CrashDesk) -> None:
    run_id = run_of(desk, "00002")
    outcome = refused(desk, "--run-ids", listed(desk, (3, run_id), (5, run_id)))
    assert "found.csv!3" in outcome.words
    assert "found.csv!2" in outcome.words


def test_a_row_that_is_settled_twice_is_refused(desk: CrashDesk) -> None:
    outcome = refused(desk, "--run-ids", listed(desk, (3, run_of(desk, "00002")), (3, run_of(desk, "00002"))))
    assert "found.csv!3" in outcome.words


@pytest.mark.parametrize(
    ("row", "said"), [("2", "not in doubt"), ("999", "no row 999"), ("99999999999999999999", "no row"), ("-3", "")]
)
def test_a_row_that_is_not_in_doubt_is_refused(desk: CrashDesk, row: str, said: str) -> None:
    assert said in refused(desk, "--row", row, "--run-id", run_of(desk, "00002")).words
    assert said in refused(desk, "--row", row, "--not-run", "--yes").words


def test_when_the_api_cannot_be_read_nothing_is_settled(desk: CrashDesk) -> None:
    desk.server.go_down()
    outcome = refused(desk, "--run-ids", listed(desk, *((row_of(key), run_of(desk, key)) for key in DOUBTED[:3])))
    assert "could not be read" in outcome.words
    desk.server.come_back()
    outcome = refused(desk, "--row", "3", "--run-id", run_of(desk, "00002"), key="rsk_sandbox_CANARYexpired")
    assert "401" in outcome.words


@pytest.mark.parametrize(
    "words",
    [
        ("--row", "3"),
        ("--row", "3", "--run-id", "x", "--not-run"),
        ("--not-run",),
        ("--run-id", "x"),
        ("--all-not-run", "--row", "3", "--not-run"),
        ("--all-not-run", "--run-ids", "found.csv"),
    ],
)
def test_half_said_and_twice_said_is_a_bad_command_line(desk: CrashDesk, words: tuple[str, ...]) -> None:
    refused(desk, *words, "--yes", code="bad-command-line")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "row and run_id"),
        (b"line;number\n", "row and run_id"),
        (b"row,run_id\n3,\n", "found.csv!2"),
        (b"row,run_id\nthree,run_1\n", "found.csv!2"),
        (b"row,run_id\n", "nothing"),
        ("row,run_id\n3,Zürich".encode("utf-16"), "UTF-8"),
        (b'row,run_id\n3,"run', "CSV"),
    ],
)
def test_a_csv_that_says_nothing_is_refused(desk: CrashDesk, content: bytes, said: str) -> None:
    (desk.folder / "found.csv").write_bytes(content)
    assert said in refused(desk, "--run-ids", "found.csv").words


def test_a_csv_that_is_not_there_is_told(desk: CrashDesk) -> None:
    assert "nowhere.csv" in refused(desk, "--run-ids", "nowhere.csv", code="not-found").words


# What is asked before a row is called not run


def test_not_run_is_asked_about_and_nobody_can_answer(desk: CrashDesk) -> None:
    assert "--yes" in refused(desk, "--all-not-run", code="bad-command-line").words
    assert "--yes" in refused(desk, "--row", "9", "--not-run", code="bad-command-line").words


def test_on_live_not_run_wants_age_reason_and_count(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.server.plan = faults
        desk.sheet(invoices(10))
        desk.run("-e", "live", "--yes", "--concurrency", "1", key=LIVE_KEY).ended(1)
        words: dict[str, Any] = {"batch": desk.batches()[0]["batch"], "key": LIVE_KEY}
        sure = ("--all-not-run", "--yes", "--reason", "looked at the dashboard", "--count", "4")
        young = refused(desk, *sure, **words)
        assert young.words.count("15 minutes") == 4
        assert "row 9" in young.words
        long_ago = (datetime.now(UTC) - timedelta(minutes=15, seconds=1)).isoformat(timespec="microseconds")
        desk.tell_journal("UPDATE rows SET sent_at = ?", long_ago.replace("+00:00", "Z"))
        assert "--reason" in refused(desk, "--all-not-run", "--yes", code="bad-command-line", **words).words
        assert "--count 4" in refused(desk, *sure[:4], code="bad-command-line", **words).words
        assert "--count 4" in refused(desk, *sure[:5], "3", code="bad-command-line", **words).words
        assert "--yes" in refused(desk, sure[0], *sure[2:], code="bad-command-line", **words).words
        file = listed(desk, *((row_of(key), run_of(desk, key)) for key in DOUBTED[:3]))
        assert "before this row" not in settled(desk, "--run-ids", file, **words).words
        settled(desk, *sure[:-1], "1", **words)
        life = desk.command("show", words["batch"], "--row", "9", "--json").ended(0).document
        assert life["steps"][-1]["detail"].endswith("looked at the dashboard")
        desk.json("resume", **words).ended(0)
        assert ledger_of(desk).holds().accepted == 10


# From the workbook's Doubts sheet


def filled_in(desk: CrashDesk, fill: Callable[[dict[str, dict[str, Any]]], None]) -> Path:
    """Fill in the Doubts sheet as a person would, and save it; `fill` sees cells by row key and column name."""
    path = desk.folder / "results.xlsx"
    book = load_workbook(path)
    header, *lines = book["Doubts"].iter_rows()
    names = [cell.value for cell in header]
    fill({str(line[names.index("key")].value): dict(zip(names, line, strict=True)) for line in lines})
    book.save(path)
    book.close()
    return path


def test_the_doubts_sheet_lists_what_to_look_for_and_settles_what_was_filled_in(desk: CrashDesk) -> None:
    def fill(cells: dict[str, dict[str, Any]]) -> None:
        assert list(cells) == list(DOUBTED)
        assert [line["row"].value for line in cells.values()] == [row_of(key) for key in DOUBTED]
        assert cells["00002"]["amount"].value == "19.90"
        assert all(key in line["what to look for"].value for key, line in cells.items())
        cells["00002"]["run id"].value = run_of(desk, "00002")
        cells["00002"]["checked by"].value = "Ida Example"
        cells["00008"]["not run"].value = "Yes"

    path = filled_in(desk, fill)
    done = desk.json("resolve", "--yes", batch=str(path)).ended(0)
    assert done.document["counts"] == {"ready": 1, "completed": 7, "in_doubt": 2}
    life = desk.command("show", "last", "--row", "3", "--json").ended(0).document
    assert "Ida Example" in life["steps"][-1]["detail"]
    desk.json("resume").ended(1)
    assert len(desk.server.accepted("00008")) == 1


def test_every_faulty_cell_of_the_doubts_sheet_is_told_and_nothing_is_settled(desk: CrashDesk) -> None:
    def fill(cells: dict[str, dict[str, Any]]) -> None:
        cells["00002"]["run id"].value = run_of(desk, "00002")
        cells["00004"]["run id"].value = run_of(desk, "00004")
        cells["00004"]["not run"].value = "yes"
        cells["00006"]["not run"].value = "perhaps"
        cells["00008"]["row"].value = "nine"
        cells["00008"]["not run"].value = "yes"

    filled_in(desk, fill)
    outcome = refused(desk, "--yes")
    for line in (3, 4, 5):
        assert f"results.xlsx!Doubts!{line}" in outcome.words
    assert "Doubts!2" not in outcome.words


def test_a_run_of_another_row_in_the_doubts_sheet_is_refused_by_its_line(desk: CrashDesk) -> None:
    def fill(cells: dict[str, dict[str, Any]]) -> None:
        cells["00002"]["run id"].value = run_of(desk, "00004")
        cells["00004"]["run id"].value = run_of(desk, "00004")

    filled_in(desk, fill)
    outcome = refused(desk)
    assert "results.xlsx!Doubts!2: row 3" in outcome.words


def test_an_empty_doubts_sheet_settles_nothing(desk: CrashDesk) -> None:
    assert "nothing is filled in" in refused(desk).words


def test_a_workbook_that_is_none_is_told_in_a_sentence(desk: CrashDesk) -> None:
    path = desk.folder / "results.xlsx"
    path.write_bytes(b"PK\x03\x04 not a workbook")
    refused(desk, code="not-found")
    path.unlink()
    assert "batchrun report" in refused(desk, code="not-found").words


def test_once_all_doubts_are_settled_the_next_workbook_has_none(desk: CrashDesk) -> None:
    def fill(cells: dict[str, dict[str, Any]]) -> None:
        for key in DOUBTED[:3]:
            cells[key]["run id"].value = run_of(desk, key)
        cells["00008"]["not run"].value = "yes"

    path = filled_in(desk, fill)
    desk.json("resolve", "--yes", batch=str(path)).ended(0)
    resumed = desk.json("resume", batch=str(path)).ended(0)
    results = workbook_agrees(desk, resumed)
    assert "Doubts" not in results.sheets


def test_two_settlements_at_once_do_not_both_count(desk: CrashDesk) -> None:
    """While the run is being read, somebody else settles the row: the second is told so."""

    def settle_meanwhile(count: int) -> bool:
        desk.tell_journal("UPDATE rows SET state = 'ready' WHERE number = 3")
        return False

    desk.server.break_reads = settle_meanwhile
    outcome = desk.json("resolve", "--row", "3", "--run-id", run_of(desk, "00002"))
    outcome.ended(2)
    assert "row 3" in outcome.words
    desk.tell_journal("UPDATE rows SET state = 'in_doubt' WHERE number = 3")
