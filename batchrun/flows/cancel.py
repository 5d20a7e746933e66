"""`cancel`: stops the sender, also in another process, and cancels the open runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

from batchrun.core.answers import Seen
from batchrun.core.durations import parse_rate
from batchrun.core.lifecycle import ENDED
from batchrun.core.pacing import reading_rate
from batchrun.core.readings import Reading, read
from batchrun.engine.gate import Gate
from batchrun.engine.ports import OpenRun
from batchrun.errors import CouldNotStart, Stopped
from batchrun.flows import holding, reporting
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import doors_for, runner
from batchrun.flows.engine_journal import EngineJournal
from batchrun.flows.holding import CANCELLED
from batchrun.flows.loops import run_loop
from batchrun.flows.outcome import Outcome, outcome_of
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_rows, journal_steps, system
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_writer import JournalWriter
from batchrun.io.runner_api import RunnerApi
from batchrun.model import State

SENDER_SECONDS = 120.0
LOOK_SECONDS = 0.1
READINGS = 10
BETWEEN_READINGS = 0.5


def cancel(journal: Journal, batch: Batch, teller: Teller) -> Outcome:
    """Stop the sender, then cancel what is open; runs that wait for a review cannot be cancelled, and are listed."""
    _stop_sender(journal, batch, teller)
    with system.try_lock(journal.lock_file(batch.id)) as mine:
        if not mine:
            raise CouldNotStart(f"another batchrun took {batch.name} up again; cancel it once more", code="held")
        with journal.writing() as connection:
            journal_steps.ask_to_cancel(connection, batch.id, None)
            journal_steps.doubt_what_was_sending(connection, batch, SystemClock().now())
            counts = journal_batches.counts(connection, [batch.id])[batch.id]
            ready = counts.get(State.READY, 0)
            holding.note_cancelled(connection, batch)
            if ready:
                journal_steps.mark_stopped(connection, batch.id, f"{CANCELLED} by {system.user_name()}")
        is_open = any(state in counts for state in (State.PENDING, State.RUNNING))
        refused = _cancel_runs(journal, batch, teller) if is_open else None
        _tell_waiting(journal, batch, teller)
        reporting.write(journal, batch.name, teller)
    if refused is not None:
        raise Stopped(
            f"{refused}; nothing more is sent, but the open runs are not cancelled",
            code="key-refused",
            next="batchrun doctor",
        )
    return outcome_of(journal, batch.name)


def _stop_sender(journal: Journal, batch: Batch, teller: Teller) -> None:
    """Ask whoever sends to stop, and wait for the answers that it has under way."""
    if not system.is_locked(journal.lock_file(batch.id)):
        return
    _ask(journal, batch)
    teller.say("Asked the sender to stop; waiting for the answers that are under way.")
    deadline = time.monotonic() + SENDER_SECONDS
    while system.is_locked(journal.lock_file(batch.id)):
        if time.monotonic() > deadline:
            raise CouldNotStart(
                f"the sender of {batch.name} sends no more, but still waits for answers; cancel it again in a while",
                code="held",
            )
        time.sleep(LOOK_SECONDS)
        _ask(journal, batch)


def _ask(journal: Journal, batch: Batch) -> None:
    """Ask, and ask again where a sender that was only beginning took the question for an old one."""
    with journal.reading() as connection:
        asked = journal_steps.cancel_asked(connection, batch)
    if not asked:
        with journal.writing() as connection:
            journal_steps.ask_to_cancel(connection, batch.id, SystemClock().now())


def _cancel_runs(journal: Journal, batch: Batch, teller: Teller) -> str | None:
    """Cancel what is open; give why the API refuses to, where it does."""
    with doors_for(batch, Path(batch.spec_path)).opened(journal, batch) as route:
        still_open, refused = run_loop(_cancel_all(journal, batch, route))
    if still_open:
        teller.warn(
            f"{still_open:,} runs were asked to cancel and have not ended yet; look again with: batchrun refresh"
        )
    return refused


async def _cancel_all(journal: Journal, batch: Batch, route: Route) -> tuple[int, str | None]:
    writer = JournalWriter(journal, batch)
    try:
        engine_journal = EngineJournal(writer)
        runs = list(await engine_journal.open_runs())
        per_second = parse_rate(batch.settings["rate"])
        gate = Gate(reading_rate(per_second), SystemClock())
        workers = min(int(batch.settings["concurrency"]), len(runs))
        told = await asyncio.gather(*(_cancel_some(runs, engine_journal, gate, route, batch) for _ in range(workers)))
        return sum(left for left, _ in told), next((refused for _, refused in told if refused is not None), None)
    finally:
        await writer.close()


async def _cancel_some(
    runs: list[OpenRun], journal: EngineJournal, gate: Gate, route: Route, batch: Batch
) -> tuple[int, str | None]:
    door = runner(route, batch)
    left = 0
    try:
        while runs:
            run = runs.pop(0)
            if not await gate.turn():
                break
            refused = read(await door.cancel(run.run_id), run.run_id).refused
            if refused is not None:
                gate.closed = True  # the others would fare the same
                return left, refused
            left += not await _ended(run, journal, door)
        return left, None
    finally:
        await door.aclose()


async def _ended(run: OpenRun, journal: EngineJournal, door: RunnerApi) -> bool:
    """Read a run until it has ended: the answers to a cancellation are not documented, a reading is."""
    for _ in range(READINGS):
        seen: Seen = await door.read(run.run_id)
        reading: Reading = read(seen, run.run_id)
        if reading.event is not None:
            now = SystemClock().now()
            done = await journal.follow(
                run.position,
                reading.event,
                reading.output,
                reading.error,
                reading.finished_at,
                now,
                version_id=reading.version_id,
            )
            if done.state in ENDED or done.state is State.AWAITING_REVIEW:
                return True
        await asyncio.sleep(BETWEEN_READINGS)
    return False


def _tell_waiting(journal: Journal, batch: Batch, teller: Teller) -> None:
    with journal.reading() as connection:
        waiting = [row.number for row in journal_rows.stream(connection, batch, [State.AWAITING_REVIEW])]
    if waiting:
        teller.warn(f"{len(waiting):,} runs wait for a review, and can only be rejected: rows {_some(waiting)}")


def _some(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:20])) + (" …" if len(numbers) > 20 else "")
