"""Every way in which an answer breaks, held against the server's own ledger: no run too many, none too few."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from crashing_batchrun import Crasher, at_a_crash_desk
from finance_desk import Outcome, invoices
from ledger_server import (
    BEFORE,
    DOCUMENT_KEYS,
    Fault,
    LedgerDesk,
    at_a_ledger,
    for_keys,
    ledger_of,
    one_in_three,
    workbook_agrees,
)

STATES = {Fault.SLOW_DOWN_429: "completed", Fault.STALL: "completed", Fault.REFUSED_422: "refused"}
MOST_ROUNDS = 25


@pytest.mark.parametrize("fault", Fault)
def test_a_broken_answer_leaves_its_row_known_or_in_doubt(tmp_path: Path, crasher: Crasher, fault: Fault) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.server.plan = for_keys(fault, 3, 6)
        desk.sheet(invoices(8))
        outcome = desk.run()
        assert desk.server.fired == {fault: 2}
        ledger = ledger_of(desk).holds()
        assert ledger.accepted == (6 if fault in BEFORE and fault is not Fault.SLOW_DOWN_429 else 8)
        workbook_agrees(desk, outcome)
        assert {desk.row(key).state for key in ("00003", "00006")} == {
            STATES.get(fault, "in_doubt")
        } or "CUT" in fault.name
        assert sum(row.state == "completed" for row in desk.rows()) >= 6
        outcome.ended(0 if "in_doubt" not in desk.states() and "refused" not in desk.states() else 1)


def test_a_run_id_in_an_answer_that_was_cut_later_is_known_and_a_cut_one_is_not(tmp_path: Path) -> None:
    with at_a_ledger(tmp_path) as desk:
        desk.server.plan = lambda key, _: Fault.CUT if int(key) % 2 else Fault.CUT_NO_LENGTH
        desk.sheet(invoices(60))
        outcome = desk.run()
        ledger = ledger_of(desk).holds()
        assert ledger.accepted == desk.server.fired.total() == 60
        assert 0 < len(ledger.unknown) < 60, "the cuts fell on one side of the run id only"
        assert desk.states()["in_doubt"] == len(ledger.unknown)
        workbook_agrees(desk, outcome)


@pytest.mark.slow
@pytest.mark.alone
def test_5000_rows_of_which_a_third_of_all_answers_are_broken_run_each_exactly_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with at_a_ledger(tmp_path) as desk:
        desk.server.plan = one_in_three(2026)
        # By dice, and not each third: where three readings come in turn, it would be the same one's each time.
        desk.server.break_reads = lambda count: random.Random(f"2026:{count}").random() < 1 / 3
        desk.sheet(invoices(5_000))
        first = _long(
            desk, "run", "payouts.yaml", "--rate", "unlimited", "--concurrency", "16", "--base-url", desk.server.origin
        )
        print(f"run {time.monotonic() - began:.0f} s")
        assert first.code == 1, first.stderr
        assert set(desk.server.fired) == set(Fault)
        assert 0.3 < desk.server.fired.total() / len(desk.server.starts) < 0.36
        ledger = ledger_of(desk).holds()
        workbook_agrees(desk, first)
        figures = {"accepted": ledger.accepted, "in doubt": len(ledger.unknown), "states": desk.states()}
        rounds = _to_the_end(desk)
        ended = ledger_of(desk).holds()
        assert (ended.accepted, ended.unknown) == (5_000, [])
        assert desk.states() == {"completed": 5_000}
        workbook_agrees(desk, desk.json("report").ended(0))
        seconds = time.monotonic() - began
        print(f"{seconds:.0f} s, {rounds} rounds; after the run: {figures}; {desk.server.fired.total()} faults")
        assert seconds < 120


def _to_the_end(desk: LedgerDesk) -> int:
    """Resume, settle and retry until every row has its run; hold the ledger each time."""
    for number in range(1, MOST_ROUNDS):
        desk.settle_by_ledger()
        states = desk.states()
        if set(states) == {"completed"}:
            return number
        words = ("retry", "last") if "ready" not in states else ("resume", "last")
        assert _long(desk, *words).code in (0, 1, 3)
        ledger_of(desk).holds()
    raise AssertionError(f"not at its end after {MOST_ROUNDS} rounds: {desk.states()}")


def _long(desk: LedgerDesk, *words: str) -> Outcome:
    with desk.started(*words, "--json", origin=False) as process:
        stdout, stderr = process.communicate(timeout=150)
    outcome = Outcome(process.returncode, stdout, stderr)
    assert set(outcome.document) == DOCUMENT_KEYS
    return outcome
