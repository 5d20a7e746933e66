"""Reads runs of the journal from the API again, and holds both beside one another; the journal stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from batchrun.core import leading_json
from batchrun.core.readings import Reading
from batchrun.core.run_differences import Remembered, differences, same_input, unread
from batchrun.errors import BatchrunError, Stopped
from batchrun.flows.doors import doors_for
from batchrun.flows.loops import run_loop
from batchrun.flows.resolve import read_runs
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_keys import Attempt, Sighting


@dataclass(frozen=True, slots=True)
class RunNow:
    """One run as the API tells it now, how that differs from the journal, or why it was not read."""

    attempt: Attempt
    reading: Reading
    differences: tuple[str, ...] = ()
    same_input: bool | None = None
    unread: str | None = None


Read = tuple[Sighting, tuple[RunNow, ...], BatchrunError | None]


def read_again(journal: Journal, rows: Sequence[Sighting]) -> Iterator[Read]:
    """Read every run of some rows, a batch at a time: each batch has its own API, and its environment its own key."""
    for _, group in groupby(sorted(rows, key=lambda row: row.batch.id), key=lambda row: row.batch.id):
        of_batch = list(group)
        try:
            readings = _readings(journal, of_batch)
        except BatchrunError as error:
            yield from ((row, tuple(_not_read(row, error.message)), error if row.runs else None) for row in of_batch)
            continue
        for row in of_batch:
            runs = tuple(_beside(row, attempt, readings[attempt.run_id]) for attempt in row.runs)
            yield row, runs, _failed(row.batch, runs)


def _not_read(row: Sighting, why: str) -> Iterator[RunNow]:
    yield from (RunNow(attempt, Reading(), unread=why) for attempt in row.runs)


def _readings(journal: Journal, rows: Sequence[Sighting]) -> dict[str, Reading]:
    batch = rows[0].batch
    wanted = list(enumerate(dict.fromkeys(attempt.run_id for row in rows for attempt in row.runs)))
    if not wanted:
        return {}
    if batch.simulated and not journal.simulator_file(batch.id).exists():
        raise Stopped(f"the simulator's runs of {batch.name} are no longer kept", code="not-read")
    with doors_for(batch, Path(batch.spec_path)).opened(journal, batch) as route:
        found = run_loop(read_runs(route, batch, wanted))
    return {run_id: found[number] for number, run_id in wanted}


def _beside(row: Sighting, attempt: Attempt, reading: Reading) -> RunNow:
    """Hold one run against the journal; an earlier attempt may have had another payload, so its state alone."""
    known = Remembered(attempt.run_id, attempt.state)
    if attempt.run_id == row.run_id:
        output = None if row.output is None else leading_json.parse(row.output)
        known = Remembered(attempt.run_id, row.state, row.payload, row.payload_id, output)
    is_same = same_input(reading, known) if attempt.run_id == row.run_id else None
    return RunNow(attempt, reading, tuple(differences(reading, known)), is_same, unread(reading))


def _failed(batch: Batch, runs: Sequence[RunNow]) -> BatchrunError | None:
    why = next((f"the run {one.attempt.run_id} was not read: {one.unread}" for one in runs if one.unread), None)
    return None if why is None else Stopped(f"{why} ({batch.name})", code="not-read", next="batchrun doctor")
