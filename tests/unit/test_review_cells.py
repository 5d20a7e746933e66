"""The review columns of a row: the journal's decision, and what was typed and not sent."""

from __future__ import annotations

from decimal import Decimal

from test_review import AT, NO, YES

from batchrun.core.review import DECISION, REASON, REVIEWER, STATUS, Decision, DecisionState, Recorded, Standing
from batchrun.core.review_cells import ReviewCells, review_cells
from batchrun.model import Cell, Number, State

AMOUNT = "_override.amount"
FIELDS = ("amount", "lines[0].sku", "lines[4].sku", "amount.sub")


def standing(*known: Recorded, state: State = State.AWAITING_REVIEW, pause: int = 1) -> Standing:
    return Standing(0, 5, state, "run_1", pause, known)


def recorded(decision: Decision, state: DecisionState = DecisionState.ACCEPTED, pause: int = 1) -> Recorded:
    return Recorded(7, decision, state, pause, "key", AT, AT, "why")


def cells(known: Standing | None, typed: dict[str, Cell] | None = None) -> ReviewCells:
    return review_cells(known, typed, FIELDS)


def test_a_row_without_a_review_is_blank() -> None:
    assert cells(None) == cells(None, {"Vendor": "ACME", STATUS: "x"}) == ReviewCells()


def test_what_was_typed_on_a_row_that_waits_stays_as_it_was_typed() -> None:
    typed: dict[str, Cell] = {DECISION: " maybe", REASON: "r", REVIEWER: "Anna", AMOUNT: Number(Decimal("1.50"))}
    wanted = ReviewCells(" maybe", "r", {"amount": Number(Decimal("1.50"))}, "Anna", "due")
    assert cells(standing(), typed) == wanted


def test_what_was_typed_on_a_row_that_does_not_wait_stays_and_is_told() -> None:
    told = "not sent: this row does not wait for a review"
    assert cells(None, {DECISION: "approve"}) == ReviewCells("approve", status=told)
    assert cells(standing(state=State.COMPLETED), {DECISION: "approve"}) == ReviewCells("approve", status=told)


def test_what_was_decided_is_shown_whatever_was_typed_since() -> None:
    done = standing(recorded(YES), state=State.COMPLETED)
    shown = cells(done)
    assert (shown.decision, shown.reviewer) == ("approve", "Anna")
    assert cells(done, {DECISION: "Approve"}) == shown
    changed = cells(done, {DECISION: "reject", REASON: "no"})
    assert changed.decision == "approve" and changed.rejection_reason is None
    assert str(changed.status).endswith('; not sent: "reject", which was filled in later')


def test_a_rejection_and_the_values_that_were_set_are_shown() -> None:
    assert cells(standing(recorded(NO), state=State.FAILED)).rejection_reason == "too much"
    outputs = {"amount": Decimal("9.90"), "lines": [{"sku": "A1"}]}
    shown = cells(standing(recorded(Decision(True, None, outputs, "Anna")), state=State.RUNNING))
    assert shown.overrides == {"amount": Decimal("9.90"), "lines[0].sku": "A1"}


def test_a_refused_decision_leaves_its_cells_to_another() -> None:
    refused = standing(recorded(NO, DecisionState.REFUSED))
    assert cells(refused).decision is None and "the API refused it: why" in str(cells(refused).status)
    assert cells(refused, {DECISION: "reject", REASON: "longer"}).rejection_reason == "longer"


def test_a_decision_that_was_not_taken_is_shown_once_the_row_waits_no_more() -> None:
    late = standing(recorded(YES, DecisionState.CONFLICT), state=State.COMPLETED)
    assert cells(late).decision == "approve" and "somebody had decided before" in str(cells(late).status)
    assert cells(late, {DECISION: "approve"}) == cells(late)


def test_a_second_review_begins_with_blank_cells() -> None:
    second = standing(recorded(YES), pause=2)
    assert cells(second, {DECISION: "approve"}) == ReviewCells(status="due (review 2)")
    told = cells(second, {DECISION: "reject", REASON: "no"})
    assert told.decision is None and "filled in later" in str(told.status)
    nobody = cells(standing(pause=2), {DECISION: "approve"})
    assert nobody.decision is None and "filled in for an earlier review" in str(nobody.status)


def test_what_was_typed_for_the_second_review_stays() -> None:
    typed: dict[str, Cell] = {DECISION: "approve", STATUS: "due (review 2)"}
    assert cells(standing(recorded(YES), pause=2), typed).decision == "approve"


def test_a_reason_alone_stays() -> None:
    assert cells(standing(), {REASON: "ask Ben"}) == ReviewCells(None, "ask Ben", status="due")
