"""Reviewers' decisions: what somebody typed on a row, and whether it may be sent. A decision belongs to one pause.

Source: reference `Human Review API`. A decision that was sent is never sent with other content or another key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from batchrun.core import cells as core_cells
from batchrun.core.cells import Reading
from batchrun.core.settling import same_value
from batchrun.model import Cell, State, Unreadable

APPROVE, REJECT = "approve", "reject"
DECISION, REASON, REVIEWER, STATUS = "_decision", "_rejection_reason", "_reviewer", "_decision_status"
OVERRIDE = "_override."
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")
_PAUSE = re.compile(r"\(review (\d{1,6})\)")


class DecisionState(StrEnum):
    """What is known of a decision that was recorded."""

    OPEN = "open"  # about to be sent, or sent without an answer: it may have arrived
    ACCEPTED = "accepted"
    CONFLICT = "conflict"  # 409: somebody had decided before
    NOT_WAITING = "not_waiting"  # 404: the run waited for nobody
    REFUSED = "refused"  # 422 and the like: the review still waits
    UNSENT = "unsent"  # provably never arrived
    UNCLEAR = "unclear"  # an answer was lost, and a later one says that it is not taken: it may have counted


LIVE = frozenset({DecisionState.OPEN, DecisionState.ACCEPTED})
"""A pause has one live decision at the most; it can neither be changed nor be replaced."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a reviewer decided. `outputs` replaces the review node's result, on an approval only."""

    approved: bool
    rejection_reason: str | None = None
    outputs: Mapping[str, Any] | None = None
    reviewer: str = ""

    def same_as(self, other: Decision) -> bool:
        """Compare what is sent; who it was is not."""
        return (
            self.approved is other.approved
            and self.rejection_reason == other.rejection_reason
            and same_value(self.outputs, other.outputs)
        )


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision in the journal. Times are aware, in UTC."""

    id: int
    decision: Decision
    state: DecisionState
    pause: int
    key: str
    decided_at: datetime
    answered_at: datetime | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What the journal knows of a row's review. `pause` counts the reviews for which the run has waited so far.

    `position` is that of the row which bears the run: the rows of a group share it.
    """

    position: int
    number: int
    state: State
    run_id: str | None
    pause: int
    recorded: tuple[Recorded, ...] = ()

    def live(self, pause: int) -> Recorded | None:
        """Give the decision of a pause that can no longer be changed."""
        return next((one for one in self.recorded if one.pause == pause and one.state in LIVE), None)

    @property
    def was_rejected(self) -> bool:
        """Tell whether the last review was decided with a rejection that was taken."""
        live = self.live(self.pause)
        return live is not None and live.state is DecisionState.ACCEPTED and not live.decision.approved

    def last(self, pause: int) -> Recorded | None:
        """Give the last decision of a pause, whatever became of it."""
        return next((one for one in reversed(self.recorded) if one.pause == pause), None)


class Fault(NamedTuple):
    """What is wrong with what was typed, and in which column."""

    column: str
    message: str


class Due(NamedTuple):
    """A decision that is to be sent; `recorded` is one of the same content that was begun before, with its key."""

    decision: Decision
    recorded: Recorded | None = None


class Settled(NamedTuple):
    """A decision that the journal holds already: nothing is to be sent."""


# Nothing of them counts, so the very same decision may be sent again, with the key that it has.
_SENT_AGAIN = frozenset({DecisionState.UNSENT, DecisionState.REFUSED})

Overrides = Callable[[Mapping[str, Cell]], tuple[Mapping[str, Any], list[Fault]]]


def is_typed(cells: Mapping[str, Cell]) -> bool:
    """Tell whether a row bears a decision."""
    cell = cells.get(DECISION)
    return isinstance(cell, Unreadable) or _text(cell) != ""


def parse(cells: Mapping[str, Cell], overrides: Overrides, by_default: str) -> tuple[Decision | None, list[Fault]]:
    """Read the decision that was typed on a row; None, with every fault, where it cannot be sent as it stands."""
    faults: list[Fault] = []
    word = _read(cells, DECISION, faults).casefold()
    reason = _read(cells, REASON, faults)
    reviewer = _read(cells, REVIEWER, faults) or by_default
    outputs, more = overrides(cells)
    faults += more
    if not faults or word:
        faults += _faults(word, reason, outputs or more)
    if faults:
        return None, faults
    return Decision(word == APPROVE, reason or None, dict(outputs) or None, reviewer), []


def _faults(word: str, reason: str, overrides: object) -> Iterable[Fault]:
    if word not in (APPROVE, REJECT):
        yield Fault(DECISION, f'"{core_cells.cut(word)}" is no decision; write approve or reject')
    elif word == REJECT and not reason:
        yield Fault(REASON, "a rejection needs a reason; write it here")
    elif word == APPROVE and reason:
        yield Fault(REASON, "an approval takes no rejection reason; clear it, or write reject")
    if word == REJECT and overrides:
        yield Fault(DECISION, f"a rejection takes no other values; clear the {OVERRIDE}… cells of this row")


def _read(cells: Mapping[str, Cell], column: str, faults: list[Fault]) -> str:
    cell = cells.get(column)
    value = "" if cell is None else core_cells.COERCERS["string"](cell, Reading())
    if isinstance(value, core_cells.Fault):
        faults.append(Fault(column, value.message))
        return ""
    return _text(value)


def _text(cell: Cell) -> str:
    """Give a cell's text without the blanks, visible or not, around it."""
    return _INVISIBLE.sub("", core_cells.shown(cell)).strip() if cell is not None else ""


def pause_told(cells: Mapping[str, Cell]) -> int:
    """Say for which of a run's reviews a row was filled in, by what its `_decision_status` tells."""
    found = _PAUSE.search(core_cells.shown(cells.get(STATUS)))
    return int(found[1]) if found else 1


def weigh(decision: Decision, pause: int, standing: Standing) -> Due | Settled | Fault:
    """Say whether a decision that was typed for a pause is to be sent."""
    recorded = standing.live(pause) or standing.last(pause)
    waits = standing.state is State.AWAITING_REVIEW
    if recorded is not None and recorded.state in LIVE:
        return _against(decision, recorded, resend=waits and pause == standing.pause)
    if waits and pause == standing.pause:
        again = recorded is not None and recorded.state in _SENT_AGAIN and decision.same_as(recorded.decision)
        return Due(decision, recorded if again else None)
    if recorded is not None and decision.same_as(recorded.decision):
        return Settled()
    if waits:
        return Fault(DECISION, _OTHER_REVIEW)
    return Fault(DECISION, f"this row does not wait for a review, it is {standing.state.value.replace('_', ' ')}")


_OTHER_REVIEW = (
    "this was filled in for an earlier review of the run, which now waits for another; "
    "look at the row in a workbook written since then"
)


def _against(decision: Decision, recorded: Recorded, *, resend: bool) -> Due | Settled | Fault:
    if not decision.same_as(recorded.decision):
        return Fault(DECISION, f"this row was {told(recorded)}; a decision cannot be changed once it was sent")
    return Due(recorded.decision, recorded) if resend and recorded.state is DecisionState.OPEN else Settled()


def told(recorded: Recorded) -> str:
    """Tell a decision in words: `approved by Anna on 2026-11-22 10:03 UTC`."""
    decision = recorded.decision
    reason = f' ("{decision.rejection_reason}")' if decision.rejection_reason else ""  # a purge removes it
    what = "approved" if decision.approved else f"rejected{reason}"
    others = f" with {', '.join(decision.outputs)} set" if decision.outputs else ""
    return f"{what}{others} by {decision.reviewer} on {recorded.decided_at:%Y-%m-%d %H:%M} UTC"


def status(standing: Standing, told_at: int | None = None) -> str:
    """Say what became of a row's decision, for `_decision_status`; `told_at` asks for another pause than the last."""
    pause = told_at or standing.pause
    mark = f" (review {pause})" if pause > 1 else ""
    last = standing.live(pause) or standing.last(pause)
    waits = standing.state is State.AWAITING_REVIEW and pause == standing.pause
    if last is None:
        return f"due{mark}" if waits else ""
    text = _WORDS[last.state].format(told=told(last), detail=last.detail or "no reason was given")
    again = waits and last.state not in LIVE
    return f"{'due' if again else 'done' if last.state is DecisionState.ACCEPTED else 'sent'}{mark}: {text}"


_WORDS: Mapping[DecisionState, str] = {
    DecisionState.OPEN: "{told}, and no answer came yet; review the workbook again to send it once more, safely",
    DecisionState.ACCEPTED: "{told}",
    DecisionState.CONFLICT: "{told}, but somebody had decided before: {detail}",
    DecisionState.NOT_WAITING: "{told}, but the run was not waiting: {detail}",
    DecisionState.REFUSED: "{told}, and the API refused it: {detail}",
    DecisionState.UNSENT: "{told}, and it did not arrive: {detail}",
    DecisionState.UNCLEAR: "{told}, but its answer was lost, so it may have counted: {detail}",
}
