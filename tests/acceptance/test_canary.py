"""A canary goes first, alone: no request of another row leaves before somebody has looked, whatever happens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CRASHED, CrashDesk, Crasher, at_a_crash_desk
from finance_desk import Outcome, Results, in_the_background, invoices, killed, until
from independent_server import LIVE_KEY
from ledger_server import Fault, for_keys, ledger_of
from terminals import answered, heard, on_a_terminal

CONFIRM = "batchrun resume payouts-001 --confirm"


@contextmanager
def at_twelve(folder: Path, crasher: Crasher, **switches: Any) -> Iterator[CrashDesk]:
    """Give a desk whose sheet has twelve rows."""
    with at_a_crash_desk(folder, crasher, **switches) as desk:
        desk.sheet(invoices(12))
        yield desk


def sent(desk: CrashDesk) -> set[str]:
    """Give the invoices of which any request came."""
    return {str(start.json["data"]["invoiceNumber"]) for start in desk.server.starts}


def only(number: int) -> Any:
    """Say no to one invoice."""
    return lambda data: "vendor is blocked" if int(data["invoiceNumber"]) == number else None


def held(outcome: Outcome) -> str:
    """Hold a document to be that of a batch that waits for somebody; give why it stopped."""
    assert outcome.ended(3).document["next"] == CONFIRM
    assert outcome.document["error"] is None
    return str(outcome.document["stopped"])


def test_the_first_are_sent_alone_and_the_rest_once_somebody_has_looked(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        first = desk.run("--canary", "3", "--yes")
        said = (
            "the first 3 rows were sent (3 completed), and somebody must look at them before the other 9 rows are sent"
        )
        assert held(first) == said
        assert [start.json["data"]["invoiceNumber"] for start in desk.server.starts] == ["00001", "00002", "00003"]
        assert f"row 2 (00001): completed, run {desk.row('00001').run_id}" in first.words
        assert len(Results(Path(first.document["workbook"])).rows) == 12
        assert held(desk.json("resume")) == said
        assert held(desk.json("resume", "--yes")) == said
        assert desk.command("status", "last", "--json").document["next"] == CONFIRM
        assert len(desk.server.starts) == 3
        desk.json("resume", "--confirm").ended(0)
        assert ledger_of(desk).holds().accepted == len(desk.server.starts) == 12
        (settings,) = desk.ask_journal("SELECT json_extract(settings, '$.canary') FROM batches")[0]
        kept = json.loads(settings)
        assert (kept["rows"], kept["confirmed"], kept["how"]) == (3, True, "resume --confirm")
        assert kept["by"] and kept["at"]
        desk.json("resume").ended(0)


def test_a_canary_in_the_job_holds_too_and_the_command_line_says_another_number(
    tmp_path: Path, crasher: Crasher
) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        desk.job(lambda text: text + "canary: 2\n")
        assert "the first 2 rows" in held(desk.run())
        assert len(desk.server.starts) == 2
        desk.json("resume", "--confirm").ended(0)
        desk.run("--again", "--allow-duplicates", "--canary", "5").ended(3)
        assert len(desk.server.starts) == 12 + 5


@pytest.mark.parametrize("count", ["12", "500"])
def test_a_canary_of_all_rows_is_just_a_run(tmp_path: Path, crasher: Crasher, count: str) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        desk.run("--canary", count).ended(0)
        assert len(desk.server.starts) == 12


def test_rows_that_are_never_sent_are_no_canaries(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(2))
        desk.run().ended(0)
        rows = invoices(12)
        desk.sheet([{**rows[0]}, rows[1], {**rows[2], "Amount": "much"}, *rows[3:]])
        outcome = desk.run("--canary", "2", "--skip-invalid").ended(3)
        assert "the first 2 rows were sent (2 completed)" in outcome.document["stopped"]
        assert sent(desk) == {"00001", "00002", "00004", "00005"}


@pytest.mark.parametrize(
    ("switches", "told"),
    [
        ({"refuse": only(2)}, "row 3 (00002) was refused: the API answered 422: vendor is blocked"),
        ({"drop_after_accepting": lambda data: data["invoiceNumber"] == "00002"}, "row 3 (00002) is in doubt"),
    ],
)
def test_a_canary_that_goes_wrong_stops_with_exactly_so_many_requests(
    tmp_path: Path, crasher: Crasher, switches: dict[str, Any], told: str
) -> None:
    with at_twelve(tmp_path, crasher, **switches) as desk:
        assert told in held(desk.run("--canary", "3"))
        assert told in held(desk.json("resume"))
        assert len(desk.server.starts) == 3
        desk.json("resume", "--confirm").ended(1)
        assert len(desk.server.starts) == 12


def test_a_canary_that_fails_or_does_not_end_in_the_wait_stops_too(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher, fail=only(2), run_seconds=0.1) as desk:
        desk.job(in_the_background)
        assert "; row 2 (00001) has not ended yet" in held(desk.run("--canary", "2", "--wait", "0s"))
        assert "; row 3 (00002) failed: vendor is blocked" in held(desk.json("resume"))
        assert len(desk.server.starts) == 2


def test_with_no_wait_it_stops_once_they_are_sent(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        assert "the first 3 rows were sent" in held(desk.run("--canary", "3", "--no-wait"))
        assert len(desk.server.starts) == 3


@pytest.mark.parametrize("fault", [Fault.SLOW_DOWN_429, None])
def test_a_row_that_was_not_received_is_tried_again_and_no_other_takes_its_place(
    tmp_path: Path, crasher: Crasher, fault: Fault | None
) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        if fault is None:
            desk.server.switches.busy_first, desk.server.switches.retry_after = 5, "0"
        else:
            desk.server.plan = for_keys(fault, 1, 3)
        assert "3 completed" in held(desk.run("--canary", "3", "--concurrency", "8"))
        assert sent(desk) == {"00001", "00002", "00003"}
        assert len(desk.server.runs) == 3


def test_other_commands_keep_to_the_hold(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher, refuse=only(1)) as desk:
        said = held(desk.run("--canary", "2"))
        tried = desk.command("retry", "last", "--json").ended(2)
        assert tried.document["error"] == {"code": "held-back", "message": f"payouts-001 is held: {said}"}
        assert tried.document["next"] == CONFIRM
        desk.command("retry", "last", "--input", "payouts.csv", "--json").ended(2)
        assert held(desk.json("refresh")) == said
        assert held(desk.run("--canary", "2", "--or-resume")) == said
        assert "cancelled by" in held(desk.json("cancel"))
        assert held(desk.json("resume")) == said
        assert len(desk.server.starts) == 2


def test_a_row_that_was_not_run_is_sent_again_as_a_canary(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        desk.server.plan = for_keys(Fault.HANG_UP_BEFORE, 2)
        assert "is in doubt" in held(desk.run("--canary", "2"))
        desk.command("resolve", "last", "--all-not-run", "--yes", "--json").ended(0)
        assert desk.command("status", "last", "--json").document["next"] == "batchrun resume payouts-001"
        assert "2 completed" in held(desk.json("resume"))
        assert sent(desk) == {"00001", "00002"}


def test_a_batch_that_began_without_a_canary_takes_none_later(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        desk.run("--no-wait", key="rsk_sandbox_CANARYdeleted").ended(3)
        refused = desk.run("--canary", "2", "--or-resume").ended(2)
        assert "began without a canary" in refused.document["error"]["message"]
        assert desk.server.runs == {}


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "first"), [("sync", 2), ("async", 7)])
def test_no_other_row_leaves_wherever_the_program_is_killed(
    tmp_path: Path, crasher: Crasher, mode: str, first: int
) -> None:
    crashes = 0
    for number in range(first, 200, 11):
        folder = tmp_path / str(number)
        folder.mkdir()
        with at_twelve(folder, crasher) as desk:
            desk.job(in_the_background if mode == "async" else str)
            crash = desk.crash(number, "run", "payouts.yaml", "--canary", "3", "--json")
            if crash.code != CRASHED:
                break
            crashes += 1
            desk.server.settle()
            assert sent(desk) <= {"00001", "00002", "00003"}
            if not desk.has_batch():
                continue
            desk.crash(number % 7 + 1, "resume", "last", "--json")
            said = held(desk.json("resume"))
            assert sent(desk) <= {"00001", "00002", "00003"}, said
            assert held(desk.json("resume")) == said
            desk.json("resume", "--confirm")
            desk.settle_by_ledger()
            desk.json("resume", "--confirm").ended(0)
            assert ledger_of(desk).holds().accepted == 12
    assert crashes >= 3


def test_a_kill_while_the_first_are_under_way_leaves_the_others_unsent(tmp_path: Path, crasher: Crasher) -> None:
    with at_twelve(tmp_path, crasher, never_answer=lambda data: True) as desk:
        process = desk.started("run", "payouts.yaml", "--canary", "2", "--json")
        until(lambda: len(desk.server.starts), lambda count: count == 2)
        killed(process)
        assert "; row 2 (00001) is in doubt" in held(desk.json("resume"))
        assert len(desk.server.starts) == 2


@pytest.mark.parametrize(("answer", "code", "starts"), [("y", 0, 12), ("n", 3, 3), ("", 130, 3)])
def test_on_a_terminal_the_question_is_asked_whatever_yes_said(
    tmp_path: Path, crasher: Crasher, answer: str, code: int, starts: int
) -> None:
    with at_twelve(tmp_path, crasher) as desk:
        words = ["run", "payouts.yaml", "-e", "live", "--canary", "3", "--yes", "--quiet", "--json"]
        with on_a_terminal(desk, *words, key=LIVE_KEY) as (process, terminal):
            said = heard(terminal, "[y/N]")
            assert "row 2 (00001): completed, run run_000001x" in said
            assert "The first 3 are through: 3 completed. Send the other 9 rows to LIVE? [y/N]" in said
            assert len(desk.server.starts) == 3
            document = answered(process, terminal, answer)
        assert (process.returncode, len(desk.server.starts)) == (code, starts)
        assert (document["stopped"] is None) == (code == 0)
        assert document["next"] == (None if code == 0 else "batchrun resume payouts-001 --confirm")
        assert Path(document["workbook"]).exists()
