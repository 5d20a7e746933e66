"""A workbook that a reviewer hands in: which of its decisions are to be sent, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from batchrun.core import review
from batchrun.core.approval import same_person
from batchrun.core.cells import cut, shown
from batchrun.core.overrides import OverrideReader
from batchrun.core.review import DECISION, Decision, Due, Fault, Recorded, Settled, Standing
from batchrun.flows.contents import outputs_schema, shown_cells
from batchrun.io import journal_decisions, journal_rows, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.workbook_reading import TypedRow, WorkbookCopy
from batchrun.io.workbook_text import safe_text
from batchrun.model import Cell, Number, State

ROW, RUN_ID = "_row", "_run_id"
LEFT_ALONE = 50  # faults told; the rest are counted


class Planned(NamedTuple):
    """A decision that is to be sent; `recorded` is its earlier beginning, with the key that it keeps."""

    standing: Standing
    decision: Decision
    recorded: Recorded | None


@dataclass(slots=True)
class Plan:
    """What a workbook asks for. `faults` are lines, each with its cell."""

    due: list[Planned] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    settled: int = 0
    going_on: set[int] = field(default_factory=set)  # positions of rows that were decided before and run on

    def told(self) -> list[str]:
        """Give the faults as they are told: the first ones, and how many there are."""
        left = len(self.faults) - LEFT_ALONE
        return [*self.faults[:LEFT_ALONE], *([f"and {left:,} more"] if left > 0 else [])]


def plan_of(journal: Journal, batch: Batch, copy: WorkbookCopy) -> Plan:
    """Weigh every decision that was typed, and add those that were begun before and never answered."""
    reader = _Reader(journal, batch, copy)
    plan = Plan()
    planned: dict[int, Planned] = {}
    for typed in reader.typed:
        found, faults = reader.weigh(typed)
        if isinstance(found, Settled):
            plan.settled += 1
            plan.going_on |= reader.runs_on(typed)
        if isinstance(found, Planned):
            first = planned.setdefault(found.standing.position, found)
            if not first.decision.same_as(found.decision):
                faults = [reader.disagreement(typed, first)]
        plan.faults += faults
    for one in reader.unanswered():
        planned.setdefault(one.standing.position, one)
    plan.due = list(planned.values())
    return plan


class _Reader:
    """Weighs one workbook's rows against the journal."""

    def __init__(self, journal: Journal, batch: Batch, copy: WorkbookCopy) -> None:
        self._journal = journal
        self._batch = batch
        self._copy = copy
        self._overrides = OverrideReader(copy.header, outputs_schema(journal, batch))
        self.typed = [row for row in copy.rows() if review.is_typed(row.cells)]
        with journal.reading() as connection:
            self._standings = {one.number: one for one in journal_decisions.standings(connection, batch)}
        self._seen: dict[int, str] = {}
        self._user = system.user_name()

    def weigh(self, typed: TypedRow) -> tuple[Planned | Settled | None, list[str]]:
        """Say what is to become of one row's decision, or what is wrong with it, each with its cell."""
        found, faults = self._weigh(typed)
        return found, [f"{self._copy.address(typed.sheet, typed.line, one.column)}: {one.message}" for one in faults]

    def _weigh(self, typed: TypedRow) -> tuple[Planned | Settled | None, list[Fault]]:
        standing, fault = self._standing(typed)
        decision, faults = review.parse(typed.cells, self._overrides, self._user)
        faults = [*self._overrides.faults, *faults] if self._has_overrides(typed) else faults
        if standing is None or decision is None or faults:
            return None, [*([fault] if fault else []), *faults]
        if standing.pause > 1 and review.STATUS not in self._copy.header:
            told = (
                f"the run waits for its review {standing.pause}, and without the column {review.STATUS} nobody can say"
            )
            return None, [Fault(DECISION, f"{told} for which one this is; decide it in a workbook that has the column")]
        found = review.weigh(decision, review.pause_told(typed.cells), standing)
        if isinstance(found, Settled):
            return found, []
        if isinstance(found, Fault):
            return None, [found]
        faults = [*self._four_eyes(found), *self._altered(typed, standing)]
        return (None, faults) if faults else (Planned(standing, found.decision, found.recorded), [])

    def disagreement(self, typed: TypedRow, first: Planned) -> str:
        """Say that two rows of one group are decided differently: they are one run."""
        place = self._copy.address(typed.sheet, typed.line, DECISION)
        return f"{place}: row {first.standing.number} is of the same run, and is decided otherwise; decide both alike"

    def runs_on(self, typed: TypedRow) -> set[int]:
        """Give the position of a row whose run goes on."""
        standing = self._standings.get(typed.number or 0)
        is_open = standing is not None and standing.state in (State.PENDING, State.RUNNING)
        return {standing.position} if standing is not None and is_open else set()

    def _has_overrides(self, typed: TypedRow) -> bool:
        return any(name.startswith(review.OVERRIDE) for name in typed.cells)

    def _standing(self, typed: TypedRow) -> tuple[Standing | None, Fault | None]:
        """Find the row that a line of the workbook speaks of; the row's number and its run have to agree."""
        if typed.number is None:
            return None, Fault(ROW, "this cell held the row's number and was changed; take it from another copy")
        place = self._copy.address(typed.sheet, typed.line, ROW)
        first = self._seen.setdefault(typed.number, place)
        if first != place:
            return None, Fault(ROW, f"row {typed.number} stands twice, in {first} too; decide it in one place")
        standing = self._standings.get(typed.number)
        if standing is None:
            return None, self._no_such_row(typed.number)
        if shown(typed.cells.get(RUN_ID)).strip() != standing.run_id:
            return None, Fault(RUN_ID, f"row {typed.number} is the run {standing.run_id}; this cell was changed")
        return standing, None

    def _no_such_row(self, number: int) -> Fault:
        with self._journal.reading() as connection:
            record = journal_rows.by_number(connection, self._batch, number) if number < 2**63 else None
        if record is None:
            return Fault(ROW, f"{self._batch.name} has no row {number}")
        return Fault(DECISION, f"this row does not wait for a review, it is {record.state.value.replace('_', ' ')}")

    def _four_eyes(self, due: Due) -> Iterator[Fault]:
        """Refuse who started the batch, where the job asks for four eyes."""
        if not self._batch.settings.get("review", {}).get("four_eyes"):
            return
        if same_person(due.decision.reviewer, self._batch.made_by):
            yield Fault(
                review.REVIEWER,
                f"{due.decision.reviewer} started this batch, and the job asks for a second pair of eyes (four_eyes); "
                "somebody else has to decide, and be named here",
            )

    def _altered(self, typed: TypedRow, standing: Standing) -> Iterator[Fault]:
        """Refuse a decision on values that were edited: what was sent stays as it was sent, whatever is decided."""
        with self._journal.reading() as connection:
            record = journal_rows.by_number(connection, self._batch, standing.number)
        assert record is not None  # noqa: S101  # it has a standing
        for name, sent in zip(self._batch.sheet.header, shown_cells(record, self._batch), strict=False):
            if name in self._copy.header and _differs(sent, typed.cells.get(name)):
                yield Fault(
                    name,
                    f"{name} was changed here, and the run goes on with what was sent ({_words(sent)}); put it back, "
                    "and reject the row if it is wrong",
                )

    def unanswered(self) -> Iterator[Planned]:
        """Give the decisions that were begun before and never answered: they are sent again, with their own keys."""
        for standing in self._standings.values():
            live, waits = standing.live(standing.pause), standing.state is State.AWAITING_REVIEW
            if live is not None and live.state is review.DecisionState.OPEN and waits:
                yield Planned(standing, live.decision, live)


def _differs(sent: Cell, now: Cell) -> bool:
    """Tell whether a cell was edited, as far as that is beyond doubt: spreadsheets may shift how others are kept."""
    if isinstance(sent, Number) and isinstance(now, Number):
        return sent.value != now.value
    if isinstance(sent, str) and isinstance(now, str | None):
        return _squeezed(safe_text(sent)) != _squeezed(now or "")
    if now is None:
        return isinstance(sent, Number | bool | datetime)
    if isinstance(sent, datetime) and isinstance(now, datetime):
        return abs(sent - now) >= timedelta(minutes=1)  # spreadsheets round the fractions of a day
    return isinstance(sent, bool) and isinstance(now, bool) and sent is not now


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _words(cell: Cell) -> str:
    return cut(shown(cell))
