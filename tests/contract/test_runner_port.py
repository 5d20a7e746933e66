"""The Runner as the engine sees it: the same tests over the scripted one and the one that speaks HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from fakes import EPOCH as NOW
from fakes import FakeApi, ScriptedRunner, in_turn
from fault_server import FaultServer, answers, closed_port, message, stalls

from batchrun.core.answers import Context, Fault, Seen, judge
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import Connected
from batchrun.core.readings import read
from batchrun.engine.ports import Runner
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange import Route
from batchrun.io.runner_api import RunnerApi

KEY = ApiKey("rsk_sandbox_1234567890", "a test")


@dataclass
class Api:
    """One side of the conversation: what it answers, and what it has heard."""

    runner: Runner
    heard: Callable[[], Sequence[bytes]]
    log: list[str] = field(default_factory=list)

    async def start(self, body: bytes = b'{"data":{}}') -> Seen:
        async def turn(_: Connected) -> None:
            self.log.append(f"turn after {len(self.heard())}")

        seen = await self.runner.start(body, turn)
        self.log.append(f"seen after {len(self.heard())}")
        return seen


JSON = {"content-type": "application/json"}
Scripted = tuple[int, bytes] | None


@asynccontextmanager
async def scripted(plan: list[Scripted], *, reachable: bool) -> AsyncIterator[Api]:
    gone = Seen(fault=Fault.NOT_CONNECTED, left=False, whole=False)
    seen = [Seen(part[0], JSON, part[1]) if part else Seen(fault=Fault.BROKEN, whole=False) for part in plan]
    api = FakeApi(start=in_turn(seen if reachable else [gone] * 9), latency=0.01)
    api.read = lambda _run_id, times: seen[times]
    yield Api(ScriptedRunner(api), lambda: api.bodies)


@asynccontextmanager
async def over_http(plan: list[Scripted], *, reachable: bool) -> AsyncIterator[Api]:
    async with FaultServer() as server:
        server.plan = [answers(message(*part)) if part else stalls() for part in plan]
        origin = server.origin if reachable else f"http://127.0.0.1:{closed_port()}"
        door = RunnerApi(Route(origin, KEY, None, read_seconds=0.3, write_seconds=0.3), "/v1/procedures/p/sandbox")
        try:
            yield Api(door, lambda: [one.partition(b"\r\n\r\n")[2] for one in server.requests if one[:4] == b"POST"])
        finally:
            await door.aclose()


@pytest.fixture(params=[scripted, over_http])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    def go(work: Callable[[Api], Awaitable[None]], *plan: Scripted, reachable: bool = True) -> None:
        async def inside() -> None:
            async with request.param(list(plan), reachable=reachable) as api:
                await work(api)

        asyncio.run(inside())

    return go


Run = Callable[..., None]
ACCEPTED = b'{"runId":"run_1","status":"running"}'


def test_the_turn_is_awaited_once_before_the_request_and_the_answer_comes_after(run: Run) -> None:
    async def work(api: Api) -> None:
        await api.start()
        await api.start()
        assert api.log == ["turn after 0", "seen after 1", "turn after 1", "seen after 2"]

    run(work, (202, ACCEPTED), (202, ACCEPTED))


def test_the_body_arrives_as_it_was_given(run: Run) -> None:
    async def work(api: Api) -> None:
        await api.start(b'{"data":{"amount":12.50}}')
        assert list(api.heard()) == [b'{"data":{"amount":12.50}}']

    run(work, (202, ACCEPTED))


@pytest.mark.parametrize("code", [200, 202, 400, 401, 408, 422, 429, 500, 504])
def test_an_answer_is_seen_whole(run: Run, code: int) -> None:
    async def work(api: Api) -> None:
        seen = await api.start()
        assert (seen.status, seen.body, seen.whole, seen.fault, seen.left) == (code, ACCEPTED, True, None, True)
        assert seen.headers["content-type"] == "application/json"

    run(work, (code, ACCEPTED))


def test_no_answer_is_a_doubt_and_not_an_exception(run: Run) -> None:
    async def work(api: Api) -> None:
        seen = await api.start()
        assert (seen.status, seen.fault, seen.left, seen.whole) == (None, Fault.BROKEN, True, False)
        assert judge(seen, Context(NOW)).event is Event.DOUBT

    run(work, None)


def test_an_api_that_nobody_reaches_takes_no_turn(run: Run) -> None:
    async def work(api: Api) -> None:
        seen = await api.start()
        assert (seen.fault, seen.left) == (Fault.NOT_CONNECTED, False)
        assert api.log == ["seen after 0"]

    run(work, reachable=False)


def test_a_reading_says_how_a_run_stands(run: Run) -> None:
    async def work(api: Api) -> None:
        assert read(await api.runner.read("run_1"), "run_1").event is Event.COMPLETED
        assert read(await api.runner.read("run_1"), "run_1").missing
        assert read(await api.runner.read("run_1"), "run_1").event is None

    run(work, (200, b'{"id":"run_1","status":"completed"}'), (404, b"{}"), None)


def test_a_cancelled_call_leaves_a_connection_that_can_be_used(run: Run) -> None:
    async def work(api: Api) -> None:
        task = asyncio.ensure_future(api.start())
        await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        assert judge(await api.start(), Context(NOW)).run_id == "run_1"

    run(work, None, (202, ACCEPTED))


def test_a_door_can_be_closed_twice_and_used_again(run: Run) -> None:
    async def work(api: Api) -> None:
        await api.runner.aclose()
        await api.start()
        await api.runner.aclose()
        await api.runner.aclose()
        assert (await api.start()).status == 202

    run(work, (202, ACCEPTED), (202, ACCEPTED))
