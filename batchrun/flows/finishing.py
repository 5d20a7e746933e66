"""Finishes what was sent: keeps why it stopped, writes the workbook, and says how the batch stands."""

from __future__ import annotations

from dataclasses import replace

from batchrun.core.conduct import Stop
from batchrun.flows import holding, looking, reporting
from batchrun.flows.holding import CANCELLED
from batchrun.flows.outcome import INTERRUPTION, Outcome, outcome_of
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.system import Interrupts
from batchrun.model import State

MOST_INTERRUPTS = 2


def finished(journal: Journal, batch: Batch, stop: Stop | None, teller: Teller, interrupts: Interrupts) -> Stop | None:
    """Keep why sending stopped, and write the workbook, through a second Ctrl-C too; a third leaves that undone."""
    interrupts.first = lambda: None
    try:
        with journal.writing() as connection:
            left = journal_batches.counts(connection, [batch.id])[batch.id].get(State.READY, 0)
            journal_steps.mark_stopped(connection, batch.id, stop.message if stop is not None and left else None)
            if stop is not None and stop.code == CANCELLED:
                holding.note_cancelled(connection, batch)  # whoever asked may be gone before it can
        looking.tell_stop(stop, left, teller)
        if interrupts.seen > MOST_INTERRUPTS:
            interrupts.leave()
        reporting.write(journal, batch.name, teller)
    except KeyboardInterrupt:
        if not interrupts.seen:
            raise
        teller.warn(f"the workbook was not written; write it with: batchrun report {batch.name}")
        return stop or interruption()
    return stop


def interruption() -> Stop:
    """Give why sending stopped where somebody interrupted it."""
    return Stop(INTERRUPTION, "you interrupted it")


def outcome(journal: Journal, batch: Batch, stop: Stop | None) -> Outcome:
    """Say how the batch stands, and why sending stopped."""
    found = outcome_of(journal, batch.name)
    if stop is None:
        return found
    with journal.reading() as connection:
        goes_on = holding.how_to_go_on(batch.name, holding.what_holds_the_rest(connection, batch))
    if stop.code == INTERRUPTION:
        return replace(found, interrupted=True, stopped=stop.message, next=goes_on)
    return found if found.stopped is not None else replace(found, stopped=stop.message, next=found.next or goes_on)
