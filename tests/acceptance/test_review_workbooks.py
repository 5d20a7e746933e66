"""`review`: the file that people share, the keys that they hold, live, and the pace."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import Crasher
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from review_desk import ReviewDesk, Typist, at_a_review_desk, invoice, typing_into
from review_server import LIVE_REVIEWER_KEY, LIVE_RUNNER_KEY, REVIEWER_KEY, Scripted

FIRST, SECOND, THIRD, FOURTH = (invoice(number) for number in range(1, 5))
SOFFICE = shutil.which("soffice")


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[ReviewDesk]:
    with at_a_review_desk(tmp_path, crasher) as one:
        yield one


# What others typed


def typed_by_many(typist: Typist) -> None:
    """Type what several people leave in a workbook, one approval among it."""
    typist.approve(FIRST)
    typist.type(SECOND, _rejection_reason="ask Kim first", _reviewer="Erika Beispiel")
    typist.column("Notes")
    typist.type(THIRD, Notes="called twice")
    typist.type(FIRST, Notes=42.5)
    typist.sheet.column_dimensions["B"].width = 33
    typist.sheet.column_dimensions[get_column_letter(typist.columns["Notes"])].width = 51
    typist.sheet.auto_filter.add_filter_column(typist.columns["_status"] - 1, ["awaiting_review"])


def is_still_there(desk: ReviewDesk, path: Path | None = None) -> None:
    """Hold the workbook to what was typed."""
    shown = desk.results(path)
    assert shown[SECOND]["_rejection_reason"] == "ask Kim first"
    assert shown[SECOND]["_reviewer"] == "Erika Beispiel"
    assert shown[SECOND]["_decision"] is None
    assert [shown[key]["Notes"] for key in (FIRST, SECOND, THIRD)] == [42.5, None, "called twice"]
    sheet = load_workbook(path or desk.workbook)["Results"]
    header = [cell.value for cell in sheet[1]]
    assert sheet.column_dimensions["B"].width == pytest.approx(33)
    assert sheet.column_dimensions[get_column_letter(header.index("Notes") + 1)].width == pytest.approx(51)
    (kept,) = sheet.auto_filter.filterColumn
    assert kept.colId == header.index("_status")
    assert kept.filters.filter == ["awaiting_review"]


def test_what_others_typed_stays(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typed_by_many(typist)
    desk.review().ended(4)
    desk.wrote_once_each(FIRST)
    assert desk.results()[FIRST]["_status"] == "completed"
    is_still_there(desk)
    desk.review().ended(4)
    is_still_there(desk)
    with desk.typing() as typist:
        typist.approve(THIRD)
    desk.review().ended(4)
    is_still_there(desk)


@pytest.mark.parametrize(("command", "code"), [("refresh", 4), ("report", 0)])
def test_what_was_typed_and_not_sent_outlives_another_command(desk: ReviewDesk, command: str, code: int) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typed_by_many(typist)
    desk.command(command, "last", "--json").ended(code)
    assert desk.results()[FIRST]["_decision"] == "approve"
    is_still_there(desk)
    assert desk.server.arrivals == []
    desk.review().ended(4)
    desk.wrote_once_each(FIRST)


def lock_file(path: Path, name: str) -> Path:
    """Write the file that Excel keeps beside an open workbook; it holds the user's name in two encodings."""
    lock = path.with_name(f"~${path.name}")
    narrow = bytes([len(name)]) + name.encode("cp1252").ljust(54)
    wide = len(name).to_bytes(2, "little") + name.encode("utf-16-le").ljust(108, b" ")
    lock.write_bytes((narrow + wide)[:165])
    return lock


def test_a_file_that_is_open_in_excel_is_left_alone_and_it_says_by_whom(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST)
    lock = lock_file(desk.workbook, "Jörg Öffner")
    before, locked = desk.workbook.read_bytes(), lock.read_bytes()
    outcome = desk.review()
    assert desk.workbook.read_bytes() == before
    assert lock.read_bytes() == locked
    assert "Jörg Öffner" in outcome.words
    assert "Traceback" not in outcome.stderr
    lock.unlink()
    desk.review().ended(4)
    desk.wrote_once_each(FIRST)
    assert desk.results()[FIRST]["_status"] == "completed"


def test_a_copy_under_another_name_in_another_folder_serves_as_well(desk: ReviewDesk) -> None:
    desk.waits(4)
    folder = desk.folder / "für Erika"
    folder.mkdir()
    copy = Path(shutil.copy(desk.workbook, folder / "Prüfung März.xlsx"))
    with typing_into(copy) as typist:
        typist.approve(FIRST)
        typist.reject(SECOND)
    outcome = desk.review(path=copy).ended(1)
    assert outcome.document["workbook"] == str(copy)
    desk.wrote_once_each(FIRST, SECOND)
    assert desk.results(copy)[FIRST]["_status"] == "completed"
    assert sorted(path.name for path in folder.iterdir()) == ["Prüfung März.xlsx"]
    with desk.typing() as typist:  # the colleague at home has the old file, and decides another row
        typist.approve(THIRD)
        typist.reject(SECOND)
    desk.review().ended(1)
    desk.wrote_once_each(FIRST, SECOND, THIRD)
    shown = desk.results()
    assert [shown[key]["_status"] for key in (FIRST, SECOND, THIRD, FOURTH)] == [
        *("completed", "failed", "completed", "awaiting_review"),
    ]


def test_a_copy_in_a_sorted_order_with_rows_left_out_is_read_by_its_run_ids(desk: ReviewDesk) -> None:
    desk.waits(4)
    copy = desk.folder / "sorted.xlsx"
    shutil.copy(desk.workbook, copy)
    with typing_into(copy) as typist:
        _header, *rows = [[cell.value for cell in row] for row in typist.sheet.iter_rows()]
        typist.sheet.delete_rows(2, len(rows))
        kept = [row for row in reversed(rows) if row[0] != FIRST]
        for line, row in enumerate(kept, 2):
            for column, value in enumerate(row, 1):
                typist.sheet.cell(line, column).value = value
        typist.reject(SECOND, reason="this one")
    desk.review(path=copy).ended(1)
    desk.wrote_once_each(SECOND)
    assert {key: row["_status"] for key, row in desk.results(copy).items()} == {
        FIRST: "awaiting_review",
        SECOND: "failed",
        THIRD: "awaiting_review",
        FOURTH: "awaiting_review",
    }


def test_a_workbook_that_changes_while_it_is_reviewed_is_not_overwritten(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST)

    def saves_meanwhile(key: str, nth: int) -> None:
        with desk.typing() as typist:
            typist.approve(SECOND)

    desk.server.switches.script = saves_meanwhile
    outcome = desk.review()
    assert "Traceback" not in outcome.stderr
    assert desk.results()[SECOND]["_decision"] == "approve", "a colleague's decision is lost"
    desk.server.switches.script = lambda key, nth: None
    desk.review().ended(4)
    desk.wrote_once_each(FIRST, SECOND)


@pytest.mark.slow
@pytest.mark.skipif(SOFFICE is None, reason="LibreOffice is not here")
def test_a_workbook_that_libreoffice_has_saved_is_read_as_well(desk: ReviewDesk) -> None:
    desk.waits(4)
    with desk.typing() as typist:
        typist.approve(FIRST, word=" Approve")
        typist.reject(SECOND, reason="zu spät")
        typist.type(THIRD, _decision='=LOWER("APPROVE")', _override__account="00123", _override__amount=19.9)
    out = desk.folder / "saved"
    profile = f"-env:UserInstallation=file://{desk.folder}/profile"
    subprocess.run(
        [str(SOFFICE), profile, "--headless", "--convert-to", "xlsx", "--outdir", str(out), str(desk.workbook)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    saved = out / desk.workbook.name
    desk.review(path=saved).ended(1)
    desk.wrote_once_each(FIRST, SECOND, THIRD)
    assert desk.server.acted(SECOND)[0].body["rejectionReason"] == "zu spät"
    assert b'"account":"00123"' in desk.server.acted(THIRD)[0].raw
    assert b'"amount":19.9' in desk.server.acted(THIRD)[0].raw
    shown = desk.results(saved)
    assert [shown[key]["_status"] for key in (FIRST, SECOND, THIRD)] == ["completed", "failed", "completed"]


# Keys, live and the pace


@pytest.mark.parametrize("key", [REVIEWER_KEY, "CANARY.session.eyJhbGciOiJIUzI1NiJ9"], ids=["a key", "a session token"])
def test_reviews_bear_the_reviewers_key_and_runs_the_runners(desk: ReviewDesk, key: str) -> None:
    desk.server.switches.reviewer_keys = {key}
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST)
        typist.reject(SECOND)
    echo = Scripted(503, {"error": f"Bearer {key} and {key} may not"})
    desk.server.switches.script = lambda _, nth: echo if nth == 1 else None
    desk.review(environment={"RAPIDFOLIO_REVIEW_KEY": key}).ended(1)
    desk.wrote_once_each(FIRST, SECOND)
    assert {one.who for one in desk.server.arrivals} == {"reviewer"}


def test_a_reviewers_key_that_an_error_echoes_is_not_kept(desk: ReviewDesk) -> None:
    desk.server.switches.reviewer_keys = {REVIEWER_KEY}
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST)
        typist.reject(SECOND)
    desk.server.switches.script = lambda _, nth: Scripted(422, {"error": f"{REVIEWER_KEY} may not"})
    desk.review(environment={"RAPIDFOLIO_REVIEW_KEY": REVIEWER_KEY})
    assert desk.server.acted() == []  # and the desk looks for the key in all that was left behind


def test_a_runners_key_that_may_not_review_stops_and_is_put_right_by_the_reviewers(desk: ReviewDesk) -> None:
    desk.server.switches.reviewer_keys = {REVIEWER_KEY}
    desk.waits(2)
    with desk.typing() as typist:
        typist.approve(FIRST, SECOND)
    stopped = desk.review().ended(3)
    assert "reviewer" in stopped.words
    desk.review(environment={"RAPIDFOLIO_REVIEW_KEY": REVIEWER_KEY}).ended(0)
    desk.wrote_once_each(FIRST, SECOND)


def test_on_live_it_is_asked_about_with_counts_and_sums(desk: ReviewDesk) -> None:
    desk.waits(4, "-e", "live", "--yes", key=LIVE_RUNNER_KEY)
    with desk.typing() as typist:
        typist.approve(FIRST, FOURTH)  # 1.07 and 4.28
        typist.reject(THIRD)  # 3.21
    live: dict[str, Any] = {"environment": {"RAPIDFOLIO_REVIEW_KEY": LIVE_REVIEWER_KEY}, "key": LIVE_RUNNER_KEY}
    desk.server.switches.reviewer_keys = {LIVE_REVIEWER_KEY}
    refused = desk.refused(told=["5.35", "3.21", "--yes"], **live)
    assert "--yes" in refused.document["error"]["message"]
    desk.review("--dry-run", **live)
    assert desk.server.arrivals == []
    desk.review("--yes", **live).ended(1)
    desk.wrote_once_each(FIRST, THIRD, FOURTH)
    desk.review(**live).ended(1)  # nothing is left to be asked about


@pytest.mark.parametrize("troubled", [False, True], ids=["all goes well", "each is sent twice"])
def test_decisions_keep_to_the_rate_of_the_batch(desk: ReviewDesk, troubled: bool) -> None:
    desk.job(lambda text: text.replace("rate: 200/s", "rate: 10/s"))
    keys = desk.approved(20)
    desk.server.switches.script = lambda key, nth: Scripted(None, acts=True) if troubled and nth == 1 else None
    desk.review().ended(0)
    desk.wrote_once_each(*keys)
    at = sorted(arrival.at for arrival in desk.server.arrivals)
    most = max(sum(start <= moment < start + 0.95 for moment in at) for start in at)
    assert most <= 10, f"{most} decisions came within a second"
    assert at[-1] - at[0] < len(at) / 10 * 3, "that is far slower than it may be"
