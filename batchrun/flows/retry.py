"""`retry`: a new attempt at rows that ended, with the journal's payloads or as they were corrected."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from batchrun.core import selection
from batchrun.core.lifecycle import Event
from batchrun.core.totals import Totals, counted, grouped
from batchrun.errors import BadCommandLine, CouldNotStart, Declined, NotFound, PlanRefused
from batchrun.flows import correcting, holding
from batchrun.flows.clock import SystemClock
from batchrun.flows.corrected_rows import Wanted
from batchrun.flows.correcting import Corrections
from batchrun.flows.doors import doors_for
from batchrun.flows.outcome import Outcome
from batchrun.flows.purged import refuse_purged
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
    corrected: Path | None = None,
    skip_invalid: bool = False,
    yes: bool = False,
    following: Following | None = None,
) -> Outcome:
    """Make rows ready again and send them, those of a corrected file as they are there.

    On live, rows whose run existed have to be named one by one.
    """
    refuse_purged(journal, batch, "so none of its rows can be sent again")
    doors = doors_for(batch, Path(batch.spec_path))
    wanted = Wanted(states, _ranges(rows), skip_invalid)
    if skip_invalid and corrected is None:
        raise BadCommandLine("--skip-invalid is about the rows of a corrected file, so it goes with --input")
    live = batch.environment == "live" and not batch.simulated
    if live and rows is None and any(state is not State.REFUSED for state in states):
        raise BadCommandLine(
            "on live, a failed or cancelled run may have taken effect; name the rows that shall run again with --rows"
        )
    if corrected is not None and batch.settings.get("plan"):
        raise PlanRefused(
            f"the rows of {batch.name} were approved as they are in {batch.settings['plan']['name']}, so they cannot "
            "be sent with other values; correct the sheet, make a new plan of it, and have it approved",
            code="plan-differs",
        )
    corrections = None if corrected is None else _corrections(journal, batch, corrected, wanted, teller)
    chosen = _chosen(journal, batch, wanted) if corrections is None else corrections.records
    holding.refuse_if_held(journal, batch)
    _refuse_beside_unsent(journal, batch)
    _confirm(batch, chosen, teller, live=live, yes=yes)
    with system.try_lock(journal.lock_file(batch.id)) as mine:
        if not mine:
            raise CouldNotStart(f"another batchrun is sending {batch.name} right now", code="held")
        refuse_purged(journal, batch, "so none of its rows can be sent again")  # while this is held, none is purged
        _reset(journal, batch, chosen, corrections)
    return go_on(journal, batch, doors, teller, following or Following(), None)


def _corrections(journal: Journal, batch: Batch, path: Path, wanted: Wanted, teller: Teller) -> Corrections:
    holding.refuse_if_held(journal, batch)
    _refuse_beside_unsent(journal, batch)  # first of all: the same file once more, after a crash, is told what to do
    found = correcting.read(journal, batch, path, wanted, teller)
    correcting.tell(batch, found, teller)
    return found


def _reset(journal: Journal, batch: Batch, chosen: Sequence[RowRecord], corrections: Corrections | None) -> None:
    """Make rows ready in one transaction, and with it what they hold from now on: either all of it or nothing."""
    now = SystemClock().now()
    note = f"tried again by {system.user_name()}"
    notes = {} if corrections is None else correcting.notes_by_position(corrections)
    with journal.writing() as connection:
        if corrections is not None:
            correcting.write(connection, batch, corrections, now)
        owners = dict.fromkeys(record.owner for record in chosen)  # of a group, the row that bears the payload
        holding.take_up_again(connection, batch, "retry")  # nothing was left to send: all that is, is chosen here
        steps = [Step(position, Event.RETRY, now, note=notes.get(position, note)) for position in owners]
        journal_steps.apply(connection, batch, steps)


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


def _ranges(rows: str | None) -> tuple[range, ...]:
    try:
        return selection.parse_rows(rows) if rows else ()
    except ValueError as error:
        raise BadCommandLine(f"--rows: {error}") from None


def _chosen(journal: Journal, batch: Batch, wanted: Wanted) -> list[RowRecord]:
    with journal.reading() as connection:
        found = [
            record.bare  # these are only counted, added up and stepped
            for record in journal_rows.stream(connection, batch, wanted.states)
            if selection.selects(wanted.ranges, record.number)
        ]
        rejected = journal_rows.rejected(connection, batch)
    kept = [record for record in found if record.owner not in rejected]
    if found and not kept:
        raise BadCommandLine(
            f"{counted(len(found), 'row')} failed at a review, and what a reviewer has rejected is never sent again"
        )
    found = kept
    if not found:
        states = " or ".join(state.value for state in wanted.states)
        among = " among those" if wanted.ranges else ""
        raise NotFound(f"{batch.name} has no row that is {states}{among}; nothing was sent")
    return found


def _confirm(batch: Batch, chosen: Sequence[RowRecord], teller: Teller, *, live: bool, yes: bool) -> None:
    totals = Totals(batch.settings["totals"])
    for record in chosen:
        totals.add(record.state, record.amounts)
    sums = "".join(f", {one.column} {grouped(one.input, one.decimals)}" for one in totals.controls())
    told = f"{counted(len(chosen), 'row')}{sums} {'is' if len(chosen) == 1 else 'are'} sent again"
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
