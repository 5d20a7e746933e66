"""The journal as it was at one moment: all that is read from it agrees, however much is written beside."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection

from batchrun.io.journal import Journal


class Snapshot(Journal):
    """A journal of which every reading shares one transaction; nothing can be written through it."""

    def __init__(self, path: Path, connection: Connection) -> None:
        super().__init__(path, connection.engine)
        self._connection = connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read in the one transaction."""
        yield self._connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Refuse: what is written would not be seen, and would wait for ever."""
        raise AssertionError("a snapshot of the journal is only read")
        yield self._connection  # pragma: no cover  # makes it a generator

    def close(self) -> None:
        """Leave the journal open: it is not the snapshot's own."""


@contextlib.contextmanager
def snapshot(journal: Journal) -> Iterator[Snapshot]:
    """Hold one moment of a journal; whoever writes is not disturbed."""
    with journal.reading() as connection:
        yield Snapshot(journal.path, connection)
