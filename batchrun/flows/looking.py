"""Shows what became of the rows that were sent first, and asks whether the others go out."""

from __future__ import annotations

from batchrun.core.conduct import Stop
from batchrun.core.totals import counted
from batchrun.flows import holding
from batchrun.flows.holding import CANARY, CANCELLED, VERSION_CHANGED, Hold
from batchrun.flows.outcome import INTERRUPTION
from batchrun.flows.telling import Teller
from batchrun.io import journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch


def look(journal: Journal, batch: Batch, hold: Hold, teller: Teller, *, may_ask: bool) -> Stop | None:
    """Give why the others are not sent; None where somebody was asked, and said yes.

    `--yes` answers nothing here: it was given before these results were there, so it cannot say that they are good.
    """
    stop = Stop(hold.code, hold.sentence)
    if hold.canary is None:
        return stop
    asks = may_ask and hold.canary.is_through
    for line in hold.canary.lines():
        (teller.announce if asks else teller.say)(line)
    if not asks:
        return stop
    with journal.writing() as connection:  # whatever becomes of this process while it waits for the answer
        journal_steps.mark_stopped(connection, batch.id, stop.message)
    try:
        answer = teller.ask(hold.canary.question())
    except KeyboardInterrupt:
        return Stop(INTERRUPTION, "you interrupted it")
    return _go_on(journal, batch) if answer else stop


def _go_on(journal: Journal, batch: Batch) -> Stop | None:
    with journal.writing() as connection:
        if journal_steps.cancel_asked(connection, batch):  # while the question stood there
            return Stop(CANCELLED, "somebody cancelled the batch")
        holding.confirm(connection, batch, "asked")
        journal_steps.mark_stopped(connection, batch.id, None)
    return None


def tell_stop(stop: Stop | None, left: int, teller: Teller) -> None:
    """Say why sending stopped, and how many rows are left to send."""
    if stop is None:
        return
    if stop.code in (CANARY, VERSION_CHANGED):
        teller.warn(f"stopped: {stop.message}")
        return
    to_send = f"{counted(left, 'row')} left to send" if left else "no row is left to send"
    teller.warn(f"stopped, because {stop.message}; {to_send}")
