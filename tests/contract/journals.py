"""Real journals for tests: a batch of so many rows, made without a job, and what the journal then holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batchrun.core import lifecycle, payloads
from batchrun.core.lifecycle import Event
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal import Journal, open_journal
from batchrun.io.journal_batches import Batch, Draft
from batchrun.model import SheetInfo, State

NOW = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
# What a journal of today lacks in an older version.
AS_VERSION_3 = (
    "DROP TABLE versions_seen",
    "DROP TABLE purges",
    "DROP TABLE adoptions",
    "DROP TABLE paces",
    "UPDATE meta SET value = '3' WHERE name = 'version'",
)
AS_VERSION_2 = (
    *AS_VERSION_3,
    "DROP INDEX rows_by_leader",
    "ALTER TABLE rows DROP COLUMN leader",
    "DROP TABLE corrections",
    "DROP TABLE decision_answers",
    "DROP TABLE decisions",
    "DROP TABLE workbooks",
    "UPDATE meta SET value = '2' WHERE name = 'version'",
)
AS_VERSION_1 = (
    *AS_VERSION_2,
    "UPDATE meta SET value = '1' WHERE name = 'version'",
    "ALTER TABLE batches DROP COLUMN cancel_asked_at",
)
WORLD = "https://run.rapidfolio.com/v1/procedures/proc_pay/sandbox"


def draft(**changes: Any) -> Draft:
    """Give a batch's description."""
    values: dict[str, Any] = {
        "job": "payouts", "stem": "payouts", "world": WORLD, "environment": "sandbox",
        "base_url": "https://run.rapidfolio.com", "review_url": "https://app.rapid.io", "simulated": False, "knobs": {},
        "procedure_id": "proc_pay", "procedure_version": None, "mode": "async", "timeout_ms": None, "params": {},
        "settings": {"allow_duplicates": False}, "identity": b"identity", "input_name": "in.csv",
        "input_path": "/in.csv", "input_sha256": "1" * 64, "spec_path": "/job.yaml", "spec_sha256": "2" * 64,
        "schema_name": "s.json", "schema_sha256": "3" * 64,
        "sheet": SheetInfo("in.csv", None, 1, ("Key",), (0,)), "notes": (), "made_by": "me", "host": "here",
        "made_with": "0", "workbook": "/out.xlsx",
    }  # fmt: skip
    return Draft(**{**values, **changes})


def row_values(batch_id: int, position: int, key: str | None = None) -> dict[str, Any]:
    """Give one ready row as values to insert."""
    name = key if key is not None else f"K{position}"
    payload = b'{"n":%d}' % position
    return {
        "batch_id": batch_id, "position": position, "number": position + 2, "state": State.READY.value,
        "key": f'["{name}"]', "key_id": payloads.key_id(WORLD, [name], ()), "payload": payload,
        "payload_id": payloads.payload_id(payload), "cells": b"[]", "amounts": "[]", "problems": None, "attempts": 0,
    }  # fmt: skip


def add_batch(journal: Journal, count: int, *, prefix: str = "K", **changes: Any) -> Batch:
    """Make and seal a batch of so many ready rows."""
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, draft(**changes), NOW)
        values = [row_values(batch_id, position, f"{prefix}{position}") for position in range(count)]
        journal_rows.insert_rows(connection, values)
        name = journal_batches.seal(connection, batch_id, NOW)
        found = journal_batches.find(connection, name)
    assert found is not None
    return found


@contextmanager
def opened(path: Path) -> Iterator[Journal]:
    """Open a journal, and close it."""
    journal = open_journal(path)
    try:
        yield journal
    finally:
        journal.close()


def states(journal: Journal, batch: Batch) -> list[State]:
    """Give every row's state, in order."""
    with journal.reading() as connection:
        return [row.state for row in journal_rows.stream(connection, batch)]


def replayed(journal: Journal, batch: Batch) -> list[tuple[State, int]]:
    """Replay every event of a batch by the table of steps; give each row's state and attempts.

    The events are read as they stand; each has to begin where the one before it ended.
    """
    found = []
    with journal.reading() as connection:
        for row in journal_rows.stream(connection, batch):
            state, attempts = State.READY, 0
            for event in journal_rows.history(connection, batch.id, row.position):
                assert event["before"] == state.value
                state = lifecycle.step(state, Event(event["event"]))
                attempts += event["event"] == Event.INTENT
                assert (event["after"], event["attempt"]) == (state.value, attempts)
            found.append((state, attempts))
    return found


def held(journal: Journal, batch: Batch) -> list[tuple[State, int]]:
    """Give each row's state and attempts as the journal holds them."""
    with journal.reading() as connection:
        return [(row.state, row.attempts) for row in journal_rows.stream(connection, batch)]
