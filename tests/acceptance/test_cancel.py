"""`cancel`: another process stops within a second, the open runs are cancelled, and the rest can be sent after all."""

from __future__ import annotations

import json
import re
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import PATIENCE, Outcome, in_the_background, invoices, killed, until
from independent_server import LIVE_KEY
from ledger_server import LedgerDesk, ledger_of, workbook_agrees
from terminals import answered, heard, on_a_terminal


def sandbox_jobs(desk: LedgerDesk, rows: int) -> None:
    """Write an async job and its sheet."""
    desk.job(in_the_background)
    desk.sheet(invoices(rows))


@pytest.mark.parametrize("rate", ["10/s", pytest.param("30/min", marks=pytest.mark.slow)])
def test_cancel_stops_a_sender_in_another_process_within_a_second_and_cancels_its_runs(
    tmp_path: Path, crasher: Crasher, rate: str
) -> None:
    with at_a_crash_desk(tmp_path, crasher, run_seconds=60) as desk, ExitStack() as stack:
        desk.server.switches.review = lambda data: not desk.server.runs  # the first one
        sandbox_jobs(desk, 200)
        sender = stack.enter_context(desk.sending("--rate", rate))
        until(lambda: len(desk.server.runs), lambda count: count >= 3)
        for run in desk.server.runs.values():
            run.created -= 61 if not run.reviewed else 0  # it comes to its review at once
        until(desk.states, lambda states: "awaiting_review" in states)
        canceller = stack.enter_context(desk.started("cancel", "last", "--json"))
        until(lambda: desk.ask_journal("SELECT cancel_asked_at FROM batches")[0][0] or sender.poll() is not None, bool)
        began = time.monotonic()
        stdout, stderr = sender.communicate(timeout=PATIENCE)
        took, last = time.monotonic() - began, max(start.at for start in desk.server.starts)
        assert last - began < 1.2, "it went on sending"
        assert took < 6, "it went on following"
        stopped = Outcome(sender.returncode, stdout, stderr).ended(3)
        assert "cancelled" in stopped.document["stopped"]

        done = Outcome(0, *canceller.communicate(timeout=PATIENCE))
        assert canceller.returncode == 3, done.stderr
        sent = len(desk.server.runs)
        assert desk.states() == {"cancelled": sent - 1, "awaiting_review": 1, "ready": 200 - sent}
        assert len(desk.server.cancelled) == sent - 1
        [waiting] = [row.number for row in desk.rows() if row.state == "awaiting_review"]
        assert f"rows {waiting}" in done.words or f"row {waiting}" in done.words
        assert done.document["stopped"].startswith("cancelled by")
        assert not (tmp_path / "results-2.xlsx").exists(), "sender and canceller wrote a workbook each"
        workbook_agrees(desk, done)
        ledger_of(desk).holds()


def test_what_was_cancelled_is_sent_after_all_when_it_is_resumed(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, run_seconds=0.1) as desk:
        sandbox_jobs(desk, 30)
        with desk.sending("--rate", "5/s") as sender:
            until(lambda: len(desk.server.runs), lambda count: count >= 3)
            desk.json("cancel").ended(3)
            sender.communicate(timeout=PATIENCE)
        assert sender.returncode == 3
        assert 0 < desk.states()["ready"] < 30
        desk.tell_journal("UPDATE batches SET settings = json_set(settings, '$.rate', 'unlimited')")
        resumed = desk.json("resume")
        assert resumed.code == (1 if "cancelled" in desk.states() else 0)
        assert ledger_of(desk).holds().accepted == 30
        workbook_agrees(desk, resumed)


def test_a_cancellation_that_nobody_heard_does_not_stop_the_next_resume(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(30))
        desk.run("--no-wait", key="rsk_sandbox_CANARYexpired").ended(3)
        desk.tell_journal("UPDATE batches SET cancel_asked_at = '2026-10-01T00:00:00.000000Z'")
        desk.tell_journal("UPDATE batches SET settings = json_set(settings, '$.rate', '20/s')")
        desk.json("resume").ended(0)
        assert desk.states() == {"completed": 30}


def test_cancel_with_a_bad_key_asks_only_as_often_as_there_are_workers(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, run_seconds=60) as desk:
        sandbox_jobs(desk, 40)
        desk.run("--no-wait").ended(4)
        before, began = len(desk.server.requests), time.monotonic()
        refused = desk.json("cancel", key="rsk_sandbox_CANARYexpired")
        assert time.monotonic() - began < 5
        assert len(desk.server.requests) - before <= 2 * 8
        refused.ended(3)
        assert "401" in refused.words
        assert desk.states() == {"running": 40}


def test_open_runs_are_cancelled_at_once_however_slowly_the_job_sends(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, run_seconds=60) as desk:
        sandbox_jobs(desk, 6)
        desk.run("--no-wait").ended(4)
        desk.tell_journal("UPDATE batches SET settings = json_set(settings, '$.rate', '6/min')")
        began = time.monotonic()
        desk.json("cancel").ended(1)
        assert time.monotonic() - began < 10
        assert desk.states() == {"cancelled": 6}


def test_cancel_of_a_killed_sender_doubts_what_was_under_way(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, never_answer=lambda data: int(data["invoiceNumber"]) > 4) as desk:
        desk.sheet(invoices(20))
        with desk.sending() as sender:
            until(lambda: len(desk.server.runs), lambda count: count == 12)
            killed(sender)
        done = desk.json("cancel").ended(3)
        assert desk.states() == {"completed": 4, "in_doubt": 8, "ready": 8}
        assert len(ledger_of(desk).holds().unknown) == 8
        workbook_agrees(desk, done)


def test_a_batch_that_ended_has_nothing_to_cancel(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(3))
        desk.run().ended(0)
        before = len(desk.server.requests)
        assert desk.json("cancel", key="").ended(0).document["counts"] == {"completed": 3}
        assert len(desk.server.requests) == before


CONFIRM = "batchrun resume payouts-001 --confirm"


def cancelled_on_live(desk: CrashDesk) -> Outcome:
    """Cancel a batch on live of which two payments were sent and ten are left."""
    desk.sheet(invoices(12))
    desk.run("-e", "live", "--yes", "--canary", "2", key=LIVE_KEY).ended(3)
    desk.tell_journal("UPDATE batches SET settings = json_set(settings, '$.canary', json('null'))")
    assert desk.json("cancel", "--yes", key=LIVE_KEY).ended(3).document["next"] == CONFIRM
    return desk.command("status", "payouts-001", "--json")


@pytest.mark.parametrize(
    "words",
    [
        ("resume", "payouts-001"),
        ("resume", "payouts-001", "--yes"),
        ("resume", "last", "--yes"),
        ("run", "payouts.yaml", "-e", "live", "--or-resume", "--yes"),
    ],
)
def test_on_live_what_was_cancelled_is_not_sent_where_nobody_says_so(
    tmp_path: Path, crasher: Crasher, words: tuple[str, ...]
) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        assert cancelled_on_live(desk).document["next"] == CONFIRM
        refused = desk.command(*words, "--json", key=LIVE_KEY).ended(2)
        assert refused.document["next"] == CONFIRM
        assert refused.document["error"]["code"] == "held-back"
        assert "cancelled on live by" in refused.document["error"]["message"]
        assert "10 rows left to send" in refused.words
        assert len(desk.server.starts) == 2


def test_on_live_what_was_cancelled_goes_on_once_it_is_confirmed_and_the_journal_keeps_who(
    tmp_path: Path, crasher: Crasher
) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        cancelled_on_live(desk)
        again = desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(2)
        assert again.document["next"] == CONFIRM
        desk.json("resume", "--confirm", batch="payouts-001", key=LIVE_KEY).ended(0)
        assert ledger_of(desk).holds().accepted == len(desk.server.starts) == 12
        [(kept,)] = desk.ask_journal("SELECT json_extract(settings, '$.cancelled') FROM batches")
        said = json.loads(kept)
        assert said["by"] == said["taken_up"]["by"]
        assert said["taken_up"]["how"] == "resume --confirm"
        desk.json("resume", batch="payouts-001", key=LIVE_KEY).ended(0)


def test_on_live_a_cancellation_that_its_sender_never_heard_holds_too(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        cancelled_on_live(desk)
        desk.tell_journal(
            "UPDATE batches SET settings = json_remove(settings, '$.cancelled'), "
            "cancel_asked_at = '2026-10-01T00:00:00.000000Z'"
        )
        refused = desk.json("resume", batch="payouts-001", key=LIVE_KEY).ended(2)
        assert "cancelled on live by somebody" in refused.words
        assert len(desk.server.starts) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a terminal as POSIX has it")
@pytest.mark.parametrize(("answer", "code", "starts"), [("y", 0, 12), ("n", 2, 2), ("", 130, 2)])
def test_on_a_terminal_a_cancelled_live_batch_is_asked_about_with_count_and_sums(
    tmp_path: Path, crasher: Crasher, answer: str, code: int, starts: int
) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        cancelled_on_live(desk)
        with on_a_terminal(desk, "resume", "payouts-001", "--json", key=LIVE_KEY) as (process, terminal):
            said = heard(terminal, "[y/N]")
            assert "cancelled on live by" in said
            assert re.search(r"Send the 10 rows that are left to LIVE; Amount [0-9,]+\.[0-9]{2}\?", said), said
            assert len(desk.server.starts) == 2
            document = answered(process, terminal, answer)
        assert (process.returncode, len(desk.server.starts)) == (code, starts)
        assert document["next"] == (CONFIRM if code else None)
