"""Weighs each row of a corrected file against the batch's row of its key: what it is to be now, or what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from batchrun.core import correcting, groups, keys, mapping, selection
from batchrun.core.cells import cut
from batchrun.core.correcting import Change
from batchrun.core.prepare import Prepared, Preparer, prepare
from batchrun.core.totals import counted
from batchrun.flows.corrected_file import CorrectedFile
from batchrun.flows.rows_by_key import Key, RowsByKey
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import NewValues
from batchrun.io.journal_rows import RowRecord
from batchrun.io.rows_file import cell_text
from batchrun.io.workbook_text import safe_text
from batchrun.model import Cell, Problem, SourceRow, State

SHOWN = 20  # rows of a group


class Asked(NamedTuple):
    """One row of the file, its cells in the order of the batch's sheet, and the key in them."""

    row: SourceRow
    raw: tuple[Cell, ...]
    key: Key

    @property
    def here(self) -> SourceRow:
        """The row, with the columns of the batch's sheet."""
        return SourceRow(self.row.number, self.raw, self.row.faults)


class Corrected(NamedTuple):
    """One row of the batch as it is to be sent; without changes it goes as it was.

    In a group a row without changes of its own may bear the payload that another row's cells have changed.
    """

    record: RowRecord
    new: NewValues
    changes: tuple[Change, ...]

    @property
    def is_new(self) -> bool:
        """Tell whether the journal is to hold something else of this row than it does."""
        return bool(self.changes) or self.new.payload != self.record.payload


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
        asked = [Asked(row, *self._keyed(row)) for row in self.file.rows]
        of_batch = RowsByKey(self.journal, self.batch, self.wanted.states, self._columns, {one.key for one in asked})
        same_key: dict[Key, list[Asked]] = {}
        for one in asked:
            same_key.setdefault(of_batch.own_key(one.key), []).append(one)
        for key, those in same_key.items():
            records = of_batch.rows_of(key)
            if records and not any(selection.selects(self.wanted.ranges, record.number) for record in records):
                self.left_out += len(those)
                continue
            problems = tuple(self._misfits(those, records, of_batch))
            self.problems += problems
            if not problems:
                yield from self._made(those, records)

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

    def _misfits(self, those: Sequence[Asked], records: Sequence[RowRecord], of_batch: RowsByKey) -> Iterator[Problem]:
        """Say why rows of the file that have one key can be no rows of the batch that are sent again."""
        numbers = [one.row.number for one in those]
        for one in those:
            here = one.here._replace(faults=())
            if one.row.faults:
                yield from _whole(self.preparer, one.here)
            elif not records and (of_key := keys.key_problems(self.file.info, here, self._columns)):
                yield from of_key
            elif len(those) > 1 and not self.preparer.group_columns:
                yield keys.repeated(self.file.info, here, self._columns, numbers)
            elif not records:
                near = of_batch.nearest(one.key)
                yield self._of_key(
                    here, "unknown-key", f"{self.batch.name} has no row with this key, and a key is not corrected{near}"
                )
            elif (why := self._kept_back(records[0], of_batch)) is not None:
                yield self._of_key(here, f"is-{records[0].state.value}", why)
            elif len(those) != len(records):
                yield self._of_key(here, "group-incomplete", self._of_other_size(len(those), records))

    def _of_other_size(self, count: int, records: Sequence[RowRecord]) -> str:
        rows = ", ".join(str(record.number) for record in records[:SHOWN]) + (" …" if len(records) > SHOWN else "")
        return (
            f"its group is {counted(len(records), 'row')} of {self.batch.name} (rows {rows}), and {count:,} of this "
            "file; a correction leaves none out and adds none"
        )

    def _kept_back(self, record: RowRecord, of_batch: RowsByKey) -> str | None:
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

    def _made(self, those: Sequence[Asked], records: Sequence[RowRecord]) -> Iterator[Corrected]:
        """Prepare corrected rows as any others; those with problems, which are noted, are not given."""
        cells = [self._restored(one, record) for one, record in zip(those, records, strict=True)]
        header = self.batch.sheet.header
        changes = [correcting.changes(header, old.cells, new) for old, new in zip(records, cells, strict=True)]
        if not any(changes):
            for old in records:
                yield Corrected(old, NewValues(old.position, old.payload, old.cells, old.amounts), ())
            return
        here = [SourceRow(one.row.number, new) for one, new in zip(those, cells, strict=True)]
        problems = [problem for row, own in zip(here, changes, strict=True) for problem in self._unclear(row, own)]
        made = self._prepared(here, records)
        problems += [problem for one in made for problem in one.problems]
        self.problems += problems
        if not problems and made[0].payload is not None:
            for old, new, own in zip(records, made, changes, strict=True):
                yield Corrected(old, NewValues(old.position, new.payload, new.row.cells, new.amounts), own)

    def _restored(self, one: Asked, record: RowRecord) -> tuple[Cell, ...]:
        pairs = zip(record.cells, one.raw, self.file.columns, strict=True)
        there = tuple(old if place is None else new for old, new, place in pairs)
        return correcting.restored(record.cells, there, _written)

    def _prepared(self, rows: Sequence[SourceRow], records: Sequence[RowRecord]) -> list[Prepared]:
        """Prepare what is sent as one; a row that `where` leaves out, or another group, is a problem."""
        if not self.preparer.group_columns:
            return [prepare(self.preparer, rows[0]) or _left_out(self.preparer, rows[0])]
        alone = [_left_out(self.preparer, row) for row in rows if not groups.takes_part(self.preparer, row)]
        group = keys.key_of(SourceRow(rows[0].number, records[0].cells), self.preparer.group_columns)
        others = [row for row in rows if keys.key_of(row, self.preparer.group_columns) != group]
        return alone or [self._of_other_group(row) for row in others] or groups.prepared(self.preparer, rows)

    def _of_other_group(self, row: SourceRow) -> Prepared:
        columns = self.preparer.group_columns
        problem = Problem(
            row=row.number,
            cell=mapping.cells_named(self.file.info, row.number, columns),
            column=mapping.columns_named(self.file.info, columns),
            path=None,
            value=cut(", ".join(keys.key_of(row, columns))) or None,
            code="other-group",
            message="a correction moves no row to another group; put back what was here",
        )
        return Prepared(row, (), None, (problem,), ())

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


def _left_out(preparer: Preparer, row: SourceRow) -> Prepared:
    where = preparer.info.row_address(row.number)
    message = "as it is corrected now, the job's `where` leaves this row out; put back what that depends on"
    return Prepared(row, (), None, (Problem(row.number, where, None, None, None, "left-out", message),), ())


def _whole(preparer: Preparer, row: SourceRow) -> tuple[Problem, ...]:
    one = prepare(preparer, row)
    return () if one is None else one.problems


def _written(cell: Cell) -> tuple[str, str]:
    text = cell_text(cell)
    return text, safe_text(text)
