"""Reviews, refusals, refused keys, busy and broken servers: the state of each row, the exit code, the next command."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from finance_desk import at_a_desk, in_the_background, invoices
from independent_server import SANDBOX_KEY

KEYS = [row["Invoice No"] for row in invoices(20)]


def five_seconds(text: str) -> str:
    """Give each sync run five seconds."""
    return text.replace("mode: sync", "mode: sync, timeout: 5s")


def one_in_five(data: object) -> bool:
    """Pick four of twenty invoices."""
    assert isinstance(data, dict)
    return int(data["invoiceNumber"]) % 5 == 0


def test_sync_runs_end_with_their_own_answer_and_are_not_polled(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.job(five_seconds)
        desk.sheet(invoices(20))
        results = desk.answer(desk.run().ended(0))
        assert all(
            start.json["control"] == {"executionMode": "sync", "executionTimeout": 5000} for start in desk.server.starts
        )
        assert [request.method for request in desk.server.requests] == ["POST"] * 20
        outputs = {run.data["invoiceNumber"]: run.output["transactionId"] for run in desk.server.runs.values()}
        assert dict(zip(results.column("Invoice No"), results.column("_output.transactionId"), strict=True)) == outputs


def test_a_documented_504_is_a_run_that_is_polled_to_its_end(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, sync_times_out=True, run_seconds=0.3) as desk:
        desk.job(five_seconds)
        desk.sheet(invoices(20))
        outcome = desk.run().ended(0)
        assert outcome.document["counts"] == {"completed": 20}
        assert sorted(desk.server.sent("invoiceNumber")) == KEYS
        assert desk.answer(outcome).column("_run_id").count(None) == 0


@pytest.mark.parametrize("mode", ["async", pytest.param("sync", marks=pytest.mark.slow)])
def test_runs_that_wait_for_a_review_end_with_4_and_refresh_sees_the_approval(tmp_path: Path, mode: str) -> None:
    with at_a_desk(tmp_path, review=one_in_five) as desk:
        desk.job(five_seconds if mode == "sync" else in_the_background)
        desk.sheet(invoices(20))
        waiting = desk.run().ended(4)
        assert waiting.document["counts"] == {"completed": 16, "awaiting_review": 4}
        assert waiting.document["next"] is not None
        assert waiting.document["stopped"] is None

        still = desk.command("refresh", "last", "--json").ended(4)
        assert still.document["counts"] == waiting.document["counts"]

        desk.server.approve()
        before = len(desk.server.requests)
        approved = desk.command("refresh", "last", "--json").ended(0)
        assert approved.document["counts"] == {"completed": 20}
        asked = Counter((request.method, request.path) for request in desk.server.requests[before:])
        assert sorted(asked.values()) == [1] * 4
        assert {method for method, _ in asked} == {"GET"}
        assert desk.answer(approved).column("_status") == ["completed"] * 20


def test_refused_rows_end_with_1_and_keep_the_apis_words(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, refuse=lambda data: "vendor is blocked" if one_in_five(data) else None) as desk:
        desk.sheet(invoices(20))
        outcome = desk.run().ended(1)
        assert outcome.document["counts"] == {"completed": 16, "refused": 4}
        assert len(desk.server.starts) == 20
        for shown in desk.answer(outcome).rows:
            refused = int(shown["Invoice No"]) % 5 == 0
            assert (shown["_status"] == "refused") is refused
            assert ("vendor is blocked" in (shown["_error"] or "")) is refused
            assert (shown["_run_id"] is None) is refused


def test_a_refused_row_frees_its_key_for_a_later_sheet(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, refuse=lambda data: "no" if one_in_five(data) else None) as desk:
        desk.sheet(invoices(20))
        desk.run().ended(1)
        desk.command("report", "last", "--only", "refused", "-o", "redo.csv", "--json").ended(0)
        desk.server.switches.refuse = lambda data: None
        redone = desk.run("--input", "redo.csv").ended(0)
        assert redone.document["counts"] == {"completed": 4}
        assert sorted(desk.server.sent("invoiceNumber")) == KEYS


def test_ten_refusals_before_any_acceptance_stop_the_batch(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, refuse=lambda data: "the procedure takes no EUR") as desk:
        desk.sheet(invoices(60))
        stopped = desk.run().ended(3)
        assert 10 <= len(desk.server.starts) <= 10 + 8
        assert stopped.document["stopped"]
        assert "the procedure takes no EUR" in stopped.stderr


@pytest.mark.slow
def test_max_errors_stops_a_batch_that_may_be_resumed(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, refuse=lambda data: "no" if int(data["invoiceNumber"]) > 10 else None) as desk:
        desk.sheet(invoices(60))
        stopped = desk.run("--max-errors", "3", "--concurrency", "2").ended(3)
        assert 3 <= stopped.document["counts"]["refused"] <= 6
        assert stopped.document["counts"]["ready"] >= 40
        desk.server.switches.refuse = lambda data: None
        desk.command("resume", "last", "--json").ended(1)
        assert len(desk.server.runs) + stopped.document["counts"]["refused"] == 60


def test_a_run_that_failed_is_told_with_its_error(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, fail=lambda data: "no funds" if one_in_five(data) else None) as desk:
        desk.job(in_the_background)
        desk.sheet(invoices(20))
        outcome = desk.run().ended(1)
        assert outcome.document["counts"] == {"completed": 16, "failed": 4}
        assert desk.answer(outcome).column("_error").count("no funds") == 4


def test_a_refused_key_stops_with_3_at_once_and_a_good_one_resumes_to_0(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(60))
        stopped = desk.run(key="rsk_sandbox_CANARYexpired").ended(3)
        assert 1 <= len(desk.server.starts) <= 8
        assert stopped.document["counts"] == {"ready": 60}
        assert stopped.document["next"] == "batchrun resume payouts-001"
        assert "401" in stopped.document["stopped"]

        resumed = desk.command("resume", "payouts-001", "--json").ended(0)
        assert resumed.document["counts"] == {"completed": 60}
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(row["Invoice No"] for row in invoices(60))


@pytest.mark.slow
def test_a_key_that_is_withdrawn_midway_stops_with_3_and_loses_nothing(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, latency=0.05) as desk:
        desk.sheet(invoices(60))
        start = desk.started("run", "payouts.yaml", "--json", "--base-url", desk.server.origin, origin=False)
        while len(desk.server.runs) < 20:
            assert start.poll() is None
        desk.server.switches.keys.clear()
        start.communicate(timeout=60)
        assert start.returncode == 3
        refused = [request for request in desk.server.starts if request.key == "wrong"]
        assert len(refused) <= 8
        desk.server.switches.keys.add(SANDBOX_KEY)
        desk.command("resume", "last", "--json").ended(0)
        assert Counter(desk.server.sent("invoiceNumber")) == Counter(row["Invoice No"] for row in invoices(60))


def test_a_busy_api_is_given_the_time_it_asks_for(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, busy_first=3, retry_after="1") as desk:
        desk.sheet(invoices(20))
        assert desk.run().ended(0).document["counts"] == {"completed": 20}
        assert sorted(desk.server.sent("invoiceNumber")) == KEYS
        again: dict[str, list[float]] = {}
        for start in desk.server.starts:
            again.setdefault(start.json["data"]["invoiceNumber"], []).append(start.at)
        waits = [times[-1] - times[0] for times in again.values() if len(times) > 1]
        assert len(waits) >= 1
        assert min(waits) >= 1


@pytest.mark.slow
def test_a_busy_api_that_names_no_time_is_tried_again_later(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, busy_first=2, retry_after=None) as desk:
        desk.sheet(invoices(10))
        desk.run().ended(0)
        assert len(desk.server.starts) == 12
        assert len(desk.server.runs) == 10


@pytest.mark.parametrize("fault", ["drop_after_accepting", "break_after_accepting"])
def test_an_answer_that_never_came_leaves_the_row_in_doubt_and_unsent_again(tmp_path: Path, fault: str) -> None:
    with at_a_desk(tmp_path, **{fault: one_in_five}) as desk:
        desk.sheet(invoices(20))
        outcome = desk.run().ended(1)
        assert outcome.document["counts"] == {"completed": 16, "in_doubt": 4}
        assert desk.command("resume", "last", "--json").ended(1).document["counts"] == outcome.document["counts"]
        assert sorted(desk.server.sent("invoiceNumber")) == KEYS
        assert len(desk.server.starts) == 20
        assert outcome.document["next"] is not None
        results = desk.answer(outcome)
        assert "Doubts" in results.sheets
        assert all((shown["_status"] == "in_doubt") is (int(shown["Invoice No"]) % 5 == 0) for shown in results.rows)


def test_five_doubts_in_a_row_pause_until_a_read_is_answered(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, break_after_accepting=lambda data: int(data["invoiceNumber"]) <= 5) as desk:
        desk.sheet(invoices(20))
        outcome = desk.run("--concurrency", "1").ended(1)
        assert outcome.document["counts"] == {"completed": 15, "in_doubt": 5}
        between = [request.method for request in desk.server.requests][:7]
        assert between[:5] == ["POST"] * 5
        assert between[5] == "GET"
        assert len(desk.server.starts) == 20


@pytest.mark.slow
def test_no_wait_leaves_runs_open_with_4_and_resume_follows_them(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, run_seconds=1.0) as desk:
        desk.job(in_the_background)
        desk.sheet(invoices(20))
        opened = desk.run("--no-wait").ended(4)
        assert opened.document["counts"] == {"running": 20}
        desk.command("resume", "last", "--json").ended(0)
        assert sorted(desk.server.sent("invoiceNumber")) == KEYS
