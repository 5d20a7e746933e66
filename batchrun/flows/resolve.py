"""`resolve`: settles rows in doubt, each by a run that is proved to be its own, or as not run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batchrun.core.durations import parse_rate
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import READERS, backoff, reading_rate
from batchrun.core.readings import Reading, read
from batchrun.core.settling import disproof, too_young
from batchrun.core.totals import Totals, counted, grouped
from batchrun.engine.gate import Gate
from batchrun.errors import BadCommandLine, BadDecisions, CouldNotStart, Declined
from batchrun.flows.clock import SystemClock
from batchrun.flows.doors import doors_for, runner
from batchrun.flows.loops import run_loop
from batchrun.flows.outcome import Outcome, outcome_of
from batchrun.flows.purged import refuse_purged
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_doubts, journal_rows, journal_steps, system
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_rows import RowRecord
from batchrun.io.journal_steps import Step
from batchrun.io.runner_api import RunnerApi
from batchrun.io.settlements import Settlement
from batchrun.model import State

READINGS = 10
LARGEST_NUMBER = 2**63 - 1  # of SQLite
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 1.0


@dataclass(frozen=True, slots=True)
class Assurance:
    """How sure somebody is: `yes` answers what would be asked, `count` is the typed number of rows."""

    yes: bool = False
    reason: str | None = None
    count: int | None = None


def refuse_without_doubts(journal: Journal, batch: Batch) -> None:
    """Refuse a batch of which nothing is to be settled, before anybody looks for a sheet that it has not."""
    refuse_purged(journal, batch, "and none of its rows is in doubt")
    with journal.reading() as connection:
        counts = journal_batches.counts(connection, [batch.id]).get(batch.id, {})
    if not counts.keys() & {State.IN_DOUBT, State.SENDING}:
        raise CouldNotStart(f"{batch.name} has no row in doubt, so nothing is to settle", code="no-doubts")


def resolve(
    journal: Journal, batch: Batch, settlements: Sequence[Settlement], teller: Teller, assurance: Assurance
) -> Outcome:
    """Settle rows; where one cannot be settled as told, none is, and every fault is told."""
    refuse_purged(journal, batch, "and none of its rows is in doubt")
    found = list(_rows(journal, batch, settlements))
    not_run = [record for record, settlement in found if settlement.run_id is None]
    _refuse_young(batch, not_run, found)
    if not_run:
        _assure(batch, not_run, teller, assurance)
    readings = _readings(journal, batch, found)
    _refuse_unproved(journal, batch, found, readings)
    _settle(journal, batch, found, readings, assurance)
    teller.say(f"{counted(len(found), 'row')} {'is' if len(found) == 1 else 'are'} settled")
    return outcome_of(journal, batch.name)


def all_not_run(journal: Journal, batch: Batch) -> list[Settlement]:
    """Give a settlement for every row in doubt."""
    with journal.reading() as connection:
        rows = journal_rows.stream(connection, batch, [State.IN_DOUBT])
        return [Settlement(record.number, None, "--all-not-run") for record in rows if record.leader is None]


def _rows(journal: Journal, batch: Batch, settlements: Sequence[Settlement]) -> Iterator[tuple[RowRecord, Settlement]]:
    faults = []
    seen: dict[int, str] = {}
    for settlement in settlements:
        with journal.reading() as connection:
            known = settlement.row <= LARGEST_NUMBER
            record = journal_rows.by_number(connection, batch, settlement.row) if known else None
            if record is not None and record.leader is not None:
                record = journal_rows.group_of(connection, batch, record.leader)[0]
        if settlement.row in seen:
            faults.append(f"{settlement.place}: row {settlement.row} is settled twice, in {seen[settlement.row]} too")
        elif record is None:
            faults.append(f"{settlement.place}: {batch.name} has no row {settlement.row}")
        elif record.state is not State.IN_DOUBT:
            faults.append(f"{settlement.place}: row {settlement.row} is not in doubt, it is {record.state.value}")
        else:
            # Of thousands of rows, what is large is kept only where a run has to be proved by it.
            yield replace(record.bare, payload=None if settlement.run_id is None else record.payload), settlement
        seen.setdefault(settlement.row, settlement.place)
    if faults:
        raise BadDecisions(faults)
    if not settlements:
        raise BadDecisions([f"{batch.name}: there is nothing to settle"])


def _refuse_young(batch: Batch, not_run: list[RowRecord], found: list[tuple[RowRecord, Settlement]]) -> None:
    if batch.environment != "live" or batch.simulated:
        return
    places = {record.number: settlement.place for record, settlement in found}
    now = SystemClock().now()
    faults = [
        f"{places[record.number]}: row {record.number} cannot be called not run: {why}"
        for record in not_run
        if (why := too_young(record.sent_at, now)) is not None
    ]
    if faults:
        raise BadDecisions(faults)


def _assure(batch: Batch, not_run: list[RowRecord], teller: Teller, assurance: Assurance) -> None:
    """Show rows and sums before rows are called not run: they will be sent again. Live wants a reason and a count."""
    totals = Totals(batch.settings["totals"])
    for record in not_run:
        totals.add(record.state, record.amounts)
    sums = "".join(f", {one.column} {grouped(one.input, one.decimals)}" for one in totals.controls())
    rows = ", ".join(str(record.number) for record in not_run[:20]) + (" …" if len(not_run) > 20 else "")
    one = len(not_run) == 1
    question = (
        f"{counted(len(not_run), 'row')}{sums} {'was' if one else 'were'} NOT run, and may be sent again "
        f"({'row' if one else 'rows'} {rows})"
    )
    if batch.environment == "live" and not batch.simulated:
        if not assurance.reason:
            raise BadCommandLine("on live, calling rows not run wants a reason: --reason 'checked in the dashboard'")
        if assurance.count != len(not_run):
            raise BadCommandLine(f"{question}. On live, type how many they are: --count {len(not_run)}")
    if assurance.yes:
        teller.say(f"{question}.")
        return
    answer = teller.ask(f"{question}. Is that so?")
    if answer is None:
        raise BadCommandLine(f"{question}. This is asked first, and here nobody can answer; add --yes if you are sure")
    if not answer:
        raise Declined("nothing was settled")


def _readings(journal: Journal, batch: Batch, found: list[tuple[RowRecord, Settlement]]) -> dict[int, Reading]:
    wanted = [(record.number, settlement.run_id) for record, settlement in found if settlement.run_id is not None]
    if not wanted:
        return {}
    with doors_for(batch, Path(batch.spec_path)).opened(journal, batch) as route:
        return run_loop(read_runs(route, batch, wanted))


async def read_runs(route: Route, batch: Batch, wanted: list[tuple[int, str]]) -> dict[int, Reading]:
    """Read runs, each with a number of its own; one that cannot be read is asked for again."""
    per_second = parse_rate(batch.settings["rate"])
    gate = Gate(reading_rate(per_second), SystemClock())
    left, readings, unread = list(wanted), dict[int, Reading](), list[int]()
    readers = min(READERS, len(wanted))
    await asyncio.gather(*(_reader(route, batch, gate, left, readings, unread) for _ in range(readers)))
    return readings


async def _reader(
    route: Route,
    batch: Batch,
    gate: Gate,
    left: list[tuple[int, str]],
    readings: dict[int, Reading],
    unread: list[int],
) -> None:
    door = runner(route, batch)
    try:
        while left:
            number, run_id = left.pop(0)
            # Where one could not be read, the others are asked only once.
            reading = readings[number] = await _reading(door, run_id, gate, 1 if unread else READINGS)
            if _is_unread(reading):
                unread.append(number)
    finally:
        await door.aclose()


async def _reading(door: RunnerApi, run_id: str, gate: Gate, times: int) -> Reading:
    """Read a run, again after a failure: a reading is repeatable by nature."""
    for attempt in range(1, times + 1):
        await gate.turn()
        reading = read(await door.read(run_id), run_id)
        if not _is_unread(reading):
            break
        if attempt < times:
            await asyncio.sleep(backoff(attempt, FIRST_PAUSE, LONGEST_PAUSE, SystemClock().chance()))
    return reading


def _is_unread(reading: Reading) -> bool:
    return reading.event is None and not reading.missing and reading.refused is None


def _refuse_unproved(
    journal: Journal, batch: Batch, found: list[tuple[RowRecord, Settlement]], readings: dict[int, Reading]
) -> None:
    faults = []
    given: dict[str, str] = {}
    positions = [record.position for record, settlement in found if settlement.run_id is not None]
    with journal.reading() as connection:
        twins = journal_doubts.twins(connection, batch, positions) if positions else {}
    for record, settlement in found:
        if settlement.run_id is None:
            continue
        reading = readings[record.number]
        why = _why_not(journal, batch, settlement.run_id, given) or disproof(
            reading, settlement.run_id, record.payload or b"", record.sent_at, twins=twins.get(record.position, 0)
        )
        if why is not None:
            faults.append(f"{settlement.place}: row {record.number}: {why}")
        given.setdefault(settlement.run_id, settlement.place)
    if faults:
        raise BadDecisions(faults)


def _why_not(journal: Journal, batch: Batch, run_id: str, given: dict[str, str]) -> str | None:
    """Say whose a run is that is another row's."""
    if run_id in given:
        return f"the run {run_id} is given to another row too, in {given[run_id]}"
    with journal.reading() as connection:
        holder = journal_steps.holder_of(connection, batch, run_id)
    return None if holder is None else f"the run {run_id} belongs to another row: row {holder[1]} of {holder[0]}"


def _settle(
    journal: Journal,
    batch: Batch,
    found: list[tuple[RowRecord, Settlement]],
    readings: dict[int, Reading],
    assurance: Assurance,
) -> None:
    now = SystemClock().now()
    steps = []
    for record, settlement in found:
        note = f"settled by {settlement.checked_by or system.user_name()}"
        note += f": {assurance.reason}" if assurance.reason else ""
        if settlement.run_id is None:
            steps.append(Step(record.position, Event.NOT_RUN, now, note=note))
            continue
        reading = readings[record.number]
        assert reading.event is not None  # noqa: S101  # an unread run was refused before
        steps.append(
            Step(
                record.position,
                reading.event,
                now,
                run_id=settlement.run_id,
                output=reading.output,
                error=reading.error,
                finished_at=reading.finished_at,
                note=note,
                version_id=reading.version_id,
            )
        )
    with journal.writing() as connection:
        done = journal_steps.apply(connection, batch, steps)
        faults = [
            f"{settlement.place}: row {record.number} was settled by somebody else meanwhile"
            for (record, settlement), stepped in zip(found, done, strict=True)
            if not stepped.moved
        ]
        if faults:  # raised in here, so that nothing at all is committed
            raise BadDecisions(faults)
