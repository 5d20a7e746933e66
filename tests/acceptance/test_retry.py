"""`retry`: rows that ended are sent once more, those that are named and no others, and their history stays."""

from __future__ import annotations

from pathlib import Path

from crashing_batchrun import Crasher, at_a_crash_desk
from finance_desk import invoices, until
from independent_server import LIVE_KEY
from ledger_server import Fault, LedgerDesk, for_keys, ledger_of, workbook_agrees


def one_in_five(data: object) -> str | None:
    """Say no to four of twenty."""
    assert isinstance(data, dict)
    return "vendor is blocked" if int(data["invoiceNumber"]) % 5 == 0 else None


def third(data: object) -> str | None:
    """Let the third run fail."""
    assert isinstance(data, dict)
    return "no funds" if int(data["invoiceNumber"]) == 3 else None


def attempts(desk: LedgerDesk) -> dict[str, int]:
    """Give the attempts of the rows that had more than one."""
    return {row.key: row.attempts for row in desk.rows() if row.attempts != 1}


def test_refused_rows_are_sent_again_and_keep_their_history(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=one_in_five) as desk:
        desk.sheet(invoices(20))
        desk.run().ended(1)
        assert desk.states() == {"completed": 16, "refused": 4}
        again = desk.json("retry").ended(1)
        assert again.document["counts"] == {"completed": 16, "refused": 4}
        desk.server.switches.refuse = lambda data: None
        done = desk.json("retry").ended(0)
        assert attempts(desk) == {"00005": 3, "00010": 3, "00015": 3, "00020": 3}
        assert ledger_of(desk).holds().accepted == 20
        workbook_agrees(desk, done)
        life = desk.command("show", "last", "--row", "6", "--json").ended(0).document
        assert [step["after"] for step in life["steps"]].count("sending") == 3
        assert [step["after"] for step in life["steps"]].count("refused") == 2


def test_only_the_rows_that_are_named_are_sent_again(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, refuse=one_in_five) as desk:
        desk.sheet(invoices(20))
        desk.run().ended(1)
        desk.server.switches.refuse = lambda data: None
        desk.json("retry", "--rows", "6,11").ended(1)
        assert attempts(desk) == {"00005": 2, "00010": 2}
        nothing = desk.json("retry", "--rows", "2-5").ended(2)
        assert "no row that is refused among those" in nothing.words
        assert len(desk.server.starts) == 22


def test_rows_that_were_never_sent_are_not_sent_with_a_retry(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(
        tmp_path, crasher, refuse=lambda data: "no" if int(data["invoiceNumber"]) > 4 else None
    ) as desk:
        desk.sheet(invoices(60))
        desk.run("--max-errors", "3", "--concurrency", "1").ended(3)
        assert desk.states() == {"completed": 4, "refused": 4, "ready": 52}
        desk.server.switches.refuse = lambda data: None
        before = len(desk.server.starts)
        refused = desk.json("retry", "--rows", "6", "--yes").ended(2)
        assert len(desk.server.starts) == before, "rows went out that nobody named"
        assert refused.document["next"] == "batchrun resume payouts-001"
        desk.json("resume").ended(1)
        desk.json("retry", "--rows", "6").ended(1)
        assert desk.states() == {"completed": 57, "refused": 3}


def test_failed_and_cancelled_runs_run_again_in_the_sandbox_when_they_are_named(
    tmp_path: Path, crasher: Crasher
) -> None:
    with at_a_crash_desk(tmp_path, crasher, fail=third) as desk:
        desk.job(lambda text: text.replace("mode: sync", "mode: async"))
        desk.sheet(invoices(5))
        desk.run("--no-wait").ended(4)
        desk.server.cancelled.add(desk.server.accepted("00004")[0])
        desk.json("refresh").ended(1)
        assert desk.states() == {"completed": 3, "failed": 1, "cancelled": 1}
        assert "no row that is refused" in desk.json("retry").ended(2).words
        desk.server.switches.fail = lambda data: None
        done = desk.json("retry", "--status", "failed,cancelled").ended(0)
        assert "may have taken effect" in done.words
        assert attempts(desk) == {"00003": 2, "00004": 2}
        assert {key: len(desk.server.accepted(key)) for key in ("00001", "00003", "00004")} == {
            "00001": 1,
            "00003": 2,
            "00004": 2,
        }
        assert [desk.row(key).run_id for key in ("00003", "00004")] == [
            desk.server.accepted(key)[1] for key in ("00003", "00004")
        ]
        workbook_agrees(desk, done)


def test_rows_in_doubt_are_never_sent_again_by_a_retry(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.server.plan = for_keys(Fault.HANG_UP, 2)
        desk.sheet(invoices(4))
        desk.run().ended(1)
        refused = desk.json("retry", "--status", "in_doubt").ended(2)
        assert "batchrun resolve" in refused.words
        assert "batchrun resolve" not in desk.json("retry", "--status", "completed").ended(2).words
        desk.json("retry").ended(2)
        assert len(desk.server.starts) == 4
        assert desk.states() == {"completed": 3, "in_doubt": 1}


def test_on_live_a_failed_run_has_to_be_named_and_is_warned_of(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher, fail=third) as desk:
        desk.job(lambda text: text.replace("mode: sync", "mode: async"))
        desk.sheet(invoices(5))
        desk.run("-e", "live", "--yes", key=LIVE_KEY).ended(1)
        name = desk.batches()[0]["batch"]
        unnamed = desk.json("retry", "--status", "failed", "--yes", batch=name, key=LIVE_KEY).ended(2)
        assert "--rows" in unnamed.words
        unanswered = desk.json("retry", "--status", "failed", "--rows", "4", batch=name, key=LIVE_KEY).ended(2)
        assert "--yes" in unanswered.words
        assert len(desk.server.starts) == 5
        desk.server.switches.fail = lambda data: None
        done = desk.json("retry", "--status", "failed", "--rows", "4", "--yes", batch=name, key=LIVE_KEY).ended(0)
        assert "may have taken effect" in done.words
        assert attempts(desk) == {"00003": 2}


def test_a_retry_beside_a_sender_waits_for_it(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(
        tmp_path, crasher, refuse=one_in_five, never_answer=lambda data: int(data["invoiceNumber"]) == 20
    ) as desk:
        desk.sheet(invoices(24))
        desk.server.switches.refuse = lambda data: one_in_five(data) if int(data["invoiceNumber"]) < 20 else None
        with desk.sending():
            until(lambda: desk.states() if desk.has_batch() else {}, lambda now: now == AT_REST)
            assert desk.json("retry").ended(2).document["error"]["code"] == "held"
            assert desk.states() == AT_REST


AT_REST = {"completed": 20, "refused": 3, "sending": 1}
