"""Asks whether a live batch that somebody cancelled goes on after all."""

from __future__ import annotations

from batchrun.core.totals import counted, grouped
from batchrun.errors import Declined, Interrupted
from batchrun.flows import holding
from batchrun.flows.figures import figures_of
from batchrun.flows.telling import Teller
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.model import State


def agreed_to_go_on(journal: Journal, batch: Batch, teller: Teller) -> bool:
    """Ask about rows that a cancellation left; False where it holds nothing. Raise where nobody can answer, or says no.

    `--yes` answers nothing here: it was given for a batch that nobody had cancelled.
    """
    with journal.reading() as connection:
        hold = holding.what_holds_the_rest(connection, batch)
    if hold is None or hold.code != holding.CANCELLED:
        return False
    goes_on = holding.how_to_go_on(batch.name, hold)
    try:
        answer = teller.ask(f"{batch.name} is held: {hold.sentence}.\n{_question(journal, batch)}")
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was sent", next=goes_on) from None
    if answer is None:
        with journal.reading() as connection:
            holding.refuse_if_cancelled(connection, batch)
    if not answer:
        raise Declined("nothing was sent", next=goes_on)
    return True


def _question(journal: Journal, batch: Batch) -> str:
    figures = figures_of(journal, batch)
    sums = ", ".join(
        f"{control.column} {grouped(control.by_state.get(State.READY, control.input * 0), control.decimals)}"
        for control in figures.totals
    )
    left = figures.counts.get(State.READY, 0)
    rows = f"{counted(left, 'row')} that {'is' if left == 1 else 'are'} left"
    return f"Send the {rows} to LIVE{'; ' if sums else ''}{sums}?"
