"""`show`: one row's whole life, from its cells to its last answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from batchrun.core import correcting
from batchrun.core.correcting import Change
from batchrun.core.next_steps import sentence
from batchrun.core.review import Recorded
from batchrun.errors import NotFound
from batchrun.flows.contents import workbook_word
from batchrun.flows.finding import find_batch
from batchrun.flows.telling import Teller
from batchrun.io import journal_corrections, journal_decisions, journal_purges, journal_rows
from batchrun.io.journal import open_journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import Correction
from batchrun.io.journal_rows import RowRecord
from batchrun.io.rows_file import cell_text


@dataclass(frozen=True, slots=True)
class RowLife:
    """One row and every step that it took."""

    batch: Batch
    record: RowRecord
    steps: tuple[dict[str, Any], ...]
    decisions: tuple[Recorded, ...] = ()
    answers: tuple[dict[str, Any], ...] = ()
    corrections: tuple[Correction, ...] = ()
    purged_at: str | None = None

    @property
    def cells(self) -> dict[str, str]:
        """The row's cells by column, as text."""
        return {name: cell_text(cell) for name, cell in zip(self.batch.sheet.header, self.record.cells, strict=False)}

    def changes(self, correction: Correction) -> tuple[Change, ...]:
        """Give the cells that a correction changed; none once they were purged."""
        if self.purged_at is not None:
            return ()
        return correcting.changes(self.batch.sheet.header, correction.cells_before, correction.cells_after)

    @property
    def next_step(self) -> str:
        """What the row's state means, and what to do."""
        return sentence(self.record.state, self.batch.name, workbook_word(self.batch))


def show(named: str, number: int, journal_path: Path | None, teller: Teller) -> RowLife:
    """Read one row's life from the journal; raise NotFound where the batch has no such row."""
    journal = open_journal(journal_path)
    try:
        batch = find_batch(journal, named, teller)
        with journal.reading() as connection:
            record = journal_rows.by_number(connection, batch, number)
            if record is None:
                raise NotFound(
                    f"{batch.name} has no row {number}; row numbers are those of the sheet {batch.input_name}"
                )
            steps = journal_rows.history(connection, batch.id, record.owner)
            decisions = journal_decisions.of_row(connection, batch, record.owner)
            if record.leader is not None:
                record = replace(record, payload=journal_rows.group_of(connection, batch, record.owner)[0].payload)
            answers = journal_decisions.answers(connection, [one.id for one in decisions])
            corrections = journal_corrections.of_row(connection, batch, record)
            purged_at = journal_purges.purged_at(connection, batch.id)
        return RowLife(batch, record, tuple(steps), tuple(decisions), tuple(answers), tuple(corrections), purged_at)
    finally:
        journal.close()
