"""Weighs each row of a corrected file against the batch's row of its key: what it is to be now, or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from batchrun.core import correcting, keys, mapping, selection
from batchrun.core.cells import cut
from batchrun.core.correcting import Change
from batchrun.core.prepare import Prepared, Preparer, prepare
from batchrun.core.totals import counted
from batchrun.flows.corrected_file import CorrectedFile
from batchrun.io import journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import NewValues
from batchrun.io.journal_rows import RowRecord
from batchrun.io.rows_file import cell_text
from batchrun.io.workbook_text import safe_text
from batchrun.model import Cell, Problem, SourceRow, State

Key = tuple[str, ...]


class Corrected(NamedTuple):
    """One row of the batch as it is to be sent; without changes it goes as it was."""

    record: RowRecord
    new: NewValues
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows may be sent again, by their state and number; with `skip_invalid` faulty ones keep none back."""

    states: Sequence[State]
    ranges: tuple[range, ...] = ()
    skip_invalid: bool = False


@dataclass(slots=True)
class Weighing:
    """Weighs each row of a corrected file against the batch's row of its key."""

    journal: Journal
    batch: Batch
    file: CorrectedFile
    preparer: Preparer
    wanted: Wanted
    by_points: frozenset[str]
    problems: list[Problem] = field(default_factory=list)
    left_out: int = 0

    def rows(self) -> Iterator[Corrected]:
        """Give the rows that can be sent; once they are exhausted, the problems of the others are known."""
        asked = [(row, *self._keyed(row)) for row in self.file.rows]
        of_batch = _Rows(self.journal, self.batch, self.wanted.states, self._columns, {key for *_, key in asked})
        numbers: dict[Key, list[int]] = {}
        for row, _, key in asked:
            numbers.setdefault(of_batch.own_key(key), []).append(row.number)
        for row, raw, key in asked:
            record = of_batch.find(key)
            if record is not None and not selection.selects(self.wanted.ranges, record.number):
                self.left_out += 1
                continue
            problems = tuple(self._misfits(row, raw, key, record, numbers[of_batch.own_key(key)], of_batch))
            made = None if problems or record is None else self._made(row, raw, record)
            self.problems += problems
            if made is not None:
                yield made

    def notes(self) -> Iterator[str]:
        """Say what `--rows` left out."""
        if self.left_out:
            yield f"{counted(self.left_out, 'row')} of {self.file.name} left out by --rows."

    @property
    def _columns(self) -> tuple[int, ...]:
        return self.preparer.key_columns

    def _keyed(self, row: SourceRow) -> tuple[tuple[Cell, ...], Key]:
        """Give a row's cells in the order of the batch's sheet, and the key in them."""
        raw = tuple(None if place is None else row.cells[place] for place in self.file.columns)
        return raw, keys.key_of(SourceRow(row.number, raw), self._columns)

    def _misfits(
        self,
        row: SourceRow,
        raw: tuple[Cell, ...],
        key: Key,
        record: RowRecord | None,
        numbers: Sequence[int],
        of_batch: _Rows,
    ) -> Iterator[Problem]:
        """Say why a row of the file can be no row of the batch that is sent again."""
        here = SourceRow(row.number, raw)
        if row.faults:
            yield from _whole(self.preparer, here._replace(faults=row.faults))
        elif record is None and (of_key := keys.key_problems(self.file.info, here, self._columns)):
            yield from of_key
        elif len(numbers) > 1:
            yield keys.repeated(self.file.info, here, self._columns, numbers)
        elif record is None:
            near = of_batch.nearest(key)
            yield self._of_key(
                here, "unknown-key", f"{self.batch.name} has no row with this key, and a key is not corrected{near}"
            )
        elif (why := self._kept_back(record, of_batch)) is not None:
            yield self._of_key(here, f"is-{record.state.value}", why)

    def _kept_back(self, record: RowRecord, of_batch: _Rows) -> str | None:
        """Say why a row of the batch is not sent again."""
        row = f"row {record.number} of {self.batch.name}"
        if record.position in of_batch.rejected:
            return f"{row} failed at a review, and what a reviewer has rejected is never sent again"
        if record.state in self.wanted.states:
            return None
        word = record.state.value.replace("_", " ")
        return f"{row} is {word}, {_STANDS.get(record.state, 'and is not sent again')}".format(self.batch.name)

    def _of_key(self, row: SourceRow, code: str, message: str) -> Problem:
        return Problem(
            row=row.number,
            cell=mapping.cells_named(self.file.info, row.number, self._columns),
            column=mapping.columns_named(self.file.info, self._columns),
            path=None,
            value=cut(", ".join(keys.key_of(row, self._columns))) or None,
            code=code,
            message=message,
        )

    def _made(self, row: SourceRow, raw: tuple[Cell, ...], record: RowRecord) -> Corrected | None:
        """Prepare a corrected row as any other; None where it has problems, which are noted."""
        pairs = zip(record.cells, raw, self.file.columns, strict=True)
        there = tuple(old if place is None else new for old, new, place in pairs)
        cells = correcting.restored(record.cells, there, _written)
        changes = correcting.changes(self.batch.sheet.header, record.cells, cells)
        if not changes:
            return Corrected(record, NewValues(record.position, record.payload or b"", cells, record.amounts), ())
        here = SourceRow(row.number, cells)
        one = prepare(self.preparer, here)
        problems = (*self._unclear(here, changes), *_problems_of(self.preparer, here, one))
        if problems or one is None or one.payload is None:
            self.problems += problems
            return None
        return Corrected(record, NewValues(record.position, one.payload, cells, one.amounts), changes)

    def _unclear(self, row: SourceRow, changes: Sequence[Change]) -> Iterator[Problem]:
        for change in changes:
            if correcting.is_ambiguous(change, self.by_points):
                column = (self.batch.sheet.header.index(change.column),)
                yield Problem(
                    row=row.number,
                    cell=mapping.cells_named(self.file.info, row.number, column),
                    column=change.column,
                    path=None,
                    value=cut(str(change.after)),
                    code="ambiguous-number",
                    message="the point may group thousands or begin the decimals; write it without one, "
                    "or correct the rows in an .xlsx file",
                )


_STANDS = {
    State.FAILED: "and is sent again only with --status failed",
    State.CANCELLED: "and is sent again only with --status cancelled",
    State.REFUSED: "and --status does not name that",
    State.IN_DOUBT: "so nobody knows whether it ran; settle it first with: batchrun resolve {}",
    State.INVALID: "so it was never sent; correct it in the sheet, and run the sheet again",
    State.DUPLICATE: "so another row with its key was sent, and this one is not",
}


def _problems_of(preparer: Preparer, row: SourceRow, one: Prepared | None) -> tuple[Problem, ...]:
    if one is not None:
        return one.problems
    where = preparer.info.row_address(row.number)
    message = "as it is corrected now, the job's `where` leaves this row out; put back what that depends on"
    return (Problem(row.number, where, None, None, None, "left-out", message),)


def _whole(preparer: Preparer, row: SourceRow) -> tuple[Problem, ...]:
    one = prepare(preparer, row)
    return () if one is None else one.problems


def _written(cell: Cell) -> tuple[str, str]:
    text = cell_text(cell)
    return text, safe_text(text)


class _Rows:
    """The batch's rows whose keys a file names; those that may be sent again are looked through first."""

    def __init__(
        self, journal: Journal, batch: Batch, states: Sequence[State], columns: Sequence[int], asked: set[Key]
    ) -> None:
        self._columns = columns
        self._found: dict[Key, RowRecord] = {}
        self._without_zeros: dict[Key, Key] = {}
        with journal.reading() as connection:
            self.rejected = journal_rows.rejected(connection, batch)
            for record in journal_rows.stream(connection, batch, states):
                self._without_zeros[correcting.without_zeros(record.key)] = record.key
                self._note(record, asked)
            if asked - self._found.keys():
                for record in journal_rows.stream(connection, batch):
                    self._note(record, asked)

    def _note(self, record: RowRecord, asked: set[Key]) -> None:
        # A report writes some keys otherwise than they are compared: TRUE, or a date with its time.
        written = tuple(cell_text(record.cells[column]).strip() for column in self._columns)
        for key in dict.fromkeys((record.key, written)):
            if key in asked:
                self._found.setdefault(key, record)

    def find(self, key: Key) -> RowRecord | None:
        """Give the row of a key."""
        return self._found.get(key)

    def own_key(self, key: Key) -> Key:
        """Give a key as the batch has it."""
        found = self._found.get(key)
        return key if found is None else found.key

    def nearest(self, key: Key) -> str:
        """Name the key that is meant, as far as that can be told."""
        return correcting.nearest_key(key, self._without_zeros)
