"""`status`: lists batches, or one batch's counts, without disturbing a running one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchrun.flows.finding import find_batch
from batchrun.flows.outcome import Outcome, is_being_sent, outcome_of
from batchrun.flows.purged import tell_purged
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_purges
from batchrun.io.journal import Journal, open_journal
from batchrun.io.journal_batches import Batch
from batchrun.model import State


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One batch in the list."""

    name: str
    job: str
    params: Mapping[str, str]
    environment: str
    simulated: bool
    created_at: str
    counts: Mapping[State, int]
    sending: bool
    stopped: str | None
    workbook: str | None
    purged_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the line as `status --json` shows it."""
        return {
            "batch": self.name,
            "job": self.job,
            "params": dict(self.params),
            "environment": self.environment,
            "simulated": self.simulated,
            "created": self.created_at,
            "rows": sum(self.counts.values()),
            "counts": {state.value: count for state, count in self.counts.items()},
            "sending": self.sending,
            "stopped": self.stopped,
            "workbook": self.workbook,
            "purged": self.purged_at,
        }


@dataclass(frozen=True, slots=True)
class Group:
    """The batches of one job in one environment, the newest period first."""

    job: str
    environment: str
    simulated: bool
    batches: tuple[BatchLine, ...]

    def as_json(self) -> dict[str, Any]:
        """Give the group as `status --json` shows it: its batches by name."""
        return {
            "job": self.job,
            "environment": self.environment,
            "simulated": self.simulated,
            "batches": [line.name for line in self.batches],
        }


def grouped(lines: Sequence[BatchLine]) -> list[Group]:
    """Group batches, of which the newest come first, by job and environment; of a group the newest period is first."""
    found: dict[tuple[str, str, bool], list[BatchLine]] = {}
    for line in lines:
        found.setdefault((line.job, line.environment, line.simulated), []).append(line)
    # The sort is stable, so that of one period the newest batch stays first.
    return [Group(*which, tuple(sorted(some, key=_period, reverse=True))) for which, some in found.items()]


def _period(line: BatchLine) -> list[tuple[str, str]]:
    return list(line.params.items())  # in the order of the job's params


def list_batches(journal_path: Path | None) -> tuple[Path, list[BatchLine]]:
    """Give the journal's place and its batches, the newest first."""
    journal = open_journal(journal_path)
    try:
        with journal.reading() as connection:
            found = journal_batches.every(connection)
            counts = journal_batches.counts(connection, [batch.id for batch in found])
            purged = {batch_id: one.at for batch_id, one in journal_purges.every(connection).items()}
        lines = (_line(journal, batch, counts.get(batch.id, {})) for batch in found)
        return journal.path, [
            replace(line, purged_at=purged.get(batch.id)) for line, batch in zip(lines, found, strict=True)
        ]
    finally:
        journal.close()


def _line(journal: Journal, batch: Batch, counts: Mapping[State, int]) -> BatchLine:
    return BatchLine(
        name=batch.name,
        job=batch.job,
        params=batch.params,
        environment=batch.environment,
        simulated=batch.simulated,
        created_at=batch.created_at,
        counts=counts,
        sending=is_being_sent(journal, batch, counts),
        stopped=batch.stopped,
        workbook=batch.workbook if batch.workbook_sha256 else None,
    )


def one_batch(named: str, journal_path: Path | None, teller: Teller) -> Outcome:
    """Give how one batch stands."""
    journal = open_journal(journal_path)
    try:
        batch = find_batch(journal, named, teller)
        tell_purged(journal, batch, teller)
        outcome = outcome_of(journal, batch.name)
        return replace(outcome, next=None) if is_being_sent(journal, batch, outcome.counts) else outcome
    finally:
        journal.close()
