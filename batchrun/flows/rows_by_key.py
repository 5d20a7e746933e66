"""A batch's rows by key, for what hands rows in again: each as the file that was handed in writes its key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from batchrun.core import correcting
from batchrun.io import journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_rows import RowRecord
from batchrun.io.rows_file import cell_text
from batchrun.model import State

if TYPE_CHECKING:
    from sqlalchemy import Connection

Key = tuple[str, ...]


class RowsByKey:
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
            self._members = _members(connection, batch, {record.owner for record in self._found.values()})

    def _note(self, record: RowRecord, asked: set[Key]) -> None:
        # A report writes some keys otherwise than they are compared: TRUE, or a date with its time.
        written = tuple(cell_text(record.cells[column]).strip() for column in self._columns)
        for key in dict.fromkeys((record.key, written)):
            if key in asked:
                self._found.setdefault(key, record)

    def rows_of(self, key: Key) -> Sequence[RowRecord]:
        """Give the rows of a key, in the sheet's order: one, or those of its group."""
        found = self._found.get(key)
        return () if found is None else self._members.get(found.owner, (found,))

    def own_key(self, key: Key) -> Key:
        """Give a key as the batch has it."""
        found = self._found.get(key)
        return key if found is None else found.key

    def nearest(self, key: Key) -> str:
        """Name the key that is meant, as far as that can be told."""
        return correcting.nearest_key(key, self._without_zeros)


def _members(connection: Connection, batch: Batch, owners: Collection[int]) -> Mapping[int, Sequence[RowRecord]]:
    """Give the rows of some groups, by the position of the row that bears the payload; none where none are grouped."""
    found: dict[int, list[RowRecord]] = {}
    for record in journal_rows.stream(connection, batch) if batch.settings.get("grouped") else ():
        if record.owner in owners:
            found.setdefault(record.owner, []).append(record)
    return found
