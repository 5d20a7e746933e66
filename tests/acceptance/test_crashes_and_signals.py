"""Killed, interrupted and resumed: no row twice, no row lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from finance_desk import PATIENCE, Desk, Outcome, at_a_desk, invoices, killed, until

ROWS = invoices(80)
KEYS = [row["Invoice No"] for row in ROWS]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")


def under_way(desk: Desk, sent: int) -> subprocess.Popen[str]:
    """Start the job and come back once the server has seen so many starts."""
    desk.sheet(ROWS)
    process = desk.started("run", "payouts.yaml", "--json")
    until(lambda: len(desk.server.starts), lambda count: count >= sent)
    return process


@pytest.mark.parametrize("sent", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_after_sigkill_no_row_goes_twice_and_those_under_way_are_in_doubt(tmp_path: Path, sent: int) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        killed(under_way(desk, sent))
        resumed = desk.command("resume", "last", "--json").ended(1)
        counts = resumed.document["counts"]
        assert set(counts) == {"completed", "in_doubt"}
        assert sum(counts.values()) == 80
        assert 1 <= counts["in_doubt"] <= 8
        assert set(Counter(desk.server.sent("invoiceNumber")).values()) == {1}
        for shown in desk.answer(resumed).rows:
            assert (shown["_status"] == "in_doubt") is (shown["_run_id"] is None)
        assert set(KEYS) - set(desk.server.sent("invoiceNumber")) <= {
            shown["Invoice No"] for shown in desk.answer(resumed).rows if shown["_status"] == "in_doubt"
        }


def test_a_batch_killed_before_its_first_request_is_resumed_whole_or_not_recorded(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(ROWS)
        process = desk.started("run", "payouts.yaml", "--json")
        until(desk.journal.exists, bool)
        killed(process)
        desk.run("--or-resume")
        sent = Counter(desk.server.sent("invoiceNumber"))
        assert set(sent.values()) == {1}
        assert len(desk.server.starts) == len(sent)


def test_sigterm_ends_with_130_a_workbook_and_a_batch_to_resume(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        process = under_way(desk, 20)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        stopped = Outcome(process.returncode, stdout, stderr).ended(130)
        document = stopped.document
        assert document["stopped"]
        assert document["next"] == "batchrun resume payouts-001"
        assert document["counts"]["ready"] >= 1
        assert "in_doubt" not in document["counts"]
        assert "sending" not in document["counts"]
        assert sum(document["counts"].values()) == 80
        assert len(desk.answer(stopped).rows) == 80

        resumed = desk.command("resume", "payouts-001", "--json").ended(0)
        assert resumed.document["counts"] == {"completed": 80}
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(KEYS)


@pytest.mark.slow
def test_ctrl_c_twice_leaves_what_is_under_way_in_doubt_after_resume(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, never_answer=lambda data: int(data["invoiceNumber"]) == 20) as desk:
        process = under_way(desk, 30)
        process.send_signal(signal.SIGINT)
        until(lambda: desk.batches()[0]["counts"], lambda counts: counts.get("sending") == 1)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=PATIENCE)
        Outcome(process.returncode, stdout, stderr).ended(130)
        assert Outcome(process.returncode, stdout, stderr).document["stopped"]
        resumed = desk.command("resume", "last", "--json").ended(1)
        assert resumed.document["counts"] == {"completed": 79, "in_doubt": 1}
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(KEYS)


def interrupted_while_the_workbook_is_written(desk: Desk, *more: int) -> Outcome:
    """Interrupt a run, and once more, or oftener, while it writes its workbook."""
    process = under_way(desk, 20)
    process.send_signal(signal.SIGINT)
    until(lambda: desk.batches()[0]["stopped"] == "you interrupted it", bool)
    for number in more:
        process.send_signal(number)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    return Outcome(process.returncode, stdout, stderr).ended(130)


def test_a_second_ctrl_c_while_the_workbook_is_written_lets_it_be_written(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        stopped = interrupted_while_the_workbook_is_written(desk, signal.SIGINT)
        assert stopped.document["error"] is None
        assert stopped.document["next"] == "batchrun resume payouts-001"
        assert len(desk.answer(stopped).rows) == 80


def test_a_third_ctrl_c_leaves_without_the_workbook_and_still_says_how_to_go_on(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        stopped = interrupted_while_the_workbook_is_written(desk, signal.SIGINT, signal.SIGTERM)
        assert stopped.document["next"] == "batchrun resume payouts-001"
        assert stopped.document["counts"]["ready"] >= 1
        if stopped.document["workbook"] is None:  # unless it was done by then
            assert "batchrun report payouts-001" in stopped.words
        desk.command("resume", "last", "--json").ended(0)
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(KEYS)


@pytest.mark.slow
def test_a_killed_batch_can_be_looked_at_without_changing_it(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        killed(under_way(desk, 10))
        before = len(desk.server.requests)
        first = desk.command("status", "last", "--json").ended(0).stdout
        assert desk.command("status", "last", "--json").ended(0).stdout == first
        assert len(desk.server.requests) == before
        again = desk.run().ended(2)
        assert again.document["next"] == "batchrun resume payouts-001"
        assert len(desk.server.requests) == before


def test_refresh_of_a_killed_batch_sends_no_row(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.1) as desk:
        killed(under_way(desk, 10))
        until(lambda: len(desk.server.runs) == len(desk.server.starts), bool)
        before = len(desk.server.starts)
        refreshed = desk.command("refresh", "last", "--json")
        assert len(desk.server.starts) == before
        assert refreshed.document["counts"]["ready"] >= 1
        assert refreshed.document["stopped"], "stopped is null only once nothing is left to send"
        refreshed.ended(3)
