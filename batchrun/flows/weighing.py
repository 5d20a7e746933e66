"""Stages a job's rows and weighs them: all that would keep a run from its first request, for `run` and `plan` alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchrun.core.proofs import as_read
from batchrun.core.totals import Totals, unreadable
from batchrun.flows import expectations, preparing, same_sheet, staging
from batchrun.flows.loading import LoadedJob
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_rows, workbook_lock
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Draft
from batchrun.model import State


@dataclass(frozen=True, slots=True)
class Weighed:
    """How the staged rows stand; `read` is what was read, as the batch's settings keep it."""

    counts: Mapping[State, int]
    totals: Totals
    notes: Sequence[str]
    read: Mapping[str, Any]


def weighed(journal: Journal, batch_id: int, draft: Draft, job: LoadedJob, teller: Teller) -> Weighed:
    """Stage the rows, look for duplicates, and hold them against what was expected and is allowed."""
    if workbook_lock.opened_by(job.input) is not None:
        teller.warn(preparing.OPEN_IN_EXCEL.format(job.input.name))
    with teller.counting("rows prepared") as counting:
        through = staging.stage_rows(journal, batch_id, draft, job, counting)
    with journal.writing() as connection:
        if not draft.settings["allow_duplicates"]:
            journal_rows.mark_duplicates(connection, batch_id, draft.environment)
    totals = _totals(journal, batch_id, draft)
    expectations.check_expectations(through, totals)
    with journal.reading() as connection:
        counts = journal_batches.counts(connection, [batch_id])[batch_id]
    expectations.check_limits(through, counts, totals)
    notes = [*preparing.notes_of(through), *unreadable(totals.controls())]
    if counts.get(State.READY):
        notes += same_sheet.notes(journal, draft.world, draft.params, draft.input_sha256)
    return Weighed(counts, totals, notes, as_read(through.rows, through.read.controls()))


def _totals(journal: Journal, batch_id: int, draft: Draft) -> Totals:
    totals = Totals(draft.settings["totals"])
    with journal.reading() as connection:
        for state, amounts in journal_rows.amounts_by_state(connection, batch_id):
            totals.add(state, amounts)
    return totals
