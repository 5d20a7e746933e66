"""What a row's review columns show in the workbook: the journal's decision, and what was typed and not sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchrun.core import cells as core_cells
from batchrun.core import review, targets
from batchrun.core.review import APPROVE, DECISION, OVERRIDE, REASON, REJECT, REVIEWER, Decision, Recorded, Standing
from batchrun.model import Cell, State

COLUMNS = (DECISION, REASON, REVIEWER)


@dataclass(frozen=True, slots=True)
class ReviewCells:
    """The cells of one row, from `_decision` to `_decision_status`. Overrides are by field."""

    decision: str | None = None
    rejection_reason: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    reviewer: str | None = None
    status: str | None = None


def is_filled_in(typed: Mapping[str, Cell]) -> bool:
    """Tell whether anything was typed into a row's review columns."""
    return any(name in COLUMNS or name.startswith(OVERRIDE) for name in typed)


def review_cells(standing: Standing | None, typed: Mapping[str, Cell] | None, fields: Sequence[str]) -> ReviewCells:
    """Give a row's cells. What was typed and can still count stays; nothing that was typed goes without a word."""
    typed = typed if typed is not None and is_filled_in(typed) else None
    if standing is None:
        return (
            ReviewCells() if typed is None else _typed(typed, fields, "not sent: this row does not wait for a review")
        )
    status = review.status(standing)
    shown = standing.live(standing.pause)
    if typed is not None and shown is None and review.pause_told(typed) == standing.pause:
        waits = standing.state is State.AWAITING_REVIEW
        left = standing.last(standing.pause)
        if waits or left is None:
            return _typed(typed, fields, status or "not sent: this row does not wait for a review")
    shown = shown or _of_the_past(standing)
    return _recorded(shown, fields, status + _unsent(typed, standing, shown))


def _of_the_past(standing: Standing) -> Recorded | None:
    """Give a decision that was not taken, once the row waits no more; until then its cells are free for another."""
    return None if standing.state is State.AWAITING_REVIEW else standing.last(standing.pause)


def _unsent(typed: Mapping[str, Cell] | None, standing: Standing, shown: Recorded | None) -> str:
    """Tell what was typed and is not shown any more, unless it is what was decided."""
    word = "" if typed is None else core_cells.shown(typed.get(DECISION)).strip()
    if not word or typed is None:
        return ""
    told = review.pause_told(typed)
    counted = shown if told == standing.pause else standing.live(told) or standing.last(told)
    if counted is not None and word.casefold() == _word(counted.decision):
        return ""
    return (
        f'; not sent: "{core_cells.cut(word)}", which was filled in {"later" if counted else "for an earlier review"}'
    )


def _word(decision: Decision) -> str:
    return APPROVE if decision.approved else REJECT


def _typed(typed: Mapping[str, Cell], fields: Sequence[str], status: str) -> ReviewCells:
    return ReviewCells(
        decision=_text(typed, DECISION),
        rejection_reason=_text(typed, REASON),
        overrides={name: typed[OVERRIDE + name] for name in fields if OVERRIDE + name in typed},
        reviewer=_text(typed, REVIEWER),
        status=status or None,
    )


def _text(typed: Mapping[str, Cell], column: str) -> str | None:
    return core_cells.shown(typed.get(column)) or None


def _recorded(recorded: Recorded | None, fields: Sequence[str], status: str) -> ReviewCells:
    if recorded is None:
        return ReviewCells(status=status or None)
    decision = recorded.decision
    values = dict(_values(decision.outputs or {}, fields))
    return ReviewCells(_word(decision), decision.rejection_reason, values, decision.reviewer, status or None)


def _values(outputs: Mapping[str, Any], fields: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name in fields:
        here: Any = outputs
        for step in targets.parse(name):
            here = here.get(step) if isinstance(here, Mapping) else _item(here, step)
        if here is not None:
            yield name, here


def _item(here: Any, step: str | int) -> Any:
    return here[step] if isinstance(here, list) and isinstance(step, int) and step < len(here) else None
