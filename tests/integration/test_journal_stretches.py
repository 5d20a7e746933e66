"""Batches of many rows are taken a stretch at a time, and none of their rows falls between two stretches."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, opened, states
from sqlalchemy import select, update

from batchrun.core.lifecycle import Event
from batchrun.io import journal_doubts, journal_rows, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step
from batchrun.io.journal_tables import rows
from batchrun.model import State


def sent(journal: Journal, batch: Batch, count: int, event: Event = Event.DOUBT) -> None:
    steps = [Step(position, one, NOW) for position in range(count) for one in (Event.INTENT, event)]
    with journal.writing() as connection:
        journal_steps.apply(connection, batch, steps)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 6, 100])
def test_every_duplicate_is_found_with_what_took_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(journal_rows, "AT_ONCE", at_once)
    with opened(tmp_path / "journal.db") as journal:
        first, second = add_batch(journal, 5), add_batch(journal, 6)
        sent(journal, first, 5)
        with journal.writing() as connection:
            assert journal_rows.mark_duplicates(connection, second.id, "sandbox") == 5
            why = connection.execute(select(rows.c.error).where(rows.c.batch_id == second.id).order_by(rows.c.position))
            told = [error for (error,) in why]
        assert states(journal, second) == [State.DUPLICATE] * 5 + [State.READY]
        assert [text.partition(" of ")[0] for text in told[:5]] == [f"the key is taken by row {n}" for n in range(2, 7)]


def test_a_batch_without_rows_has_no_duplicates(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, journal.writing() as connection:
        assert journal_rows.mark_duplicates(connection, 7, "sandbox") == 0


def test_rows_in_doubt_with_one_payload_are_counted_in_their_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_doubts, "_AT_ONCE", 2)
    with opened(tmp_path / "journal.db") as journal:
        # A row's payload is told by its position: those at one position are alike.
        here, beside, away = (
            add_batch(journal, 5),
            add_batch(journal, 4, prefix="B"),
            add_batch(journal, 5, prefix="C", world="another world"),
        )
        sent(journal, here, 5)
        sent(journal, beside, 3)
        sent(journal, away, 5)
        with journal.writing() as connection:
            found = journal_doubts.twins(connection, here, [0, 1, 2, 3, 4])
            assert {position: count for position, count in found.items() if count} == {0: 1, 1: 1, 2: 1}
            journal_steps.apply(connection, beside, [Step(0, Event.COMPLETED, NOW, run_id="r")])
            connection.execute(
                update(rows).where(rows.c.batch_id == here.id, rows.c.position == 4).values(payload_id=b"x")
            )
            connection.execute(
                update(rows).where(rows.c.batch_id == here.id, rows.c.position == 3).values(payload_id=b"x")
            )
            connection.execute(
                update(rows).where(rows.c.batch_id == beside.id, rows.c.position == 1).values(payload_id=b"x")
            )
            assert journal_doubts.twins(connection, here, [0, 2, 3, 4]) == {2: 1, 3: 2, 4: 2}


def test_where_no_payload_comes_twice_no_row_has_a_twin(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        here = add_batch(journal, 3)
        sent(journal, here, 3)
        with journal.reading() as connection:
            assert journal_doubts.twins(connection, here, [0, 1, 2]) == {}
