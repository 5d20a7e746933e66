"""`refresh`: asks the API once about every run still open, and writes the workbook."""

from __future__ import annotations

import asyncio
from pathlib import Path

from batchrun.core.durations import parse_rate
from batchrun.core.lifecycle import API_EVENTS, ENDED, OPEN
from batchrun.core.pacing import READERS, reading_rate
from batchrun.core.readings import read
from batchrun.engine.gate import Gate
from batchrun.engine.ports import OpenRun
from batchrun.errors import Stopped
from batchrun.flows import reporting
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import doors_for, runner
from batchrun.flows.engine_journal import EngineJournal
from batchrun.flows.folding import fold
from batchrun.flows.holding import VersionTeller
from batchrun.flows.loops import run_loop
from batchrun.flows.offering import offers
from batchrun.flows.outcome import Outcome, outcome_of
from batchrun.flows.telling import Teller
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_writer import JournalWriter


def refresh(journal: Journal, batch: Batch, teller: Teller) -> Outcome:
    """Read every open run once; works beside a process that sends, each step a compare-and-set."""
    fold(journal, batch)
    with doors_for(batch, Path(batch.spec_path)).opened(journal, batch) as route:
        refused = run_loop(_read_all(journal, batch, route, teller))
        for offer in run_loop(offers(journal, batch, route)):
            teller.warn(offer)
    reporting.write(journal, batch.name, teller)
    if refused is not None:
        raise Stopped(
            f"{refused}; the workbook shows what was known before", code="key-refused", next="batchrun doctor"
        )
    return outcome_of(journal, batch.name)


async def _read_all(journal: Journal, batch: Batch, route: Route, teller: Teller) -> str | None:
    writer = JournalWriter(journal, batch)
    try:
        engine_journal = EngineJournal(writer, followed=sorted(OPEN))
        engine_journal.on_version = VersionTeller(journal, batch, teller).saw
        runs = list(await engine_journal.open_runs())
        per_second = parse_rate(batch.settings["rate"])
        gate = Gate(reading_rate(per_second), SystemClock())
        told = await asyncio.gather(*(_reader(runs, engine_journal, gate, route, batch) for _ in range(READERS)))
        return next((refused for refused in told if refused is not None), None)
    finally:
        await writer.close()


async def _reader(runs: list[OpenRun], journal: EngineJournal, gate: Gate, route: Route, batch: Batch) -> str | None:
    door = runner(route, batch)
    try:
        while runs:
            run = runs.pop(0)
            if not await gate.turn():
                return None
            reading = read(await door.read(run.run_id), run.run_id)
            if reading.refused is not None:
                gate.closed = True
                return reading.refused
            if reading.event is not None and (
                API_EVENTS[reading.event] is not run.state or journal.is_new(reading.version_id)
            ):
                told = API_EVENTS[reading.event]
                await journal.follow(
                    run.position,
                    reading.event,
                    reading.output,
                    reading.error,
                    reading.finished_at,
                    SystemClock().now(),
                    version_id=reading.version_id,
                    expected=None if told in ENDED else run.state,
                )
        return None
    finally:
        await door.aclose()
