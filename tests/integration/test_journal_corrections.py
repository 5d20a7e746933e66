"""Corrections in a real journal: old values are kept append-only, new ones take their place, all of it or nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, opened, replayed, states

from batchrun.core.lifecycle import Event
from batchrun.core.payloads import payload_id
from batchrun.io import journal_corrections, journal_rows, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import Correction, NewValues, Origin
from batchrun.io.journal_rows import RowRecord
from batchrun.io.journal_steps import Step
from batchrun.model import Number, State

FILE = Origin("anna", "refused.csv", "7" * 64)
AGAIN = Origin("ben", "again.xlsx", "8" * 64)


class Desk:
    """A batch of three rows, of which the first two were refused."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.batch: Batch = add_batch(journal, 3)
        with journal.writing() as connection:
            for position in (0, 1):
                steps = [Step(position, event, NOW) for event in (Event.INTENT, Event.REFUSED)]
                journal_steps.apply(connection, self.batch, steps)

    def record(self, position: int) -> RowRecord:
        with self.journal.reading() as connection:
            return list(journal_rows.stream(connection, self.batch))[position]

    def correct(self, position: int, payload: bytes, origin: Origin, minutes: int = 0) -> None:
        values = NewValues(position, payload, ("00123", Number(Decimal("10.50")), None), (Decimal("10.50"), None))
        with self.journal.writing() as connection:
            journal_corrections.correct(connection, self.batch, [values], origin, NOW + timedelta(minutes=minutes))
            journal_steps.apply(connection, self.batch, [Step(position, Event.RETRY, NOW)])

    def corrections(self, position: int) -> list[Correction]:
        with self.journal.reading() as connection:
            return journal_corrections.of_row(connection, self.batch, self.record(position))


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(tmp_path / "journal.db") as journal:
        yield Desk(journal)


def test_a_row_holds_what_was_corrected_and_the_old_values_are_kept(desk: Desk) -> None:
    before = desk.record(0)
    desk.correct(0, b'{"n":"new"}', FILE)
    after = desk.record(0)
    assert (after.position, after.number, after.key) == (before.position, before.number, before.key)
    assert (after.payload, after.state) == (b'{"n":"new"}', State.READY)
    assert after.cells == ("00123", Number(Decimal("10.50")), None)
    assert [str(amount) for amount in after.amounts] == ["10.50", "None"]
    with desk.journal.reading() as connection:
        asked = "SELECT payload_id FROM rows WHERE position = 0"
        assert connection.exec_driver_sql(asked).scalar() == payload_id(b'{"n":"new"}')
        asked = "SELECT payload, payload_id, amounts FROM corrections"
        kept = connection.exec_driver_sql(asked).one()
    assert tuple(kept) == (b'{"n":0}', payload_id(b'{"n":0}'), "[]")
    assert desk.record(1).payload == b'{"n":1}'
    assert replayed(desk.journal, desk.batch)[0] == (State.READY, 1)


def test_two_corrections_make_one_history(desk: Desk) -> None:
    desk.correct(0, b'{"n":"new"}', FILE)
    with desk.journal.writing() as connection:
        steps = [Step(0, event, NOW) for event in (Event.INTENT, Event.REFUSED)]
        journal_steps.apply(connection, desk.batch, steps)
    desk.correct(0, b'{"n":"newest"}', AGAIN, minutes=5)
    first, second = desk.corrections(0)
    assert (first.origin, second.origin) == (FILE, AGAIN)
    assert (first.at, second.at) == (NOW, NOW + timedelta(minutes=5))
    assert (first.payload_before, first.payload_after) == (b'{"n":0}', b'{"n":"new"}')
    assert (second.payload_before, second.payload_after) == (b'{"n":"new"}', b'{"n":"newest"}')
    assert (first.cells_before, first.cells_after) == ((), second.cells_before)
    assert second.cells_after == desk.record(0).cells
    assert desk.corrections(1) == []


def test_a_transaction_that_breaks_leaves_neither_half(desk: Desk) -> None:
    with pytest.raises(RuntimeError), desk.journal.writing() as connection:
        values = NewValues(0, b"{}", (), ())
        journal_corrections.correct(connection, desk.batch, [values], FILE, NOW)
        raise RuntimeError
    assert desk.record(0).payload == b'{"n":0}'
    assert desk.corrections(0) == []
    assert states(desk.journal, desk.batch) == [State.REFUSED, State.REFUSED, State.READY]


def test_nothing_to_correct_writes_nothing(desk: Desk) -> None:
    with desk.journal.writing() as connection:
        journal_corrections.correct(connection, desk.batch, [], FILE, NOW)
    assert desk.corrections(0) == []


def test_rows_that_moved_since_they_were_read_are_named(desk: Desk) -> None:
    as_read = [desk.record(position) for position in range(3)]

    def moved(records: list[RowRecord]) -> list[int]:
        with desk.journal.reading() as connection:
            return journal_corrections.changed_meanwhile(connection, desk.batch, records)

    assert moved(as_read) == []
    assert moved([replace(as_read[0], attempts=2), as_read[1]]) == [2]
    assert moved([as_read[0], replace(as_read[1], payload=b"{}")]) == [3]
    assert moved([replace(as_read[0], position=99)]) == [2]
    desk.correct(1, b'{"n":1}', FILE)
    assert moved(as_read) == [3]


def test_many_rows_are_looked_at_in_pieces(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_corrections, "CHUNK", 2)
    as_read = [desk.record(position) for position in range(3)]
    with desk.journal.reading() as connection:
        assert journal_corrections.changed_meanwhile(connection, desk.batch, as_read) == []
