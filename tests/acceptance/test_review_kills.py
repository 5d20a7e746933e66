"""`review` killed, interrupted, and twice at once: no decision acts twice, and none is lost."""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import Outcome, killed, until
from review_desk import ReviewDesk, at_a_review_desk, ended, invoice, typing_into, waiting
from review_server import Kind

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX has them")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    with at_a_review_desk(tmp_path) as one:
        yield one


# What a kill does


@posix
@pytest.mark.parametrize("held", ["before", "after"])
@pytest.mark.parametrize("between", ["nothing", "refresh", "report"])
def test_after_sigkill_the_same_uuids_go_out_again(desk: ReviewDesk, held: str, between: str) -> None:
    keys = desk.approved(20)
    desk.server.switches.hold = lambda key, acted: held if acted >= 7 else None
    process = desk.begun()
    until(lambda: desk.server.held, lambda count: count >= 1)
    killed(process)
    desk.server.switches.hold = lambda key, acted: None
    if between != "nothing":
        desk.command(between, "last", "--json")
    assert desk.review().ended(0).document["counts"] == {"completed": 20}
    desk.wrote_once_each(*keys)


@posix
def test_killed_again_and_again_it_comes_to_its_end(desk: ReviewDesk) -> None:
    desk.server.switches.late = 0.05
    keys = desk.approved(30)
    for most in (3, 9, 15, 21):
        process = desk.begun()
        until(lambda: len(desk.server.arrivals), lambda count, most=most: count >= most)  # type: ignore[misc]
        killed(process)
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


@posix
def test_a_run_that_waits_again_is_not_decided_by_the_decision_that_a_kill_cut_off(desk: ReviewDesk) -> None:
    desk.waits(waiting(3, _1=Kind.TWICE, _2=Kind.TWICE, _3=Kind.TWICE))
    keys = [invoice(number) for number in (1, 2, 3)]
    with desk.typing() as typist:
        typist.approve(*keys)
    desk.server.switches.hold = lambda key, acted: "after"
    process = desk.begun()
    until(lambda: desk.server.held, lambda count: count >= 1)
    killed(process)
    desk.server.switches.hold = lambda key, acted: None
    desk.command("refresh", "last", "--json").ended(4)
    desk.review().ended(4)
    desk.review().ended(4)
    desk.wrote_once_each(*keys)
    assert {desk.server.run_of(key).status for key in keys} == {"awaiting_review"}


@posix
def test_a_mind_that_is_changed_after_a_kill_is_refused(desk: ReviewDesk) -> None:
    desk.approved(1, of=2)
    desk.server.switches.hold = lambda key, acted: "after"
    process = desk.begun()
    until(lambda: desk.server.held, lambda count: count >= 1)
    killed(process)
    desk.server.switches.hold = lambda key, acted: None
    with desk.typing() as typist:
        typist.reject(invoice(1))
        address = typist.address(invoice(1), "_decision")
    refused = desk.review().ended(2)
    assert address in refused.words
    assert len(desk.server.of(invoice(1))) == 1
    with desk.typing() as typist:
        typist.type(invoice(1), _decision="approve", _rejection_reason=None)
    desk.review().ended(4)
    desk.wrote_once_each(invoice(1))


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_review_can_be_gone_on_with(desk: ReviewDesk, number: int) -> None:
    desk.server.switches.late = 0.05
    keys = desk.approved(40)
    process = desk.begun()
    until(lambda: len(desk.server.arrivals), lambda count: count >= 5)
    process.send_signal(number)
    stopped = ended(process).ended(130)
    assert stopped.document["next"].startswith("batchrun review ")
    assert len(desk.server.arrivals) < 40
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


def interrupted_while_the_workbook_is_written(desk: ReviewDesk, count: int, *more: int) -> Outcome:
    """Interrupt a review, and once more, or oftener, while it writes its workbook."""
    desk.server.switches.late = 0.05
    desk.approved(count)
    process = desk.begun()
    until(lambda: len(desk.server.arrivals), lambda seen: seen >= 5)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    said = iter(process.stderr.readline, "")
    assert any("stopped, because you interrupted it" in line for line in said)
    for number in more:
        process.send_signal(number)
    stopped = ended(process).ended(130)
    assert stopped.document["error"] is None
    assert stopped.document["next"].startswith("batchrun review ")
    assert stopped.document["workbook"] == str(desk.workbook)
    return stopped


@posix
def test_a_second_ctrl_c_leaves_journal_and_workbook_as_a_single_one_does(desk: ReviewDesk) -> None:
    interrupted_while_the_workbook_is_written(desk, 40, signal.SIGINT)
    sent = {arrival.invoice for arrival in desk.server.arrivals}
    assert len(sent) < 40
    told = {key for key, row in desk.results().items() if row["_decision_status"]}
    assert sent <= told
    desk.review().ended(0)
    desk.wrote_once_each(*(invoice(number) for number in range(1, 41)))


@posix
def test_a_third_ctrl_c_leaves_the_workbook_and_still_says_how_to_go_on(desk: ReviewDesk) -> None:
    interrupted_while_the_workbook_is_written(desk, 40, signal.SIGINT, signal.SIGTERM)
    desk.review().ended(0)
    desk.wrote_once_each(*(invoice(number) for number in range(1, 41)))


@posix
def test_two_quick_ctrl_c_while_decisions_are_sent_still_write_the_workbook(desk: ReviewDesk) -> None:
    desk.server.switches.late = 0.3
    keys = desk.approved(20)
    process = desk.begun()
    until(lambda: len(desk.server.arrivals), lambda seen: seen >= 5)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    stopped = ended(process).ended(130)
    assert stopped.document["error"] is None
    assert stopped.document["workbook"] == str(desk.workbook)
    assert {arrival.invoice for arrival in desk.server.arrivals} <= {
        key for key, row in desk.results().items() if row["_decision_status"]
    }
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


# Two at once


def test_two_reviews_of_one_workbook_at_once_decide_each_row_once(desk: ReviewDesk) -> None:
    desk.server.switches.latency = 0.02
    keys = desk.approved(25)
    both = [desk.begun(), desk.begun()]
    codes = {ended(process).code for process in both}
    assert 0 in codes, codes
    assert codes <= {0, 2, 3, 4}, codes
    desk.review().ended(0)
    desk.wrote_once_each(*keys)


def test_two_copies_that_disagree_decide_each_row_once(desk: ReviewDesk) -> None:
    desk.server.switches.latency = 0.02
    desk.waits(20)
    keys = [invoice(number) for number in range(1, 21)]
    other = desk.folder / "other.xlsx"
    shutil.copy(desk.workbook, other)
    with desk.typing() as typist:
        typist.approve(*keys)
    with typing_into(other) as typist:
        typist.reject(*keys)
    outcomes = [ended(process) for process in (desk.begun(), desk.begun(path=other))]
    assert {outcome.code for outcome in outcomes} <= {0, 1, 2, 4}
    desk.review()
    desk.wrote_once_each(*keys)
    assert 2 in {outcome.code for outcome in outcomes}, "one of the two has changed the other's mind"


def test_a_review_beside_a_run_that_still_follows(desk: ReviewDesk) -> None:
    desk.sheet(waiting(4, _4=Kind.STUCK))
    runner = desk.started("run", "payouts.yaml", "--json")
    try:
        until(lambda: (len(desk.server.runs), desk.journal.exists()), lambda seen: seen == (4, True))
        until(
            lambda: desk.command("status", "last", "--json").document["counts"],
            lambda counts: counts.get("awaiting_review") == 3 and counts.get("running") == 1,
        )
        desk.command("report", "last", "--json", "-o", "mine.xlsx").ended(0)
        mine = desk.folder / "mine.xlsx"
        with typing_into(mine) as typist:
            typist.approve(invoice(1), invoice(2))
        desk.review(path=mine).ended(4)
        desk.wrote_once_each(invoice(1), invoice(2))
        desk.server.run_of(invoice(4)).readings_left = 0
        done = ended(runner).ended(4)
    finally:
        runner.kill()
        runner.communicate()
    assert done.document["counts"] == {"awaiting_review": 1, "completed": 3}
