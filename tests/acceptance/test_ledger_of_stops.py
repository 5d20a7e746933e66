"""Every way in which a batch stops, held against the server's ledger; and that it goes on from there."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import PATIENCE, Outcome, invoices, until
from ledger_server import Fault, LedgerDesk, at_a_ledger, ledger_of, workbook_agrees


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[CrashDesk]:
    """Give a desk; whatever happens at it, its ledger holds."""
    with at_a_crash_desk(tmp_path, crasher) as one:
        yield one
        ledger_of(one).holds()


def ends_well(desk: LedgerDesk, rows: int) -> None:
    """Resume what has stopped, and settle what is in doubt: every row has its one run."""
    resumed = desk.json("resume")
    workbook_agrees(desk, resumed)
    while desk.settle_by_ledger():
        resumed = desk.json("resume")
    resumed.ended(0)
    assert ledger_of(desk).holds().accepted == rows
    assert desk.states() == {"completed": rows}


# The key, refusals, doubts, the network


def test_a_key_that_is_deleted_half_way_costs_at_most_what_is_in_flight(desk: CrashDesk) -> None:
    desk.sheet(invoices(60))
    keys = desk.server.switches.keys
    desk.server.switches.review = lambda data: bool(len(desk.server.runs) >= 20 and _delete_keys(desk))
    stopped = desk.run().ended(3)
    refused = [start for start in desk.server.starts if start.key != "right"]
    assert 1 <= len(refused) <= 8
    assert desk.states() == {"completed": len(desk.server.runs), "ready": 60 - len(desk.server.runs)}
    assert "401" in stopped.document["stopped"]
    workbook_agrees(desk, stopped)
    desk.server.switches.keys = keys
    desk.server.switches.review = lambda data: False
    ends_well(desk, 60)


def _delete_keys(desk: CrashDesk) -> bool:
    desk.server.switches.keys = set()
    return False


@pytest.mark.parametrize(("most", "borne"), [("5", 5), ("10%", 6)])
def test_max_errors_is_borne_and_one_more_stops(desk: CrashDesk, most: str, borne: int) -> None:
    desk.sheet(invoices(60))
    desk.server.switches.refuse = lambda data: "no" if int(data["invoiceNumber"]) > 10 else None
    stopped = desk.run("--max-errors", most, "--concurrency", "1").ended(3)
    assert desk.states() == {"completed": 10, "refused": borne + 1, "ready": 60 - 11 - borne}
    assert "--max-errors" in stopped.document["stopped"]
    desk.json("resume", "--max-errors", "1").ended(3)
    assert desk.states()["refused"] == borne + 1 + 2
    desk.server.switches.refuse = lambda data: None
    desk.json("resume").ended(1)
    desk.json("retry").ended(0)
    assert ledger_of(desk).accepted == 60


@pytest.mark.parametrize("most", ["many", "-1", "5 %%"])
def test_a_max_errors_that_is_no_number_is_a_bad_command_line(desk: CrashDesk, most: str) -> None:
    desk.sheet(invoices(3))
    assert desk.run(f"--max-errors={most}").ended(2).document["error"]["code"] == "bad-command-line"
    desk.run(key="rsk_sandbox_CANARYexpired").ended(3)
    wrong = desk.json("resume", f"--max-errors={most}").ended(2)
    assert wrong.document["error"]["code"] == "bad-command-line"
    desk.json("resume").ended(0)


def test_ten_refusals_before_an_acceptance_stop_and_resume_goes_on(desk: CrashDesk) -> None:
    desk.sheet(invoices(60))
    desk.server.switches.refuse = lambda data: "the procedure takes no EUR"
    stopped = desk.run("--concurrency", "1").ended(3)
    assert desk.states() == {"refused": 10, "ready": 50}
    assert "no EUR" in stopped.document["stopped"]
    desk.server.switches.refuse = lambda data: None
    desk.json("resume").ended(1)
    desk.json("retry").ended(0)
    assert ledger_of(desk).accepted == 60


@pytest.mark.slow
def test_five_doubts_in_a_row_wait_until_the_api_is_back_and_it_goes_on_by_itself(desk: CrashDesk) -> None:
    desk.sheet(invoices(30))
    desk.server.plan = lambda key, attempt: Fault.ERROR_500 if 6 <= int(key) <= 10 else None
    desk.server.break_reads = lambda count: count == 1
    outcome = desk.run("--concurrency", "1").ended(1)
    assert desk.server.fired == {Fault.ERROR_500: 5}
    assert desk.server.reads == 2
    assert desk.states() == {"completed": 25, "in_doubt": 5}
    assert outcome.document["stopped"] is None
    ends_well(desk, 30)


def test_a_network_that_is_gone_stops_with_all_rows_ready_and_resume_goes_on(desk: CrashDesk) -> None:
    desk.sheet(invoices(40))
    desk.server.go_down()
    stopped = desk.run().ended(3)
    assert "cannot be reached" in stopped.document["stopped"]
    assert desk.states() == {"ready": 40}
    workbook_agrees(desk, stopped)
    desk.json("resume").ended(3)
    desk.server.come_back()
    ends_well(desk, 40)


@pytest.mark.slow
def test_a_network_that_goes_half_way_leaves_rows_ready_or_in_doubt(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path, latency=0.05) as desk:
        desk.sheet(invoices(200))
        with desk.sending("--concurrency", "4") as sender:  # five in doubt would wait for the API for ten minutes
            until(lambda: len(desk.server.runs), lambda count: count >= 20)
            desk.server.go_down()
            stdout, stderr = sender.communicate(timeout=PATIENCE)
        stopped = Outcome(sender.returncode, stdout, stderr).ended(3)
        assert "cannot be reached" in stopped.document["stopped"]
        assert set(desk.states()) <= {"completed", "ready", "in_doubt"}
        assert desk.states().get("in_doubt", 0) <= 4
        assert len(ledger_of(desk).holds().unknown) <= desk.states().get("in_doubt", 0)
        workbook_agrees(desk, stopped)
        desk.server.come_back()
        ends_well(desk, 200)


# The disk


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path]:
    """Mount a small disk of memory, where the system lets us."""
    folder.mkdir()
    mount = shutil.which("mount")
    line = [str(mount), "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if mount is None or subprocess.run(line, capture_output=True, check=False).returncode != 0:
        pytest.skip("this system does not let us mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_stops_with_3_and_the_answers_under_way_are_kept(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=6M") as disk, at_a_ledger(tmp_path) as desk:
        desk.journal = disk / "journal.db"
        desk.environment["BATCHRUN_JOURNAL"] = str(desk.journal)
        desk.sheet(invoices(1_500))
        stopped = desk.run("--rate", "unlimited").ended(3)
        assert not (disk / "journal.db.reserve").exists(), "the disk was not full"
        assert "full" in stopped.words
        assert "Traceback" not in stopped.stderr
        assert stopped.document["counts"]["ready"] >= 1
        assert set(stopped.document["counts"]) <= {"completed", "ready"}, "an answer found no room"
        assert ledger_of(desk).holds().unknown == []
        workbook_agrees(desk, stopped)
        subprocess.run(["mount", "-o", "remount,size=60M", str(disk)], check=True)
        ends_well(desk, 1_500)


@pytest.mark.parametrize("filled", ["before", "after staging"])
def test_a_disk_that_is_full_from_the_start_is_told_in_a_sentence(tmp_path: Path, filled: str) -> None:
    with small_disk(tmp_path / "disk", "size=9M") as disk, at_a_ledger(tmp_path) as desk:
        desk.journal = disk / "journal.db"
        desk.environment["BATCHRUN_JOURNAL"] = str(desk.journal)
        desk.sheet(invoices(40))
        if filled == "after staging":
            desk.run(key="rsk_sandbox_CANARYexpired").ended(3)
        (disk / "journal.db.reserve").unlink(missing_ok=True)
        _fill(disk / "ballast")
        stopped = desk.run("--or-resume")
        assert stopped.code in (2, 3), stopped.stderr
        assert "Traceback" not in stopped.stderr
        assert "disk" in stopped.document["error"]["message"]
        assert len(desk.server.runs) == 0
        (disk / "ballast").unlink()
        desk.run("--or-resume").ended(0)
        assert ledger_of(desk).holds().accepted == 40


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="limits are set as POSIX has them")
def test_a_journal_that_cannot_grow_stops_with_3_and_loses_nothing(tmp_path: Path) -> None:
    import resource

    with at_a_ledger(tmp_path) as desk:
        desk.sheet(invoices(400))
        limit = 700_000
        process = desk.started(
            *("run", "payouts.yaml", "--rate", "unlimited", "--json"),
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        )
        stdout, stderr = process.communicate(timeout=PATIENCE)
        stopped = Outcome(process.returncode, stdout, stderr).ended(3)
        assert "Traceback" not in stopped.stderr
        assert "full" in stopped.words
        assert 0 < len(desk.server.runs) < 400, "the limit came too early or too late"
        ledger_of(desk).holds()
        ends_well(desk, 400)


@pytest.mark.parametrize("why", ["a file in its place", "a read-only disk"])
def test_a_workbook_that_cannot_be_written_is_told_and_changes_no_exit_code(
    tmp_path: Path, crasher: Crasher, why: str
) -> None:
    with small_disk(tmp_path / "disk", "ro") as disk:
        folder = tmp_path / "desk"
        folder.mkdir()
        with at_a_crash_desk(folder, crasher) as desk:
            target = disk
            if why == "a file in its place":
                target = folder / "taken"
                target.write_text("no folder")
            desk.sheet(invoices(5))
            done = desk.run("-o", str(target / "results.xlsx")).ended(0)
            assert "batchrun report payouts-001" in done.words
            assert done.document["counts"] == {"completed": 5}
            assert done.document["workbook"] is None
            written = desk.json("report", "-o", str(folder / "elsewhere.xlsx")).ended(0)
            workbook_agrees(desk, written)


# The journal itself


def as_garbage(path: Path) -> None:
    """Overwrite it all."""
    path.write_bytes(os.urandom(8192))


def as_rubble(path: Path) -> None:
    """Overwrite all but the first page."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * (size - 100))


def as_version_99(path: Path) -> None:
    """Say that a newer program wrote it."""
    _tell(path, "UPDATE meta SET value = '99' WHERE name = 'version'")


def _tell(path: Path, *statements: str) -> None:
    journal = sqlite3.connect(path)
    for statement in statements:
        journal.execute(statement)
    journal.commit()
    journal.close()


@pytest.mark.parametrize("broken", [as_garbage, as_rubble, as_version_99])
def test_a_journal_that_cannot_be_used_is_told_in_a_sentence_and_nothing_is_sent(
    desk: CrashDesk, broken: object
) -> None:
    assert callable(broken)
    desk.sheet(invoices(5))
    desk.run("--no-wait").ended(0)
    sound = _sound_copy(desk)
    broken(desk.journal)
    starts = len(desk.server.starts)
    for words in (["run", "payouts.yaml", "--json", "--again"], ["resume", "last", "--json"], ["status", "--json"]):
        outcome = desk.command(*words).ended(2)
        assert outcome.document["error"]["code"] == "journal-unusable", outcome.document
        assert len(outcome.document["error"]["message"].splitlines()) == 1
        assert str(desk.journal) in outcome.words
    assert len(desk.server.starts) == starts
    for path in desk.journal.parent.glob("journal.db-*"):
        path.unlink()
    desk.journal.write_bytes(sound)


def _sound_copy(desk: CrashDesk) -> bytes:
    _tell(desk.journal, "PRAGMA user_version")
    journal = sqlite3.connect(desk.journal)
    journal.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal.close()
    return desk.journal.read_bytes()
