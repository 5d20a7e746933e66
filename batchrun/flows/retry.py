"""`retry`: a new attempt at rows that ended, with the journal's payloads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from batchrun.core import selection
from batchrun.core.lifecycle import Event
from batchrun.core.totals import Totals, counted, grouped
from batchrun.errors import BadCommandLine, CouldNotStart, Declined, NotFound
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import doors_for
from batchrun.flows.outcome import Outcome
from batchrun.flows.sending import Following, go_on
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_rows, journal_steps, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_rows import RowRecord
from batchrun.io.journal_steps import Step
from batchrun.model import State

RETRIABLE = (State.REFUSED, State.FAILED, State.CANCELLED)


def parse_states(text: str) -> tuple[State, ...]:
    """Give the states of `--status failed,cancelled`."""
    words = [word.strip().lower() for word in text.split(",")]
    known = {state.value: state for state in RETRIABLE}
    for word in words:
        if word not in known:
            why = "it is settled with: batchrun resolve" if word == "in_doubt" else f"known are {', '.join(known)}"
            raise BadCommandLine(f'--status: rows that are "{word}" cannot be tried again; {why}')
    return tuple(known[word] for word in words)


def retry(
    journal: Journal,
    batch: Batch,
    teller: Teller,
    *,
    states: Sequence[State] = (State.REFUSED,),
    rows: str | None = None,
    yes: bool = False,
    following: Following | None = None,
) -> Outcome:
    """Make rows ready again and send them; on live, rows whose run existed have to be named one by one."""
    doors = doors_for(batch, Path(batch.spec_path))
    chosen = _chosen(journal, batch, states, rows)
    live = batch.environment == "live" and not batch.simulated
    if live and rows is None and any(state is not State.REFUSED for state in states):
        raise BadCommandLine(
            "on live, a failed or cancelled run may have taken effect; name the rows that shall run again with --rows"
        )
    _refuse_beside_unsent(journal, batch)
    _confirm(batch, chosen, teller, live=live, yes=yes)
    with system.try_lock(journal.lock_file(batch.id)) as mine:
        if not mine:
            raise CouldNotStart(f"another batchrun is sending {batch.name} right now", code="held")
        now = SystemClock().now()
        note = f"tried again by {system.user_name()}"
        with journal.writing() as connection:
            owners = dict.fromkeys(record.owner for record in chosen)  # of a group, the row that bears the payload
            steps = [Step(position, Event.RETRY, now, note=note) for position in owners]
            journal_steps.apply(connection, batch, steps)
    return go_on(journal, batch, doors, teller, following or Following(), None)


def _refuse_beside_unsent(journal: Journal, batch: Batch) -> None:
    """Refuse while other rows are left to send: they would go out too, and nobody named them."""
    with journal.reading() as connection:
        left = journal_batches.counts(connection, [batch.id])[batch.id].get(State.READY, 0)
    if left:
        raise CouldNotStart(
            f"{counted(left, 'row')} of {batch.name} left to send would go out too; send them first",
            code="rows-left",
            next=f"batchrun resume {batch.name}",
        )


def _chosen(journal: Journal, batch: Batch, states: Sequence[State], rows: str | None) -> list[RowRecord]:
    try:
        ranges = selection.parse_rows(rows) if rows else ()
    except ValueError as error:
        raise BadCommandLine(f"--rows: {error}") from None
    with journal.reading() as connection:
        found = [
            record
            for record in journal_rows.stream(connection, batch, states)
            if selection.selects(ranges, record.number)
        ]
        rejected = journal_rows.rejected(connection, batch)
    kept = [record for record in found if record.owner not in rejected]
    if found and not kept:
        raise BadCommandLine(
            f"{counted(len(found), 'row')} failed at a review, and what a reviewer has rejected is never sent again"
        )
    found = kept
    if not found:
        wanted = " or ".join(state.value for state in states)
        raise NotFound(f"{batch.name} has no row that is {wanted}{' among those' if rows else ''}; nothing was sent")
    return found


def _confirm(batch: Batch, chosen: Sequence[RowRecord], teller: Teller, *, live: bool, yes: bool) -> None:
    totals = Totals(batch.settings["totals"])
    for record in chosen:
        totals.add(record.state, record.amounts)
    sums = "".join(f", {one.column} {grouped(one.input, one.decimals)}" for one in totals.controls())
    told = f"{len(chosen):,} rows{sums} are sent again"
    if any(record.state is not State.REFUSED for record in chosen):
        teller.warn("Some of these rows had a run, and it may have taken effect: look at each before it runs again")
    if not live or yes:
        teller.say(f"{told}.")
        return
    answer = teller.ask(f"{told} to LIVE. Go on?")
    if answer is None:
        raise BadCommandLine("a live run asks first, and here nobody can answer; add --yes if you are sure")
    if not answer:
        raise Declined("nothing was sent")
