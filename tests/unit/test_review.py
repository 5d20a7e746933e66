"""What a reviewer typed, and whether it may be sent: one decision for one pause, and never another after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from batchrun.core import review
from batchrun.core.review import (
    DECISION,
    REASON,
    REVIEWER,
    STATUS,
    Decision,
    DecisionState,
    Due,
    Fault,
    Recorded,
    Settled,
    Standing,
)
from batchrun.model import Cell, Number, State, Unreadable

AT = datetime(2026, 11, 3, 10, 3, tzinfo=UTC)
YES = Decision(True, None, None, "Anna")
NO = Decision(False, "too much", None, "Ben")
ERROR = Unreadable("error-cell", "the cell shows the error #N/A", "#N/A")


def nothing(_: Mapping[str, Cell]) -> tuple[Mapping[str, Any], list[Fault]]:
    return {}, []


def recorded(decision: Decision = YES, state: DecisionState = DecisionState.ACCEPTED, pause: int = 1) -> Recorded:
    return Recorded(7, decision, state, pause, "key", AT, AT, "why")


def standing(*known: Recorded, state: State = State.AWAITING_REVIEW, pause: int = 1) -> Standing:
    return Standing(0, 5, state, "run_1", pause, known)


@pytest.mark.parametrize("word", ["approve", " Approve ", "APPROVE", "\u00a0approve\u200b", "appROVE\n"])
def test_approve_in_any_case_with_any_blanks(word: str) -> None:
    assert review.parse({DECISION: word, REVIEWER: "Anna"}, nothing, "me") == (YES, [])


def test_who_decided_is_whoever_hands_in_where_nobody_is_named() -> None:
    found, _ = review.parse({DECISION: "reject", REASON: " too much "}, nothing, "me")
    assert found == Decision(False, "too much", None, "me")


def test_a_reason_may_be_a_number() -> None:
    found, faults = review.parse({DECISION: "reject", REASON: Number(Decimal(42))}, nothing, "me")
    assert (found and found.rejection_reason, faults) == ("42", [])


@pytest.mark.parametrize(
    ("cells", "columns"),
    [
        ({DECISION: "maybe"}, [DECISION]),
        ({DECISION: True}, [DECISION]),
        ({DECISION: ERROR}, [DECISION]),
        ({DECISION: "reject"}, [REASON]),
        ({DECISION: "reject", REASON: "  "}, [REASON]),
        ({DECISION: "reject", REASON: ERROR}, [REASON, REASON]),
        ({DECISION: "approve", REASON: "fine"}, [REASON]),
        ({DECISION: "approve", REVIEWER: ERROR}, [REVIEWER]),
    ],
)
def test_a_faulty_decision_names_its_columns(cells: Mapping[str, Cell], columns: list[str]) -> None:
    found, faults = review.parse(cells, nothing, "me")
    assert (found, [fault.column for fault in faults]) == (None, columns)


def test_other_values_go_with_an_approval_only() -> None:
    def amount(_: Mapping[str, Cell]) -> tuple[Mapping[str, Any], list[Fault]]:
        return {"amount": Decimal("1.50")}, []

    approved, _ = review.parse({DECISION: "approve"}, amount, "me")
    assert approved == Decision(True, None, {"amount": Decimal("1.50")}, "me")
    rejected, faults = review.parse({DECISION: "reject", REASON: "no"}, amount, "me")
    assert (rejected, [fault.column for fault in faults]) == (None, [DECISION])


def test_a_faulty_other_value_is_told_with_the_rest() -> None:
    def faulty(_: Mapping[str, Cell]) -> tuple[Mapping[str, Any], list[Fault]]:
        return {}, [Fault("_override.amount", "not a number")]

    _, faults = review.parse({DECISION: "perhaps"}, faulty, "me")
    assert [fault.column for fault in faults] == ["_override.amount", DECISION]
    _, faults = review.parse({DECISION: ERROR}, faulty, "me")
    assert [fault.column for fault in faults] == [DECISION, "_override.amount"]


@pytest.mark.parametrize(
    ("cell", "typed"),
    [
        (None, False),
        ("", False),
        (" \u200b", False),
        ("x", True),
        (ERROR, True),
        (Unreadable("formula-without-value", "not computed"), True),
    ],
)
def test_a_row_bears_a_decision_where_anything_stands_in_the_cell(cell: Cell, typed: bool) -> None:
    assert review.is_typed({DECISION: cell}) is typed


def test_the_pause_is_told_by_the_decision_status() -> None:
    assert review.pause_told({}) == 1
    assert review.pause_told({STATUS: "due"}) == 1
    assert review.pause_told({STATUS: review.status(standing(pause=3))}) == 3


def test_a_row_that_waits_is_due() -> None:
    assert review.weigh(YES, 1, standing()) == Due(YES)


def test_what_was_taken_passes_in_silence_and_cannot_be_changed() -> None:
    for state in (State.AWAITING_REVIEW, State.COMPLETED, State.RUNNING):
        known = standing(recorded(), state=state)
        assert review.weigh(replace(YES, reviewer="another"), 1, known) == Settled()
        fault = review.weigh(NO, 1, known)
        assert isinstance(fault, Fault) and "was approved by Anna on 2026-11-03 10:03 UTC" in fault.message


def test_what_was_begun_and_not_answered_is_sent_again_with_its_own_key() -> None:
    begun = recorded(state=DecisionState.OPEN)
    assert review.weigh(YES, 1, standing(begun)) == Due(YES, begun)
    assert isinstance(review.weigh(NO, 1, standing(begun)), Fault)
    assert review.weigh(YES, 1, standing(begun, state=State.COMPLETED)) == Settled()


@pytest.mark.parametrize(
    "state", [DecisionState.REFUSED, DecisionState.UNSENT, DecisionState.CONFLICT, DecisionState.NOT_WAITING]
)
def test_a_decision_that_was_not_taken_leaves_the_review_open(state: DecisionState) -> None:
    known = recorded(state=state)
    assert review.weigh(NO, 1, standing(known)) == Due(NO)
    assert review.weigh(YES, 1, standing(known, state=State.COMPLETED)) == Settled()
    assert isinstance(review.weigh(NO, 1, standing(known, state=State.COMPLETED)), Fault)


def test_what_never_arrived_is_sent_with_the_key_that_it_has_unless_it_was_changed() -> None:
    unsent = recorded(state=DecisionState.UNSENT)
    assert review.weigh(YES, 1, standing(unsent)) == Due(YES, unsent)
    assert review.weigh(NO, 1, standing(unsent)) == Due(NO)


def test_a_rejection_that_was_taken_is_known() -> None:
    assert standing(recorded(NO), state=State.FAILED).was_rejected
    assert not standing(recorded(NO, DecisionState.CONFLICT)).was_rejected
    assert not standing(recorded(YES)).was_rejected
    assert not standing().was_rejected


def test_a_row_that_waits_for_nobody_takes_no_decision() -> None:
    fault = review.weigh(YES, 1, standing(state=State.IN_DOUBT))
    assert isinstance(fault, Fault) and "it is in doubt" in fault.message


def test_a_decision_for_the_first_review_never_decides_the_second() -> None:
    second = standing(recorded(), pause=2)
    assert review.weigh(YES, 1, second) == Settled()
    assert isinstance(review.weigh(NO, 1, second), Fault)
    assert review.weigh(NO, 2, second) == Due(NO)
    nobody_knows_who = review.weigh(YES, 1, standing(pause=2))
    assert isinstance(nobody_knows_who, Fault) and "earlier review" in nobody_knows_who.message


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (standing(), "due"),
        (standing(pause=2), "due (review 2)"),
        (standing(recorded(), pause=2), "due (review 2)"),
        (standing(state=State.COMPLETED), ""),
        (standing(recorded(), state=State.COMPLETED), "done: approved by Anna on 2026-11-03 10:03 UTC"),
        (
            standing(recorded(NO, DecisionState.REFUSED)),
            'due: rejected ("too much") by Ben on 2026-11-03 10:03 UTC, and the API refused it: why',
        ),
        (
            standing(recorded(YES, DecisionState.CONFLICT), state=State.FAILED),
            "sent: approved by Anna on 2026-11-03 10:03 UTC, but somebody had decided before: why",
        ),
    ],
)
def test_the_decision_status_in_words(known: Standing, told: str) -> None:
    assert review.status(known) == told


def test_every_state_of_a_decision_has_words() -> None:
    for state in DecisionState:
        assert "approved by Anna" in review.status(standing(replace(recorded(state=state), detail=None)))


def test_other_values_are_told() -> None:
    assert "approved with amount set by" in review.told(recorded(replace(YES, outputs={"amount": Decimal(1)})))


def test_decisions_are_compared_by_what_is_sent() -> None:
    one, other = replace(YES, outputs={"a": Decimal("1.0")}), replace(YES, outputs={"a": Decimal("1.00")})
    assert one.same_as(other) and not one.same_as(YES) and not YES.same_as(NO)
    assert not NO.same_as(replace(NO, rejection_reason="too little"))


def test_a_rejection_whose_reason_was_purged_is_told_without_one() -> None:
    moment = datetime(2026, 11, 22, 10, 3, tzinfo=UTC)
    one = Recorded(1, Decision(False, None, None, "Anna"), DecisionState.ACCEPTED, 1, "", moment)
    assert review.told(one) == "rejected by Anna on 2026-11-22 10:03 UTC"
