"""Offers runs for rows in doubt: a webhook named a run that no row has, and its input is a row's payload."""

from __future__ import annotations

from datetime import datetime, timedelta

from batchrun.core.readings import Reading, read
from batchrun.core.settling import CLOCKS_APART, disproof
from batchrun.flows.doors import runner
from batchrun.io import journal_deliveries, journal_rows
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_rows import RowRecord
from batchrun.model import State

MOST = 500


async def offers(journal: Journal, batch: Batch, route: Route) -> list[str]:
    """Give a sentence for each row in doubt whose run a webhook has named; nothing is settled by it."""
    doubtful, unknown = _found(journal, batch)
    if not unknown:
        return []
    door = runner(route, batch)
    try:
        readings = {run_id: read(await door.read(run_id), run_id) for run_id in unknown[:MOST]}
    finally:
        await door.aclose()
    return [
        f"row {record.number} is in doubt, and a webhook names the run {run_id}, whose input is this row's payload; "
        f"settle it with: batchrun resolve {batch.name} --row {record.number} --run-id {run_id}"
        for record in doubtful
        for run_id, reading in readings.items()
        if _fits(record, run_id, reading)
    ]


def _found(journal: Journal, batch: Batch) -> tuple[list[RowRecord], list[str]]:
    with journal.reading() as connection:
        found = journal_rows.stream(connection, batch, [State.IN_DOUBT])
        doubtful = [record for record in found if record.leader is None]
        sent: list[datetime] = [record.sent_at for record in doubtful if record.sent_at is not None]
        if not sent:
            return doubtful, []
        since = min(sent) - CLOCKS_APART - timedelta(seconds=1)
        return doubtful, journal_deliveries.unknown_runs(connection, batch, since)


def _fits(record: RowRecord, run_id: str, reading: Reading) -> bool:
    return disproof(reading, run_id, record.payload or b"", record.sent_at, twins=0) is None
