"""`review`: what a decision means, to whom it belongs, and what is told where the API says no."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from crashing_batchrun import Crasher
from openpyxl import load_workbook
from review_desk import ReviewDesk, at_a_review_desk, invoice, typing_into, waiting
from review_server import Kind, Scripted

FIRST, SECOND, THIRD = invoice(1), invoice(2), invoice(3)


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[ReviewDesk]:
    with at_a_review_desk(tmp_path, crasher) as one:
        yield one


# A changed mind


@pytest.mark.parametrize("written_again", [True, False], ids=["in the workbook as written again", "in an old copy"])
def test_a_changed_mind_is_refused_with_the_earlier_decision(desk: ReviewDesk, written_again: bool) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST)
        typist.reject(SECOND, reason="the earlier reason")
        typist.type(SECOND, _reviewer="Erika Beispiel")
    old = desk.folder / "old.xlsx"
    shutil.copy(desk.workbook, old)
    desk.review().ended(1)
    path = desk.workbook if written_again else old
    with typing_into(path) as typist:
        typist.reject(FIRST, reason="after all")
        typist.type(SECOND, _decision="approve", _rejection_reason=None)
        typist.approve(THIRD)
        told = [typist.address(key, "_decision") for key in (FIRST, SECOND)]
    refused = desk.refused(told=told, path=path)
    assert "approve" in refused.words
    assert "the earlier reason" in refused.words
    desk.review("--skip-invalid", path=path)
    desk.wrote_once_each(FIRST, SECOND, THIRD)
    assert len(desk.server.arrivals) == 3


def test_another_reason_after_submission_is_a_changed_mind(desk: ReviewDesk) -> None:
    desk.waits(2)
    with desk.typing() as typist:
        typist.reject(FIRST, reason="the earlier reason")
    desk.review().ended(1)
    with desk.typing() as typist:
        typist.reject(FIRST, reason="a better reason")
    assert "the earlier reason" in desk.refused().words


def test_an_override_after_submission_is_a_changed_mind(desk: ReviewDesk) -> None:
    desk.waits(2)
    with desk.typing() as typist:
        typist.type(FIRST, _decision="approve", _override__overrideAmount=5)
    desk.review().ended(4)
    with desk.typing() as typist:
        typist.type(FIRST, _decision="approve", _override__overrideAmount=500)
    desk.refused()


def test_the_same_mind_in_other_letters_passes_silently(desk: ReviewDesk) -> None:
    desk.waits(2)
    with desk.typing() as typist:
        typist.approve(FIRST)
    desk.review().ended(4)
    with desk.typing() as typist:
        typist.approve(FIRST, word="  APPROVE ")
    assert "!Results!" not in desk.review().ended(4).words
    assert len(desk.server.arrivals) == 1


# A second review


@pytest.mark.parametrize("kind", [Kind.TWICE, Kind.SLOW_TWICE])
def test_a_second_review_wants_a_decision_of_its_own(desk: ReviewDesk, kind: Kind) -> None:
    desk.waits(waiting(2, _1=kind))
    blank, typed = desk.folder / "blank.xlsx", desk.folder / "typed.xlsx"
    shutil.copy(desk.workbook, blank)
    with desk.typing() as typist:
        typist.type(FIRST, _decision="approve", _reviewer="Erika Beispiel")
        typist.approve(SECOND)
    shutil.copy(desk.workbook, typed)
    waits = desk.review().ended(4)
    assert waits.document["counts"] == {"awaiting_review": 1, "completed": 1}
    row = desk.results()[FIRST]
    assert row["_status"] == "awaiting_review"
    assert (row["_decision"], row["_rejection_reason"]) == (None, None)
    desk.wrote_once_each(FIRST, SECOND)

    desk.review().ended(4)
    desk.review(path=typed)  # an equal decision, but of the first review
    with typing_into(blank) as typist:
        typist.approve(FIRST)
    shutil.copy(blank, desk.folder / "late.xlsx")
    desk.review(path=desk.folder / "late.xlsx")  # typed late, into a workbook that knows only the first review
    with typing_into(blank) as typist:
        typist.reject(FIRST, reason="no")
        address = typist.address(FIRST, "_decision")
    desk.refused(path=blank, told=[address])
    desk.wrote_once_each(FIRST, SECOND)
    assert len(desk.server.arrivals) == 2

    with desk.typing() as typist:
        typist.approve(FIRST)
    assert desk.review().ended(0).document["counts"] == {"completed": 2}
    first, second = desk.server.acted(FIRST)
    assert len(desk.server.of(FIRST)) == 2
    assert first.key != second.key
    desk.review(path=typed)
    desk.review()
    assert len(desk.server.arrivals) == 3
    life = desk.command("show", "last", "--row", "2", "--json").ended(0).stdout
    assert first.key in life
    assert second.key in life


def test_a_second_review_can_be_rejected(desk: ReviewDesk) -> None:
    desk.waits(waiting(1, _1=Kind.TWICE))
    with desk.typing() as typist:
        typist.approve(FIRST)
    desk.review().ended(4)
    with desk.typing() as typist:
        typist.reject(FIRST, reason="second thoughts")
    desk.review().ended(1)
    assert [one.body["approved"] for one in desk.server.acted(FIRST)] == [True, False]
    assert "second thoughts" in desk.results()[FIRST]["_error"]


# Where the API says no


def said_of(desk: ReviewDesk, key: str) -> str:
    """Give what the workbook says of a decision."""
    row = desk.results()[key]
    return f"{row['_decision_status']} {row['_next']} {row['_error']}"


@pytest.mark.parametrize(("taken", "counts"), [(True, {"completed": 3}), (False, {"completed": 2, "failed": 1})])
def test_409_tells_that_somebody_was_quicker_and_the_others_go_on(
    desk: ReviewDesk, taken: bool, counts: dict[str, int]
) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST, SECOND, THIRD)
    desk.server.decide_in_the_dashboard(SECOND, approved=taken, reason="decided at the dashboard")
    outcome = desk.review().ended(0 if taken else 1)
    assert outcome.document["counts"] == counts
    assert [one.status for one in desk.server.of(SECOND)] == [409]
    assert len(desk.server.acted()) == 2
    shown = desk.results()
    assert shown[SECOND]["_status"] == ("completed" if taken else "failed")
    assert shown[SECOND]["_decision_status"]
    assert shown[SECOND]["_decision_status"] != shown[FIRST]["_decision_status"]
    assert "Results!" in outcome.words or "row 3" in outcome.words.lower()
    desk.review()
    assert len(desk.server.arrivals) == 3


def test_404_of_a_cancelled_run_is_told_and_the_others_go_on(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST, SECOND, THIRD)
    desk.server.run_of(SECOND).cancelled = True
    outcome = desk.review().ended(1)
    assert outcome.document["counts"] == {"completed": 2, "cancelled": 1}
    assert "Results!" in outcome.words or "row 3" in outcome.words.lower()
    shown = desk.results()
    assert shown[SECOND]["_decision_status"] != shown[FIRST]["_decision_status"]
    desk.review().ended(1)
    assert len(desk.server.arrivals) == 3


def test_404_of_a_run_that_waits_all_the_same_comes_to_an_end(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST, SECOND, THIRD)
    desk.server.switches.script = lambda key, nth: Scripted(404, {"error": "no such run"}) if key == SECOND else None
    outcome = desk.review()
    assert outcome.code in (1, 3, 4), outcome
    assert outcome.document["counts"] == {"awaiting_review": 1, "completed": 2}
    assert "Results!" in outcome.words or "row 3" in outcome.words.lower()
    desk.server.switches.script = lambda key, nth: None
    desk.review()
    assert len(desk.server.acted(SECOND)) <= 1


def test_422_leaves_the_row_open_and_it_can_be_decided_anew(desk: ReviewDesk) -> None:
    desk.waits(3)
    with desk.typing() as typist:
        typist.approve(FIRST, THIRD)
        typist.reject(SECOND, reason="no")
    no = Scripted(422, {"error": "rejectionReason is too short for our auditors"})
    desk.server.switches.script = lambda key, nth: no if (key, nth) == (SECOND, 1) else None
    outcome = desk.review()
    assert outcome.code in (1, 4), outcome
    assert outcome.document["counts"] == {"awaiting_review": 1, "completed": 2}
    assert "too short for our auditors" in outcome.words
    assert desk.results()[SECOND]["_status"] == "awaiting_review"
    assert "too short for our auditors" in said_of(desk, SECOND)
    with desk.typing() as typist:
        typist.reject(SECOND, reason="not ordered by us")
    desk.review().ended(1)
    (acted,) = desk.server.acted(SECOND)
    assert acted.body["rejectionReason"] == "not ordered by us"
    assert len({one.key for one in desk.server.of(SECOND)}) == 2, "a new decision has a key of its own"
    assert len(desk.server.arrivals) == 4


def test_422_may_be_followed_by_the_other_decision(desk: ReviewDesk) -> None:
    desk.waits(1)
    with desk.typing() as typist:
        typist.reject(FIRST, reason="no")
    desk.server.switches.script = lambda key, nth: Scripted(422, {"error": "too short"}) if nth == 1 else None
    desk.review()
    with desk.typing() as typist:
        typist.type(FIRST, _decision="approve", _rejection_reason=None)
    desk.review().ended(0)
    assert [one.body["approved"] for one in desk.server.acted()] == [True]


# Four eyes


@pytest.fixture
def starter(desk: ReviewDesk) -> str:
    """Give the name of who started a batch under four eyes, as its Summary says it."""
    desk.job(lambda text: text + "review: {four_eyes: true}\n")
    summary = load_workbook(desk.waits(2))["Summary"]
    (said,) = (row[1] for row in summary.iter_rows(values_only=True) if row[0] == "Started by")
    return str(said).split(" on ", maxsplit=1)[0]


def test_under_four_eyes_whoever_started_the_batch_is_refused(desk: ReviewDesk, starter: str) -> None:
    for name in (starter, f"  {starter} ", starter.upper(), f"{starter[:1]}.{starter[1:]}"):
        with desk.typing() as typist:
            typist.type(FIRST, _decision="approve", _reviewer=name)
            typist.type(SECOND, _decision="approve", _reviewer="Erika Beispiel")
            told = [typist.address(FIRST, "_reviewer")]
        desk.refused(told=told)
    desk.review("--skip-invalid")
    desk.wrote_once_each(SECOND)


def test_under_four_eyes_a_reviewer_has_to_be_named(desk: ReviewDesk, starter: str) -> None:
    with desk.typing() as typist:
        typist.approve(FIRST)
        row = typist.row_of(FIRST)
    assert f"{row}" in desk.refused(told=[f"{desk.workbook.name}!Results!"]).words
    with desk.typing() as typist:
        typist.type(FIRST, _reviewer="Erika Beispiel")
    desk.review().ended(4)
    desk.wrote_once_each(FIRST)
    assert desk.results()[FIRST]["_reviewer"] == "Erika Beispiel"
