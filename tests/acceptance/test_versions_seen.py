"""A new version of the procedure stops the batch that meets it; one that changed since the last batch is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import in_the_background, invoices
from ledger_server import ledger_of
from openpyxl import load_workbook

CONFIRM = "batchrun resume payouts-001 --confirm"


def slowly(text: str) -> str:
    """Make a job's runs async, and its pace one at which runs are read before all are sent."""
    return in_the_background(text).replace("rate: 200/s", "rate: 12/s")


def with_versions(desk: CrashDesk, of: Callable[[int], str]) -> None:
    """Let each run tell the version that its number gives."""
    read = desk.server._read

    def told(run_id: str) -> Any:
        answer = read(run_id)
        return type(answer)(answer.status, {**answer.body, "procedureVersionId": of(int(run_id[4:10]))})

    desk.server._read = told  # type: ignore[method-assign]


def summary(path: str) -> str:
    """Give all that the Summary says."""
    book = load_workbook(path)
    said = "\n".join(" ".join(str(cell) for cell in row if cell) for row in book["Summary"].iter_rows(values_only=True))
    book.close()
    return said


def test_a_version_that_changes_stops_the_batch_until_somebody_accepts_it_and_a_third_does_again(
    tmp_path: Path, crasher: Crasher
) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(40))
        desk.job(slowly)
        with_versions(desk, lambda number: "pv_1" if number <= 4 else "pv_2")
        first = desk.run().ended(3)
        said = first.document["stopped"]
        assert said.startswith("the procedure's version changed from pv_1 to pv_2 while the batch ran (row ")
        assert said.endswith("): nothing more is sent until somebody has looked")
        assert first.document["next"] == CONFIRM
        sent = len(desk.server.starts)
        assert 4 < sent < 40
        assert desk.states() == {"ready": 40 - sent, "completed": sent}  # what was sent was followed to its end
        assert "Versions seen pv_1, pv_2 (first seen in row " in summary(first.document["workbook"])
        again = desk.json("resume").ended(3)
        assert (again.document["stopped"], again.document["next"]) == (said, CONFIRM)
        tried = desk.command("retry", "last", "--status", "failed", "--json").ended(2)
        assert "has no row that is failed" in tried.document["error"]["message"]
        assert len(desk.server.starts) == sent
        with_versions(desk, lambda number: "pv_3")
        third = desk.json("resume", "--confirm").ended(3)
        assert "changed from pv_2 to pv_3" in third.document["stopped"]
        assert sent < len(desk.server.starts) < 40
        done = desk.json("resume", "--confirm").ended(0)
        assert ledger_of(desk).holds().accepted == len(desk.server.starts) == 40
        assert "Versions accepted pv_2 by " in summary(done.document["workbook"])


def test_a_change_that_is_seen_when_all_is_sent_is_told_and_stops_nothing(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(6))
        desk.job(in_the_background)
        with_versions(desk, lambda number: f"pv_{number // 4}")
        done = desk.run().ended(0)
        assert done.document["stopped"] is None
        assert "Note: the procedure's version changed from pv_0 to pv_1" in done.stderr


def test_a_version_that_changed_since_the_last_batch_is_told_and_kept(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(3))
        desk.job(in_the_background)
        assert "version is" not in desk.run().ended(0).stderr
        with_versions(desk, lambda _number: "pv_2")
        desk.sheet(invoices(3, first=11))
        note = "the procedure's version is pv_2; the last batch, payouts-001, ran with pv_1"
        second = desk.run().ended(0)
        assert f"Note: {note}" in second.stderr
        assert note in summary(second.document["workbook"])
        desk.sheet(invoices(3, first=21))
        assert "version is" not in desk.run().ended(0).stderr


def test_what_refresh_reads_counts_too(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(4))
        desk.job(in_the_background)
        with_versions(desk, lambda number: "pv_1" if number <= 2 else "pv_2")
        desk.run("--canary", "3", "--no-wait").ended(3)
        read = desk.json("refresh").ended(3)
        assert "Note: the procedure's version changed from pv_" in read.stderr
        held = desk.json("resume").ended(3)
        assert "the procedure's version changed" in held.document["stopped"]
        assert len(desk.server.starts) == 3
        desk.json("resume", "--confirm").ended(0)


def test_a_version_from_outside_cannot_steer_a_terminal(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(2))
        desk.job(in_the_background)
        with_versions(desk, lambda number: f"pv\x1b[2J\n{number}" + "x" * 500)
        done = desk.run().ended(0)
        assert "\x1b" not in done.stderr
        assert len(desk.ask_journal("SELECT * FROM versions_seen")) == 2
