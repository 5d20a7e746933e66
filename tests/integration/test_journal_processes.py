"""Several processes over one journal: two never send the same key, and a killed one loses nothing it was told."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import add_batch, held, opened, replayed, states

from batchrun.io import journal_batches, journal_rows, system
from batchrun.model import State

HELPERS = Path(__file__).parents[1] / "contract"
HEAD = """
import asyncio, random, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from journals import NOW, add_batch, draft, opened, row_values
from batchrun.core.answers import Context, Seen, judge
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal_writer import JournalWriter
from batchrun.model import State
place = Path(sys.argv[2])
"""
SENDS = """
with opened(place) as journal:
    with journal.reading() as connection:
        batch = journal_batches.find(connection, sys.argv[3])
    print("ready", flush=True)
    sys.stdin.readline()

    async def go():
        writer = JournalWriter(journal, batch)
        order = random.Random(sys.argv[3]).sample(range(120), 120)  # else the quicker one is ahead at every key
        async def work(first):
            for position in order[first::4]:
                stepped = await writer.intend(position, NOW)
                print(position, stepped.state.value, flush=True)
                await asyncio.sleep(0.004 * (position * 7 % 5))
        order, later = order[:60], order[60:]
        await asyncio.gather(*(work(first) for first in range(4)))
        print("half", flush=True)
        sys.stdin.readline()  # nobody goes on before both are here: so neither can be through before the other begins
        order = later
        await asyncio.gather(*(work(first) for first in range(4)))
        await writer.close()

    asyncio.run(go())
"""
OPENS = """
print("ready", flush=True)
sys.stdin.readline()
with opened(place) as journal:
    add_batch(journal, 5, prefix=sys.argv[3], stem=sys.argv[3])
print("done", flush=True)
"""
STAGES = """
from batchrun.io import system
with opened(place) as journal:
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, draft(), NOW)
        journal_rows.insert_rows(connection, [row_values(batch_id, 0)])
    with system.try_lock(journal.lock_file(batch_id)) as mine:
        print(batch_id, mine, flush=True)
        sys.stdin.readline()
"""
WRITES = """
with opened(place) as journal:
    batch = add_batch(journal, 3000, prefix=sys.argv[3], stem=sys.argv[3])
    print(batch.name, flush=True)

    async def go():
        writer = JournalWriter(journal, batch)
        async def work(first):
            for position in range(first, 3000, 4):
                await writer.intend(position, NOW)
                print(position, "sending", flush=True)
                body = b'{"runId":"run_%s_%d","status":"running"}' % (sys.argv[3].encode(), position)
                await writer.record(position, judge(Seen(202, {}, body), Context(NOW)), 202, NOW)
                print(position, "running", flush=True)
        await asyncio.gather(*(work(first) for first in range(4)))

    asyncio.run(go())
"""


def process(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", HEAD + program, str(HELPERS), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def together(processes: list[subprocess.Popen[str]], *, met: bool = False) -> list[list[str]]:
    """Let processes begin at the same moment, and wait for each other at `half` if they do; give the lines of each."""
    for one in processes:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n", one.communicate()
    for one in processes:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    halves = [_until_half(one) if met else [] for one in processes]
    for one in processes if met else ():
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    outputs = [one.communicate(timeout=60) for one in processes]
    assert [one.returncode for one in processes] == [0] * len(processes), outputs
    return [half + output.splitlines() for half, (output, _) in zip(halves, outputs, strict=True)]


def _until_half(one: subprocess.Popen[str]) -> list[str]:
    assert one.stdout is not None
    lines = []
    while (line := one.stdout.readline()) != "half\n":
        assert line, one.communicate()
        lines.append(line.rstrip())
    return lines


def test_of_two_processes_with_the_same_keys_exactly_one_sends_each(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with opened(place) as journal:
        batches = [add_batch(journal, 120) for _ in range(2)]
        lines = together([process(SENDS, place, batch.name) for batch in batches], met=True)
        first, second = (states(journal, batch) for batch in batches)
        for batch in batches:
            assert replayed(journal, batch) == held(journal, batch)
    for position, pair in enumerate(zip(first, second, strict=True)):
        assert sorted(pair) == [State.DUPLICATE, State.SENDING], position
    told = [{int(number): word for number, word in (line.split() for line in output)} for output in lines]
    assert told == [{n: state.value for n, state in enumerate(found)} for found in (first, second)]
    assert min(found.count(State.SENDING) for found in (first, second)) > 0, "they did not run beside each other"


def test_a_new_journal_can_be_made_by_several_processes_at_once(tmp_path: Path) -> None:
    place = tmp_path / "state" / "journal.db"
    lines = together([process(OPENS, place, f"stem{number}") for number in range(4)])
    assert lines == [["done"]] * 4
    with opened(place) as journal, journal.reading() as connection:
        assert len(journal_batches.every(connection)) == 4


def test_a_batch_whose_maker_lives_is_held_and_one_whose_maker_died_is_free(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    with opened(place) as journal:
        maker = process(STAGES, place)
        assert maker.stdout is not None
        number, mine = maker.stdout.readline().split()
        assert mine == "True"
        lock = journal.lock_file(int(number))
        assert system.is_locked(lock)
        maker.kill()
        maker.communicate()
        assert not system.is_locked(lock)
        with journal.writing() as connection:
            assert journal_batches.unsealed(connection) == [int(number)]
            journal_batches.discard(connection, int(number))
            assert journal_batches.unsealed(connection) == []


@pytest.mark.slow
def test_a_killed_sender_loses_no_step_that_it_was_told_and_the_journal_opens_again(tmp_path: Path) -> None:
    place = tmp_path / "journal.db"
    for turn, seconds in enumerate((0.02, 0.1, 0.23, 0.4, 0.05)):
        sender = process(WRITES, place, f"t{turn}")
        assert sender.stdout is not None
        name = sender.stdout.readline().strip()
        time.sleep(seconds)
        sender.kill()
        output, _ = sender.communicate()
        *lines, _torn = output.split("\n")
        told: dict[int, str] = {}
        for line in lines:
            number, word = line.split()
            told[int(number)] = word
        with opened(place) as journal:
            with journal.reading() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
                batch = journal_batches.find(connection, name)
            assert batch is not None
            found = states(journal, batch)
            assert replayed(journal, batch) == held(journal, batch)
            for position, word in told.items():
                assert found[position].value in ({"sending", "running"} if word == "sending" else {"running"})
            assert found.count(State.SENDING) <= 4
            assert len(told) <= sum(state is not State.READY for state in found) <= len(told) + 4
            with journal.reading() as connection:
                runs = [row.run_id for row in journal_rows.stream(connection, batch, [State.RUNNING])]
            assert runs == [f"run_t{turn}_{n}" for n, state in enumerate(found) if state is State.RUNNING]
