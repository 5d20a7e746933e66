"""The engine with the real journal and the real transport, against a server that does wrong at random."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter
from math import inf
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from fakes import FakeWatch
from fault_server import Behaviour, FaultServer, Peer, accepted, certificate, message
from journals import add_batch, held, opened, replayed
from test_runner_api_table import KEY
from ways import way

from batchrun.core.conduct import Policy, Stop
from batchrun.core.lifecycle import ENDED
from batchrun.engine.dispatch import Dispatcher
from batchrun.engine.follow import Follower
from batchrun.engine.gate import Gate
from batchrun.flows.clock import SystemClock
from batchrun.flows.engine_journal import EngineJournal
from batchrun.io import journal_rows
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_writer import JournalWriter
from batchrun.io.runner_api import RunnerApi
from batchrun.model import State

__all__ = ["way"]

PATH = "/v1/procedures/proc_pay/sandbox"


class Wild:
    """Answers each POST in a way that the dice choose, and keeps what really happened to each row."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.arrived: Counter[int] = Counter()
        self.runs: dict[int, str] = {}

    async def __call__(self, peer: Peer) -> None:
        if self.dice.random() < 0.05:
            await peer.read_bytes(self.dice.randrange(1, 150))
            peer.end(self.dice.choice(["close", "reset"]))
            return
        request = await peer.read_request()
        if request.startswith(b"GET"):
            await self._read(peer, request.split(b" ")[1].decode().rsplit("/", 1)[1])
            return
        number = int(json.loads(request.partition(b"\r\n\r\n")[2])["data"]["n"])
        await asyncio.sleep(self.dice.random() * 0.004)
        if self.dice.random() < 0.1:
            await peer.send(message(429, {"error": "slower"}, headers=("Retry-After: 0",)))
            return
        self.arrived[number] += 1
        if self.dice.random() < 0.1:
            await peer.send(message(self.dice.choice([500, 502, 503]), b"oops"))
            return
        self.runs[number] = f"run_{number}"
        await self._answer(peer, accepted(f"run_{number}"))

    async def _answer(self, peer: Peer, answer: bytes) -> None:
        if self.dice.random() < 0.15:
            await peer.send(answer[: self.dice.randrange(len(answer))])
            peer.end(self.dice.choice(["close", "reset", "fin"]))
            return
        await peer.send(answer)
        if self.dice.random() < 0.1:
            peer.end("close")

    async def _read(self, peer: Peer, run_id: str) -> None:
        if self.dice.random() < 0.1:
            peer.end("reset")
            return
        if run_id not in self.runs.values():
            await peer.send(message(404, {"error": "no such run"}))
            return
        await peer.send(message(200, {"id": run_id, "status": self.dice.choice(["running", "completed", "failed"])}))


class SwiftClock(SystemClock):
    """A clock by which pauses between readings pass a hundred times as fast."""

    def monotonic(self) -> float:
        return super().monotonic() * 100

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 100)


async def sending(journal: Journal, batch: Batch, server: FaultServer, *, tls: bool, workers: int) -> Stop | None:
    clock, watch = SwiftClock(), FakeWatch()
    writer = JournalWriter(journal, batch)
    route = Route(server.origin, KEY, certificate()[1] if tls else None, read_seconds=2.0, write_seconds=1.0)
    doors = [RunnerApi(route, PATH) for _ in range(workers + 3)]
    both = EngineJournal(writer)
    follower = Follower(both, doors[workers + 1 :], Gate(inf, clock), clock, watch)
    dispatcher = Dispatcher(
        both, doors[:workers], doors[workers], Gate(inf, clock), clock, watch, Policy(), on_open=follower.add
    )
    try:
        stop = await dispatcher.run()
        await follower.run()
        return stop
    finally:
        for door in doors:
            await door.aclose()
        await writer.close()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_each_row_arrives_at_most_once_and_is_in_the_state_that_really_holds(tmp_path: Path, tls: bool) -> None:
    rows, wild = 60, Wild(random.Random(3))

    async def go(journal: Journal, batch: Batch) -> Stop | None:
        async with FaultServer(tls=tls) as server, asyncio.timeout(30):
            server.usual = wild
            return await sending(journal, batch, server, tls=tls, workers=6)

    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, rows)
        assert asyncio.run(go(journal, batch)) is None
        assert replayed(journal, batch) == held(journal, batch)
        with journal.reading() as connection:
            found = list(journal_rows.stream(connection, batch))
    assert max(wild.arrived.values()) == 1
    for row in found:
        if row.run_id is not None:
            assert wild.runs[row.position] == row.run_id
            assert row.state in ENDED
        else:
            assert row.state is State.IN_DOUBT
    assert sum(row.state in ENDED for row in found) > rows / 2


def slow(seconds: float) -> Behaviour:
    async def behave(peer: Peer) -> None:
        number = int(json.loads((await peer.read_request()).partition(b"\r\n\r\n")[2])["data"]["n"])
        await asyncio.sleep(seconds)
        await peer.send(accepted(f"run_{number}"))

    return behave


def test_a_sender_that_is_cancelled_leaves_rows_sending_that_the_next_one_puts_in_doubt(tmp_path: Path) -> None:
    async def go(journal: Journal, batch: Batch) -> int:
        async with FaultServer() as server:
            server.usual = slow(60.0)
            task = asyncio.ensure_future(sending(journal, batch, server, tls=False, workers=3))
            while server.posts < 3:
                await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            return server.posts

    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 9)
        assert asyncio.run(go(journal, batch)) == 3
        assert [state for state, _ in held(journal, batch)] == [State.SENDING] * 3 + [State.READY] * 6
