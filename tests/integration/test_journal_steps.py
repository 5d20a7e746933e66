"""Steps in the journal: durable when they return, each a compare-and-set, and in order on a disk that is full."""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, held, opened, replayed, states
from sqlalchemy import event, select

from batchrun.core.answers import Context, Seen, judge
from batchrun.core.lifecycle import Event
from batchrun.errors import Stopped
from batchrun.io import journal_rows, journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step, Stepped
from batchrun.io.journal_tables import run_ids
from batchrun.io.journal_writer import JournalWriter
from batchrun.model import State

HELPERS = Path(__file__).parents[1] / "contract"


def apply(journal: Journal, batch: Batch, *steps: Step) -> list[Stepped]:
    with journal.writing() as connection:
        return journal_steps.apply(connection, batch, list(steps))


def step(position: int, event: Event, **parts: Any) -> Step:
    return Step(position, event, NOW, **parts)


def writing(journal: Journal, batch: Batch, work: Callable[[JournalWriter], Awaitable[None]]) -> None:
    async def go() -> None:
        writer = JournalWriter(journal, batch)
        try:
            await work(writer)
        finally:
            await writer.close()

    asyncio.run(go())


def test_a_step_that_has_returned_is_seen_by_every_other_reader(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, opened(tmp_path / "journal.db") as other:
        batch = add_batch(journal, 3)

        async def work(writer: JournalWriter) -> None:
            await writer.intend(1, NOW)
            assert states(other, batch) == [State.READY, State.SENDING, State.READY]
            answer = judge(Seen(202, {}, b'{"runId":"run_1","status":"running"}'), Context(NOW))
            await writer.record(1, answer, 202, NOW)
            assert states(other, batch)[1] is State.RUNNING

        writing(journal, batch, work)


def test_steps_that_are_asked_for_together_share_one_commit(tmp_path: Path) -> None:
    commits: list[str] = []
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 300)

        @event.listens_for(journal._engine, "before_cursor_execute")
        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            commits.extend([statement] if statement == "COMMIT" else [])

        async def work(writer: JournalWriter) -> None:
            await asyncio.gather(*(writer.intend(position, NOW) for position in range(300)))

        writing(journal, batch, work)
        assert len(commits) <= 3
        assert states(journal, batch) == [State.SENDING] * 300


def test_a_step_counts_only_on_the_state_that_it_expects(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, opened(tmp_path / "journal.db") as other:
        batch = add_batch(journal, 1)
        assert apply(journal, batch, step(0, Event.INTENT))[0].moved
        assert not apply(other, batch, step(0, Event.INTENT))[0].moved
        assert apply(other, batch, step(0, Event.DOUBT))[0].state is State.IN_DOUBT
        late = apply(journal, batch, step(0, Event.REFUSED))[0]
        assert (late.moved, late.state) == (False, State.IN_DOUBT)
        assert replayed(journal, batch) == held(journal, batch) == [(State.IN_DOUBT, 1)]


def test_two_steps_of_one_row_in_one_commit_follow_each_other(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 1)
        done = apply(journal, batch, step(0, Event.INTENT), step(0, Event.INTENT), step(0, Event.DOUBT))
        assert [(one.state, one.moved) for one in done] == [
            (State.SENDING, True), (State.SENDING, False), (State.IN_DOUBT, True)
        ]  # fmt: skip
        assert replayed(journal, batch) == held(journal, batch)


@pytest.mark.parametrize("after", [State.SENDING, State.IN_DOUBT, State.RUNNING, State.COMPLETED])
def test_a_key_is_taken_from_its_first_request_on(tmp_path: Path, after: State) -> None:
    ways = {
        State.SENDING: [],
        State.IN_DOUBT: [step(0, Event.DOUBT)],
        State.RUNNING: [step(0, Event.RUNNING, run_id="run_1")],
        State.COMPLETED: [step(0, Event.COMPLETED, run_id="run_1")],
    }
    with opened(tmp_path / "journal.db") as journal:
        first, second = add_batch(journal, 2), add_batch(journal, 2)
        apply(journal, first, step(0, Event.INTENT), *ways[after])
        done = apply(journal, second, step(0, Event.INTENT), step(1, Event.INTENT))
        assert [one.state for one in done] == [State.DUPLICATE, State.SENDING]


@pytest.mark.parametrize(("environment", "expected"), [("sandbox", State.SENDING), ("live", State.DUPLICATE)])
@pytest.mark.parametrize("end", [Event.FAILED, Event.CANCELLED])
def test_a_failed_run_frees_its_key_in_the_sandbox_only(
    tmp_path: Path, end: Event, environment: str, expected: State
) -> None:
    with opened(tmp_path / "journal.db") as journal:
        first, second = (add_batch(journal, 1, environment=environment) for _ in range(2))
        apply(journal, first, step(0, Event.INTENT), step(0, end, run_id="run_1"))
        assert apply(journal, second, step(0, Event.INTENT))[0].state is expected


def test_a_refused_row_frees_its_key(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        first, second = add_batch(journal, 1), add_batch(journal, 1)
        apply(journal, first, step(0, Event.INTENT), step(0, Event.REFUSED))
        assert apply(journal, second, step(0, Event.INTENT))[0].state is State.SENDING


def test_duplicates_that_are_allowed_are_sent(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        first, second = add_batch(journal, 1), add_batch(journal, 1, settings={"allow_duplicates": True})
        apply(journal, first, step(0, Event.INTENT))
        assert apply(journal, second, step(0, Event.INTENT))[0].state is State.SENDING


def test_a_run_id_belongs_to_the_row_that_had_it_first_in_its_world(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        here, elsewhere = add_batch(journal, 2), add_batch(journal, 1, prefix="X", world="another world")
        given = step(0, Event.RUNNING, run_id="run_1")
        apply(journal, here, step(0, Event.INTENT), given)
        again = apply(journal, here, step(1, Event.INTENT), given._replace(position=1))[1]
        assert (again.state, again.known_run) == (State.IN_DOUBT, True)
        other = apply(journal, elsewhere, step(0, Event.INTENT), given)[1]
        assert (other.state, other.known_run) == (State.RUNNING, False)
        with journal.reading() as connection:
            assert len(connection.execute(select(run_ids)).all()) == 2
            row = journal_rows.by_number(connection, here, 3)
        assert row is not None and row.run_id is None and "another row" in str(row.error)


def test_a_dead_sender_s_rows_are_in_doubt_when_the_next_one_begins(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 4)
        apply(journal, batch, *(step(position, Event.INTENT) for position in range(3)), step(1, Event.REFUSED))
        with journal.writing() as connection:
            assert journal_steps.doubt_what_was_sending(connection, batch, NOW) == 2
            assert journal_steps.doubt_what_was_sending(connection, batch, NOW) == 0
        assert states(journal, batch) == [State.IN_DOUBT, State.REFUSED, State.IN_DOUBT, State.READY]
        assert replayed(journal, batch) == held(journal, batch)


STRANGE = [
    b'{"runId":"run_1","status":"completed","output":{"note":"\\ud800 half a pair"}}',
    b'{"runId":"run_\\ud800","status":"running"}',
    b'{"runId":"run_1","status":"failed","error":"\\udfff"}',
    b'{"runId":"run_1","status":"completed","output":' + b"[" * 240 + b"]" * 240 + b"}",
    b'{"runId":"run_1","status":"completed","output":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
    b'{"runId":"run_1","status":"completed","output":{"n":1e400}}',
    b'{"runId":"run_1","status":"completed","output":{"n":' + b"9" * 400 + b"}}",
    b'{"runId":"run_1","status":"completed","output":{"n":NaN,"m":-Infinity}}',
    b'{"runId":"run_1","status":"completed","output":{"n":0.10,"big":12345678901234567890123}}',
    b'{"runId":"run_1\\u0000x","status":"running"}',
    '{"runId":"run_ünï","status":"läuft","error":"日本"}'.encode(),
]


@pytest.mark.parametrize("body", STRANGE, ids=range(len(STRANGE)))
def test_an_answer_of_any_shape_can_be_kept_and_harms_no_other(tmp_path: Path, body: bytes) -> None:
    """Answers that arrive together share a commit: one that could not be kept would take the others with it."""
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 2)
        verdict = judge(Seen(202, {}, body), Context(NOW))
        good = judge(Seen(202, {}, b'{"runId":"run_good","status":"running"}'), Context(NOW))

        async def work(writer: JournalWriter) -> None:
            await asyncio.gather(writer.intend(0, NOW), writer.intend(1, NOW))
            kept = await asyncio.gather(writer.record(0, verdict, 202, NOW), writer.record(1, good, 202, NOW))
            assert kept[1].state is State.RUNNING
            assert kept[0].state not in (State.SENDING, State.READY)

        writing(journal, batch, work)
        with journal.reading() as connection:
            assert len(list(journal_rows.stream(connection, batch))) == 2


def limit_pages(journal: Journal, pages: Callable[[], int]) -> None:
    """Let the database grow to so many pages only, as on a disk that is full."""

    @event.listens_for(journal._engine, "checkout")
    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages()}")


def pages_of(journal: Journal) -> int:
    with journal.reading() as connection:
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def long_answer(number: int) -> Any:
    body = b'{"runId":"run_%d","status":"completed","output":{"text":"%s"}}' % (number, b"x" * 20_000)
    return judge(Seen(200, {}, body), Context(NOW))


def test_a_full_disk_is_told_in_one_sentence_and_the_journal_goes_on_when_there_is_room(tmp_path: Path) -> None:
    room = [1_000_000]
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 40)
        journal.free_reserve()
        apply(journal, batch, *(step(position, Event.INTENT) for position in range(40)))
        limit_pages(journal, lambda: room[0])
        room[0] = pages_of(journal) + 30

        async def work(writer: JournalWriter) -> None:
            kept = 0
            with pytest.raises(Stopped) as caught:
                for position in range(40):
                    await writer.record(position, long_answer(position), 200, NOW)
                    kept += 1
            assert caught.value.code == "disk-full"
            assert "\n" not in caught.value.message
            assert states(journal, batch).count(State.COMPLETED) == kept > 0
            with pytest.raises(Stopped):
                await writer.record(39, long_answer(39), 200, NOW)
            room[0] = 1_000_000
            assert (await writer.record(39, long_answer(39), 200, NOW)).state is State.COMPLETED

        writing(journal, batch, work)
        assert replayed(journal, batch) == held(journal, batch)


def test_the_reserve_makes_room_for_the_answers_that_are_under_way(tmp_path: Path) -> None:
    told: list[Stopped] = []
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 8)
        apply(journal, batch, *(step(position, Event.INTENT) for position in range(8)))
        few = pages_of(journal) + 1
        limit_pages(journal, lambda: few if journal.reserve.exists() else 1_000_000)

        async def work(writer: JournalWriter) -> None:
            writer.on_full = told.append
            await asyncio.gather(*(writer.record(n, long_answer(n), 200, NOW) for n in range(8)))

        writing(journal, batch, work)
        assert states(journal, batch) == [State.COMPLETED] * 8
        assert not journal.reserve.exists()
    assert {error.code for error in told} == {"disk-full"}


FULL = """
import asyncio, resource, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from journals import NOW, add_batch, opened, states, held, replayed
from batchrun.core.answers import Context, Seen, judge
from batchrun.errors import Stopped
from batchrun.io.journal_writer import JournalWriter
from batchrun.model import State

def answer(number):
    body = b'{"runId":"run_%d","status":"completed","output":{"text":"%s"}}' % (number, b"x" * 20_000)
    return judge(Seen(200, {}, body), Context(NOW))

async def go(journal, batch):
    writer = JournalWriter(journal, batch)
    journal.free_reserve()
    for position in range(60):
        await writer.intend(position, NOW)
    resource.setrlimit(resource.RLIMIT_FSIZE, (Path(sys.argv[1] + "-wal").stat().st_size + 100_000, hard))
    kept, message = 0, ""
    try:
        for position in range(60):
            await writer.record(position, answer(position), 200, NOW)
            kept += 1
    except Stopped as error:
        message = error.code
    assert states(journal, batch).count(State.COMPLETED) == kept, (kept, states(journal, batch))
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await writer.record(59, answer(59), 200, NOW)
    await writer.close()
    assert replayed(journal, batch) == held(journal, batch)
    print(message, kept > 0, states(journal, batch)[59].value)

hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
with opened(Path(sys.argv[1])) as journal:
    asyncio.run(go(journal, add_batch(journal, 60)))
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
def test_a_write_that_the_system_refuses_is_a_full_disk_and_loses_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(FULL), str(tmp_path / "journal.db"), str(HELPERS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["disk-full", "True", "completed"], done.stderr


def test_an_answer_and_the_next_intent_share_one_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is killed in between finds both or neither."""
    groups: list[list[Event]] = []
    commit = JournalWriter._commit

    def counted(writer: JournalWriter, steps: list[Step]) -> list[Stepped]:
        groups.append([step.event for step in steps])
        return commit(writer, steps)

    monkeypatch.setattr(JournalWriter, "_commit", counted)
    verdict = judge(Seen(202, {}, b'{"runId":"run_0","status":"running"}'), Context(NOW))
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 3)

        async def work(writer: JournalWriter) -> None:
            await writer.intend(0, NOW)
            await writer.record_and_intend(0, verdict, 202, NOW, 1)

        writing(journal, batch, work)
        assert groups == [[Event.INTENT], [Event.RUNNING, Event.INTENT]]
        assert replayed(journal, batch) == held(journal, batch)


def test_a_run_id_that_comes_twice_in_one_commit_goes_to_the_first(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 2)
        apply(journal, batch, step(0, Event.INTENT), step(1, Event.INTENT))
        done = apply(journal, batch, *(step(n, Event.RUNNING, run_id="run_same") for n in range(2)))
        assert [(one.state, one.known_run) for one in done] == [(State.RUNNING, False), (State.IN_DOUBT, True)]
