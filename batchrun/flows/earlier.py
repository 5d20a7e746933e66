"""Finds what a job's present sheet is compared with: an earlier batch of the job, and what its months came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from batchrun.core import comparing
from batchrun.core.naming import world_name
from batchrun.core.totals import Totals, summed
from batchrun.errors import NotFound
from batchrun.flows.finding import find_batch
from batchrun.flows.loading import LoadedJob
from batchrun.flows.origins import Origins
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_comparisons
from batchrun.io.comparison_summary import Month
from batchrun.io.journal import Journal, journal_if_any
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_place import place_of
from batchrun.model import State, Summed


def some_journal(job: LoadedJob, journal_path: Path | None) -> Journal:
    """Open the journal; raise NotFound where there is none, for then there is nothing to compare with."""
    journal = journal_if_any(journal_path)
    if journal is None:
        raise _nothing(job, place_of(journal_path))
    return journal


def earlier_batch(
    journal: Journal, job: LoadedJob, origins: Origins, named: str | None, teller: Teller
) -> tuple[Batch, list[str]]:
    """Give the batch to compare with, and in sentences what is particular about it; NotFound where there is none."""
    if named is not None:
        batch = find_batch(journal, named, teller)
        return batch, _particulars(batch, job, origins)
    with journal.reading() as connection:
        every = journal_batches.every(connection)
    own = [one for one in every if one.job == job.spec.job and one.environment == job.choice.environment]
    if not own:
        raise _nothing(job, journal.path)
    batch = _choice(own, job, origins)
    return batch, _particulars(batch, job, origins)


def _choice(own: Sequence[Batch], job: LoadedJob, origins: Origins) -> Batch:
    """Choose among a job's batches, the newest first: what was really sent, with other params, in this world."""
    world = _world(job, origins)
    wishes: tuple[Callable[[Batch], bool], ...] = (
        lambda one: not one.simulated,
        lambda one: dict(one.params) != dict(job.params),
        lambda one: one.world == world,
    )
    for wish in wishes:
        own = [one for one in own if wish(one)] or own
    return own[0]


def _world(job: LoadedJob, origins: Origins) -> str:
    return world_name(job.spec.procedure.id, job.choice.environment, origins.base)


def _particulars(batch: Batch, job: LoadedJob, origins: Origins) -> list[str]:
    notes = []
    if batch.job != job.spec.job:
        notes.append(f"{batch.name} is of another job, {batch.job}.")
    if batch.simulated:
        notes.append(f"{batch.name} was only simulated.")
    elif batch.world != _world(job, origins):
        where = f"{batch.procedure_id} in {batch.environment} at {batch.base_url}"
        notes.append(f"{batch.name} is of another world ({where}), so its keys are no duplicates here.")
    if batch.params and dict(batch.params) == dict(job.params):
        notes.append(f"{batch.name} has the very params of now: {_told(job.params)}.")
    return notes


def _told(params: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in params.items())


def _nothing(job: LoadedJob, journal: Path) -> NotFound:
    return NotFound(
        f"the journal {journal} holds no batch of {job.spec.job} in {job.choice.environment} to compare with; "
        "run an earlier month first, or name a batch with --with",
        next="batchrun status",
    )


def label_of(params: Mapping[str, str], month: str) -> str:
    """Name a month: by the job's params, else by the time."""
    return ", ".join(params.values()) or month


def months_like(journal: Journal, batch: Batch, wanted: Callable[[Summed], bool]) -> tuple[Month, ...]:
    """Give what was completed in each month of a batch's job, where that batch ran; rehearsals count among their own.

    `wanted` tells which control totals are compared.
    """
    with journal.reading() as connection:
        every = journal_batches.every(connection)
    months: dict[str, list[Batch]] = {}
    for one in every:
        same_place = one.simulated if batch.simulated else one.world == batch.world
        if (one.job, one.environment) == (batch.job, batch.environment) and same_place:
            months.setdefault(label_of(one.params, one.created_at[:7]), []).append(one)
    return tuple(_month(journal, label, months[label], wanted) for label in sorted(months))


def _month(journal: Journal, label: str, batches: Sequence[Batch], wanted: Callable[[Summed], bool]) -> Month:
    rows, sums = 0, []
    for batch in batches:
        columns = [(place, total) for place, total in enumerate(summed(batch.settings["totals"])) if wanted(total)]
        totals = Totals([total for _, total in columns])
        with journal.reading() as connection:
            for amounts in journal_comparisons.completed_amounts(connection, batch.id):
                rows += 1
                totals.add(State.COMPLETED, [amounts[place] for place, _ in columns])
        sums.append(tuple((control.column, control.input) for control in totals.controls()))
    return Month(label, len(batches), rows, comparing.added(sums))
