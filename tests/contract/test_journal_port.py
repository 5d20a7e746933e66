"""The journal as the engine sees it: the same tests over the one in memory and the one on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest
from fakes import EPOCH, FakeJournal, accepted, doubtful, status, unreached
from journals import add_batch, opened

from batchrun.core.answers import Context, Seen, Verdict, judge
from batchrun.core.lifecycle import Event
from batchrun.engine.ports import FollowerJournal, OpenRun, Outgoing, Recorded, SenderJournal
from batchrun.flows.engine_journal import EngineJournal
from batchrun.io.journal_writer import JournalWriter
from batchrun.model import State


class Both(SenderJournal, FollowerJournal, Protocol):
    """What the engine's two loops ask of one journal."""


@asynccontextmanager
async def in_memory(_folder: Path, count: int, taken: set[int]) -> AsyncIterator[Both]:
    yield FakeJournal.of(count, taken=taken)


@asynccontextmanager
async def on_disk(folder: Path, count: int, taken: set[int]) -> AsyncIterator[Both]:
    with opened(folder / "journal.db") as journal:
        first = add_batch(journal, count)
        if taken:
            writer = JournalWriter(journal, first)
            for position in taken:
                await writer.intend(position, EPOCH)
            await writer.close()
        batch = add_batch(journal, count) if taken else first
        writer = JournalWriter(journal, batch)
        try:
            yield EngineJournal(writer)
        finally:
            await writer.close()


@pytest.fixture(params=[in_memory, on_disk])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., None]:
    def go(work: Callable[[Both], Awaitable[None]], count: int = 5, taken: set[int] | None = None) -> None:
        async def inside() -> None:
            async with request.param(tmp_path, count, taken or set()) as journal:
                await work(journal)

        asyncio.run(inside())

    return go


Run = Callable[..., None]


def verdict(seen: Seen) -> Verdict:
    return judge(seen, Context(EPOCH))


async def sent(journal: Both, position: int, seen: Seen) -> Recorded:
    await journal.intend(position, EPOCH)
    return await journal.record(position, verdict(seen), seen.status, EPOCH)


async def followed(journal: Both, position: int, event: Event) -> Recorded:
    return await journal.follow(position, event, None, None, None, EPOCH)


def test_ready_rows_come_in_order_and_in_pages(run: Run) -> None:
    async def work(journal: Both) -> None:
        assert [row.position for row in await journal.ready(-1, 3)] == [0, 1, 2]
        assert [row.position for row in await journal.ready(2, 3)] == [3, 4]
        assert await journal.ready(4, 3) == []
        (row,) = await journal.ready(3, 1)
        assert isinstance(row, Outgoing) and row.number == 6 and isinstance(row.body, bytes)

    run(work)


def test_a_row_that_is_not_ready_is_not_handed_out(run: Run) -> None:
    async def work(journal: Both) -> None:
        await journal.intend(1, EPOCH)
        await sent(journal, 2, accepted("run_2"))
        assert [row.position for row in await journal.ready(-1, 9)] == [0, 3, 4]

    run(work)


def test_an_intent_makes_a_row_sending_once(run: Run) -> None:
    async def work(journal: Both) -> None:
        assert await journal.intend(0, EPOCH) == Recorded(State.SENDING)
        assert await journal.intend(0, EPOCH) == Recorded(State.SENDING, moved=False)

    run(work)


def test_a_key_that_another_batch_has_taken_makes_a_duplicate(run: Run) -> None:
    async def work(journal: Both) -> None:
        assert await journal.intend(1, EPOCH) == Recorded(State.DUPLICATE)
        assert await journal.intend(1, EPOCH) == Recorded(State.DUPLICATE, moved=False)
        assert await journal.intend(2, EPOCH) == Recorded(State.SENDING)

    run(work, taken={1})


@pytest.mark.parametrize(
    ("seen", "after"),
    [
        (accepted("run_1"), State.RUNNING),
        (accepted("run_1", "pending"), State.PENDING),
        (accepted("run_1", "awaiting_review"), State.AWAITING_REVIEW),
        (accepted("run_1", "completed"), State.COMPLETED),
        (accepted("run_1", "failed"), State.FAILED),
        (accepted("run_1", "thinking hard"), State.RUNNING),
        (doubtful(), State.IN_DOUBT),
        (unreached(), State.READY),
        (status(422), State.REFUSED),
        (status(429), State.READY),
        (status(401), State.READY),
    ],
)
def test_an_answer_moves_a_row_as_the_table_says(run: Run, seen: Seen, after: State) -> None:
    async def work(journal: Both) -> None:
        assert await sent(journal, 3, seen) == Recorded(after)

    run(work)


def test_a_row_that_came_back_is_ready_again_and_can_be_sent(run: Run) -> None:
    async def work(journal: Both) -> None:
        await sent(journal, 0, unreached())
        assert [row.position for row in await journal.ready(-1, 1)] == [0]
        assert await sent(journal, 0, accepted("run_0")) == Recorded(State.RUNNING)

    run(work)


def test_an_answer_to_a_row_that_is_not_sending_moves_nothing(run: Run) -> None:
    async def work(journal: Both) -> None:
        assert await journal.record(0, verdict(status(422)), 422, EPOCH) == Recorded(State.READY, moved=False)
        await sent(journal, 1, accepted("run_1", "completed"))
        assert (await journal.record(1, verdict(doubtful()), None, EPOCH)).moved is False

    run(work)


def test_a_run_id_of_another_row_is_known_and_leaves_the_row_in_doubt(run: Run) -> None:
    async def work(journal: Both) -> None:
        assert await sent(journal, 0, accepted("run_x")) == Recorded(State.RUNNING)
        assert await sent(journal, 1, accepted("run_x")) == Recorded(State.IN_DOUBT, known_run=True)
        assert [run.run_id for run in await journal.open_runs()] == ["run_x"]

    run(work)


def test_the_same_run_id_for_two_rows_at_once_goes_to_one_of_them(run: Run) -> None:
    async def work(journal: Both) -> None:
        await asyncio.gather(*(journal.intend(position, EPOCH) for position in range(4)))
        answers = await asyncio.gather(
            *(journal.record(position, verdict(accepted("run_x")), 202, EPOCH) for position in range(4))
        )
        assert sorted(answer.known_run for answer in answers) == [False, True, True, True]
        assert sorted(answer.state for answer in answers) == [State.IN_DOUBT] * 3 + [State.RUNNING]

    run(work)


def test_open_runs_are_those_that_go_on_by_themselves_the_oldest_first(run: Run) -> None:
    async def work(journal: Both) -> None:
        for position, word in enumerate(["running", "pending", "awaiting_review", "completed"]):
            await sent(journal, position, accepted(f"run_{position}", word))
        assert list(await journal.open_runs()) == [
            OpenRun(0, "run_0", State.RUNNING), OpenRun(1, "run_1", State.PENDING)
        ]  # fmt: skip

    run(work)


def test_a_reading_moves_an_open_run_and_never_one_that_has_ended(run: Run) -> None:
    async def work(journal: Both) -> None:
        await sent(journal, 0, accepted("run_0"))
        assert await followed(journal, 0, Event.AWAITING_REVIEW) == Recorded(State.AWAITING_REVIEW)
        assert await followed(journal, 0, Event.RUNNING) == Recorded(State.RUNNING)
        assert await followed(journal, 0, Event.COMPLETED) == Recorded(State.COMPLETED)
        assert await followed(journal, 0, Event.RUNNING) == Recorded(State.COMPLETED, moved=False)
        assert await followed(journal, 1, Event.RUNNING) == Recorded(State.READY, moved=False)

    run(work)


def test_steps_that_are_asked_for_together_are_all_taken(run: Run) -> None:
    async def work(journal: Both) -> None:
        done = await asyncio.gather(*(journal.intend(position, EPOCH) for position in range(200)))
        assert done == [Recorded(State.SENDING)] * 200
        done = await asyncio.gather(*(journal.record(n, verdict(accepted(f"run_{n}")), 202, EPOCH) for n in range(200)))
        assert done == [Recorded(State.RUNNING)] * 200

    run(work, count=200)


def test_an_answer_and_the_next_intent_are_kept_together(run: Run) -> None:
    async def work(journal: Both) -> None:
        await journal.intend(0, EPOCH)
        both = await journal.record_and_intend(0, verdict(accepted("run_0")), 202, EPOCH, 1)
        assert both == (Recorded(State.RUNNING), Recorded(State.SENDING))
        assert [row.position for row in await journal.ready(-1, 9)] == [2, 3, 4]
        both = await journal.record_and_intend(1, verdict(accepted("run_0")), 202, EPOCH, 2)
        assert both == (Recorded(State.IN_DOUBT, known_run=True), Recorded(State.SENDING))
        both = await journal.record_and_intend(2, verdict(accepted("run_2")), 202, EPOCH, 0)
        assert both == (Recorded(State.RUNNING), Recorded(State.RUNNING, moved=False))

    run(work)


def test_a_row_begun_with_an_answer_whose_key_is_taken_is_a_duplicate(run: Run) -> None:
    async def work(journal: Both) -> None:
        await journal.intend(0, EPOCH)
        both = await journal.record_and_intend(0, verdict(accepted("run_0")), 202, EPOCH, 1)
        assert both == (Recorded(State.RUNNING), Recorded(State.DUPLICATE))

    run(work, taken={1})


def test_a_step_whose_asker_was_cancelled_is_taken_all_the_same(run: Run) -> None:
    async def work(journal: Both) -> None:
        await journal.intend(0, EPOCH)
        task = asyncio.ensure_future(journal.record(0, verdict(accepted("run_0")), 202, EPOCH))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await followed(journal, 1, Event.RUNNING)  # whatever was asked for before has been written
        assert [run.run_id for run in await journal.open_runs()] == ["run_0"]

    run(work)


def test_a_closed_conversation_leaves_nothing_half_done(run: Run) -> None:
    async def work(journal: Both) -> None:
        await asyncio.gather(*(sent(journal, position, doubtful()) for position in range(5)))
        assert await journal.ready(-1, 9) == []
        assert list(await journal.open_runs()) == []

    run(work)
