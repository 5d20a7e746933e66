"""Killed and interrupted at moments that nobody chose: the server's ledger, the journal and the workbook agree."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from finance_desk import PATIENCE, Outcome, invoices, killed, until
from ledger_server import LedgerDesk, at_a_ledger, ledger_of, workbook_agrees

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")


@pytest.mark.slow
def test_1500_rows_killed_ten_times_at_random_moments_run_each_exactly_once(tmp_path: Path) -> None:
    dice = random.Random(1500)
    with at_a_ledger(tmp_path) as desk:
        desk.sheet(invoices(1_500))
        words = ["run", "payouts.yaml", "--rate", "500/s", "--concurrency", "16"]
        doubts = 0
        for _ in range(10):
            process = desk.started(*words, "--json")
            _kill_at_random(desk, process, dice)
            ledger = ledger_of(desk).holds()
            doubts += len(ledger.unknown)
            words = ["resume", "last"]
        resumed = desk.json("resume")
        resumed.ended(1 if "in_doubt" in desk.states() else 0)
        ledger = ledger_of(desk).holds()
        assert len(ledger.unknown) <= desk.states().get("in_doubt", 0) <= 10 * 16
        workbook_agrees(desk, resumed)
        print(f"in doubt {desk.states().get('in_doubt', 0)}, of which {len(ledger.unknown)} had been accepted")
        desk.settle_by_ledger()
        workbook_agrees(desk, desk.json("resume").ended(0))
        assert ledger_of(desk).holds().accepted == 1_500
        assert desk.states() == {"completed": 1_500}


def _kill_at_random(desk: LedgerDesk, process: subprocess.Popen[str], dice: random.Random) -> None:
    """Kill a sender some starts and some milliseconds after its first; it must not have ended by itself."""
    target = len(desk.server.starts) + dice.randrange(1, 120)
    until(lambda: len(desk.server.starts), lambda count: count >= target)
    moment = time.monotonic() + dice.uniform(0, 0.03)
    until(time.monotonic, lambda now: now >= moment)
    assert process.poll() is None
    killed(process)


def _under_way(desk: LedgerDesk, rows: int, sent: int, *words: str) -> subprocess.Popen[str]:
    desk.sheet(invoices(rows))
    process = desk.started("run", "payouts.yaml", "--json", *words)
    until(lambda: len(desk.server.starts), lambda count: count >= sent)
    return process


def _ended(process: subprocess.Popen[str]) -> Outcome:
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, stdout, stderr)


def test_one_ctrl_c_lets_what_is_under_way_end_and_writes_the_workbook(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path, latency=0.4) as desk:
        process = _under_way(desk, 30, 12)
        process.send_signal(signal.SIGINT)
        sent = len(desk.server.starts)
        stopped = _ended(process).ended(130)
        assert len(desk.server.starts) <= sent + 8
        assert set(desk.states()) == {"completed", "ready"}
        assert ledger_of(desk).holds().unknown == []
        workbook_agrees(desk, stopped)
        workbook_agrees(desk, desk.json("resume").ended(0))
        assert ledger_of(desk).holds().accepted == 30


def test_two_ctrl_c_leave_at_once_and_resume_doubts_what_was_under_way(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path, never_answer=lambda data: int(data["invoiceNumber"]) >= 20) as desk:
        process = _under_way(desk, 40, 19 + 8)
        process.send_signal(signal.SIGINT)
        until(lambda: "Interrupted" if process.poll() is None else "", bool)
        began = time.monotonic()
        _second_signal(process)
        stopped = _ended(process).ended(130)
        assert time.monotonic() - began < 10
        assert desk.states() == {"completed": 19, "sending": 8, "ready": 13}
        workbook_agrees(desk, stopped)
        desk.server.switches.never_answer = lambda data: False
        resumed = desk.json("resume").ended(1)
        assert desk.states() == {"completed": 32, "in_doubt": 8}
        assert len(ledger_of(desk).holds().unknown) == 8
        workbook_agrees(desk, resumed)


def _second_signal(process: subprocess.Popen[str]) -> None:
    """Send the second signal once the first has been told of."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Interrupted"):
            break
    process.send_signal(signal.SIGINT)


def test_a_grace_ends_the_wait_for_answers(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path, never_answer=lambda data: int(data["invoiceNumber"]) >= 20) as desk:
        process = _under_way(desk, 40, 19 + 8, "--grace", "1s")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _ended(process).ended(130)
        assert 0.9 < time.monotonic() - began < 10
        assert desk.states() == {"completed": 19, "sending": 8, "ready": 13}
        ledger_of(desk).holds()


@pytest.mark.parametrize("signals", [1, 2])
def test_a_reading_that_stalls_does_not_hold_an_interruption_up(tmp_path: Path, signals: int) -> None:
    with at_a_ledger(tmp_path, run_seconds=60) as desk:
        desk.job(lambda text: text.replace("mode: sync", "mode: async"))
        desk.server.read_seconds = 45
        process = _under_way(desk, 4, 4)
        until(lambda: desk.server.reads, bool)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        if signals == 2:
            _second_signal(process)
        _ended(process).ended(130)
        assert time.monotonic() - began < 10, "a reading can be made again at any time: nobody has to wait for it"
        assert desk.states() == {"running": 4}
        ledger_of(desk).holds()
