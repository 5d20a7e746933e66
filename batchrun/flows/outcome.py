"""What a command about a batch ends with: one document, one exit code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from batchrun.core.lifecycle import NEEDS_ATTENTION as ATTENTION
from batchrun.core.lifecycle import OPEN, UNSENT
from batchrun.core.proofs import disproof
from batchrun.core.totals import as_json
from batchrun.errors import COMPLETED, INTERRUPTED, NEEDS_ATTENTION, STILL_OPEN, STOPPED
from batchrun.flows import holding
from batchrun.flows.figures import figures_of
from batchrun.io import journal_batches, journal_rows, journal_steps, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.model import ControlTotal, State

INTERRUPTION = "interrupted"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a batch stands. `stopped` is null once nothing is left to send.

    `disproof` says that the rows do not add up to what was read, and then nobody may take it for done.
    """

    batch: str | None = None
    job: str | None = None
    environment: str | None = None
    rows: int = 0
    runs: int = 0
    counts: Mapping[State, int] = field(default_factory=dict)
    totals: tuple[ControlTotal, ...] = ()
    workbook: str | None = None
    stopped: str | None = None
    next: str | None = None
    interrupted: bool = False
    nothing_to_do: bool = False
    disproof: str | None = None

    @property
    def exit_code(self) -> int:
        """When several hold, the first of 3, 1, 4 wins; an interruption is 130."""
        if self.interrupted:
            return INTERRUPTED
        if self.stopped is not None:
            return STOPPED
        if self.disproof is not None:
            return NEEDS_ATTENTION
        if self.nothing_to_do:
            return COMPLETED
        if any(state in ATTENTION for state in self.counts):
            return NEEDS_ATTENTION
        return STILL_OPEN if any(state in OPEN or state in UNSENT for state in self.counts) else COMPLETED

    def as_json(self) -> dict[str, Any]:
        """Give the document that `--json` prints."""
        return {
            "version": 1,
            "batch": self.batch,
            "job": self.job,
            "environment": self.environment,
            "rows": self.rows,
            "runs": self.runs,
            "counts": {state.value: count for state, count in self.counts.items()},
            "totals": as_json(self.totals),
            "workbook": self.workbook,
            "stopped": self.stopped,
            "next": self.next,
            "error": None,
        }


def outcome_of(journal: Journal, batch_name: str, *, interrupted: bool = False) -> Outcome:
    """Read from the journal how a batch stands."""
    with journal.reading() as connection:
        batch = journal_batches.find(connection, batch_name)
        assert batch is not None  # noqa: S101  # batches are never removed
        runs = journal_rows.count_payloads(connection, batch.id)
    figures = figures_of(journal, batch)
    counts = figures.counts
    with journal.reading() as connection:
        goes_on = next_command(connection, batch, counts)
    return Outcome(
        batch=batch.name,
        job=batch.job,
        environment=batch.environment,
        rows=sum(counts.values()),
        runs=runs,
        counts=counts,
        totals=figures.totals,
        workbook=batch.workbook if batch.workbook_sha256 else None,
        stopped=batch.stopped or _abandoned(journal, batch, counts),
        next=goes_on,
        interrupted=interrupted,
        disproof=disproof(figures.proof, batch.name),
    )


def _abandoned(journal: Journal, batch: Batch, counts: Mapping[State, int]) -> str | None:
    """Say that nobody sends what is left: the sender was killed before it could say why it stopped."""
    if not any(state in UNSENT for state in counts) or is_being_sent(journal, batch, counts):
        return None
    return "the program that was sending ended before its end"


def is_being_sent(journal: Journal, batch: Batch, counts: Mapping[State, int]) -> bool:
    """Tell whether a program is sending what is left of a batch; then there is nothing to do but to wait for it."""
    return any(state in UNSENT for state in counts) and system.is_locked(journal.lock_file(batch.id))


def next_command(connection: Connection, batch: Batch, counts: Mapping[State, int]) -> str | None:
    """Give the command that goes on from here; None where nothing is left to do."""
    unsent = State.READY in counts or State.SENDING in counts
    if unsent and not _doubts_come_first(connection, batch, counts):
        return holding.how_to_go_on(batch.name, holding.what_holds_the_rest(connection, batch))
    if State.IN_DOUBT in counts:
        return f"batchrun resolve {batch.name}"
    if State.PENDING in counts or State.RUNNING in counts:
        return f"batchrun resume {batch.name}"
    if State.AWAITING_REVIEW in counts:
        return (
            f"batchrun review {system.shell_word(batch.workbook)}"
            if batch.workbook_sha256
            else f"batchrun refresh {batch.name}"
        )
    if State.REFUSED in counts and not batch.settings.get("plan"):  # what was approved is not corrected here
        return f"batchrun report {batch.name} --only refused -o {batch.name}.refused.xlsx"
    return None


def _doubts_come_first(connection: Connection, batch: Batch, counts: Mapping[State, int]) -> bool:
    """Tell whether a row was given another row's run: as long as nobody knows why, more rows might be."""
    if State.IN_DOUBT not in counts or State.SENDING in counts:
        return False
    return journal_steps.was_given_anothers_run(connection, batch)
