"""The engine's ports without a world: a journal in memory, a Runner that follows a script, and time that never waits.

`virtually` runs a coroutine on a loop whose clock jumps: sleeping takes no time, and a loop in which everybody waits
for nothing raises at once, so that a lost wake-up is a failure and not a test that hangs.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from batchrun.core import lifecycle
from batchrun.core.answers import Fault, Seen, Verdict
from batchrun.core.lifecycle import API_EVENTS, ENDED, OPEN, Event
from batchrun.engine.ports import BeforeWrite, OpenRun, Outgoing, Recorded
from batchrun.model import State

T = TypeVar("T")
EPOCH = datetime(2026, 10, 1, tzinfo=UTC)


class Hang(AssertionError):
    """Everybody waits, and nothing will ever happen."""


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting, moves the loop's clock on."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found:
            return found
        if timeout is None:
            raise Hang("every task waits for another")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time passes only where everybody sleeps."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtually(work: Callable[[], Coroutine[Any, Any, T]], *, most: float = 1e7) -> T:
    """Run to the end in virtual time; raise Hang where there is none."""

    async def bounded() -> T:
        async with asyncio.timeout(most):
            return await work()

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(bounded())


class FakeClock:
    """The loop's own time; chance is what it was told to be."""

    def __init__(self, chance: float = 0.5) -> None:
        self._chance = chance

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    def chance(self) -> float:
        return self._chance

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 1e-6))  # as with a real clock, no sleep is so short that no time passes


@dataclass
class FakeRow:
    """One row of the journal in memory."""

    position: int
    state: State = State.READY
    run_id: str | None = None
    output: object = None
    error: str | None = None


@dataclass
class FakeJournal:
    """SenderJournal and FollowerJournal in memory, by the same table of states.

    `taken` holds positions whose key another batch has; `failing` is raised by the steps that it names, once each.
    """

    rows: list[FakeRow] = field(default_factory=list)
    seconds: float = 0.0
    taken: set[int] = field(default_factory=set)
    failing: Callable[[str, int], BaseException | None] = lambda _what, _position: None
    events: list[tuple[int, Event, State, State]] = field(default_factory=list)
    most_sending: int = 0
    log: list[tuple[str, int]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    _run_ids: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, count: int, **parts: Any) -> FakeJournal:
        """Make a journal of so many ready rows."""
        return cls([FakeRow(position) for position in range(count)], **parts)

    def states(self) -> list[State]:
        return [row.state for row in self.rows]

    async def ready(self, after: int, limit: int) -> Sequence[Outgoing]:
        await asyncio.sleep(self.seconds)
        found = [row for row in self.rows if row.state is State.READY and row.position > after]
        return [Outgoing(row.position, row.position + 2, b"{%d}" % row.position) for row in found[:limit]]

    async def intend(self, position: int, at: datetime) -> Recorded:
        await self._write("intend", position)
        return self._intend(position)

    async def record(self, position: int, verdict: Verdict, status: int | None, at: datetime) -> Recorded:
        await self._write("record", position)
        return self._record(position, verdict)

    async def record_and_intend(
        self, position: int, verdict: Verdict, status: int | None, at: datetime, ahead: int
    ) -> tuple[Recorded, Recorded]:
        await asyncio.sleep(self.seconds)
        steps = [("record", position), ("intend", ahead)]
        for step in steps:  # all or nothing, as a commit is
            error = self.failing(*step)
            if error is not None:
                raise error
        self.log.extend(steps)
        return self._record(position, verdict), self._intend(ahead)

    def _intend(self, position: int) -> Recorded:
        recorded = self._step(position, Event.KEY_TAKEN if position in self.taken else Event.INTENT)
        self.most_sending = max(self.most_sending, sum(row.state is State.SENDING for row in self.rows))
        return recorded

    def _record(self, position: int, verdict: Verdict) -> Recorded:
        run_id = verdict.run_id
        if run_id is not None and self._run_ids.setdefault(run_id, position) != position:
            return self._step(position, Event.DOUBT, known_run=True)
        return self._step(position, verdict.event, run_id, verdict.output, verdict.error)

    async def open_runs(self) -> Sequence[OpenRun]:
        await asyncio.sleep(self.seconds)
        followed = (State.PENDING, State.RUNNING)
        return [OpenRun(row.position, str(row.run_id), row.state) for row in self.rows if row.state in followed]

    async def follow(
        self,
        position: int,
        event: Event,
        output: object,
        error: str | None,
        finished_at: datetime | None,
        at: datetime,
        *,
        version_id: str | None = None,
        expected: State | None = None,
    ) -> Recorded:
        await self._write("follow", position)
        if version_id is not None:
            self.versions.setdefault(version_id, position)
        if expected not in (None, self.rows[position].state):
            return Recorded(self.rows[position].state, moved=False)
        return self._step(position, event, None, output, error)

    async def _write(self, what: str, position: int) -> None:
        await asyncio.sleep(self.seconds)
        error = self.failing(what, position)
        if error is not None:
            raise error
        self.log.append((what, position))

    def _step(
        self,
        position: int,
        event: Event,
        run_id: str | None = None,
        output: object = None,
        error: str | None = None,
        *,
        known_run: bool = False,
    ) -> Recorded:
        row = self.rows[position]
        if not lifecycle.may(row.state, event):
            return Recorded(row.state, moved=False)
        before, row.state = row.state, lifecycle.step(row.state, event)
        row.run_id = (run_id or row.run_id) if row.state in OPEN or row.state in ENDED else None
        row.output, row.error = output, error
        self.events.append((position, event, before, row.state))
        return Recorded(row.state, known_run=known_run)


Script = Callable[[int, bytes], Seen | Awaitable[Seen]]


@dataclass
class FakeApi:
    """What all the scripted connections of one test share: what came, when, and what is answered.

    `start` is given the number of the request (from 0) and its body; `read` the run id and how often it was read.
    """

    start: Script = lambda number, _body: accepted(f"run_{number}")
    read: Callable[[str, int], Seen | Awaitable[Seen]] = lambda run_id, _times: reading(run_id, "completed")
    latency: float = 0.05
    connect: float = 0.0
    bodies: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    reads: list[tuple[float, str]] = field(default_factory=list)
    used: set[int] = field(default_factory=set)  # the connections that carried something
    most_at_once: int = 0
    at_once: int = 0

    def runners(self, count: int) -> list[ScriptedRunner]:
        return [ScriptedRunner(self) for _ in range(count)]


class Sound:
    """A connection that always lasts."""

    def lasts(self, seconds: float) -> bool:
        return True

    async def renew(self) -> None:
        raise AssertionError("it lasts")


class ScriptedRunner:
    """One connection of the scripted API; not for two calls at once, like the real one."""

    def __init__(self, api: FakeApi) -> None:
        self._api = api
        self._busy = False

    async def start(self, body: bytes, before_write: BeforeWrite) -> Seen:
        return await self._one_at_a_time(self._start(body, before_write))

    async def read(self, run_id: str) -> Seen:
        return await self._one_at_a_time(self._read(run_id))

    async def aclose(self) -> None:
        return None

    async def _one_at_a_time(self, work: Coroutine[Any, Any, Seen]) -> Seen:
        if self._busy:
            work.close()
            raise AssertionError("one connection was given two calls at once")
        self._busy = True
        self._api.used.add(id(self))
        self._api.at_once += 1
        self._api.most_at_once = max(self._api.most_at_once, self._api.at_once)
        try:
            return await work
        finally:
            self._busy = False
            self._api.at_once -= 1

    async def _start(self, body: bytes, before_write: BeforeWrite) -> Seen:
        api = self._api
        await asyncio.sleep(api.connect)
        number = len(api.bodies)
        answer = api.start(number, body)
        if isinstance(answer, Seen) and not answer.left:
            await asyncio.sleep(api.latency)
            return answer
        await before_write(Sound())
        api.bodies.append(body)
        api.times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(api.latency + number * 1e-7)  # of two answers the earlier request's comes first
        return answer if isinstance(answer, Seen) else await answer

    async def _read(self, run_id: str) -> Seen:
        api = self._api
        times = sum(1 for _, read in api.reads if read == run_id)
        api.reads.append((asyncio.get_running_loop().time(), run_id))
        await asyncio.sleep(api.latency)
        answer = api.read(run_id, times)
        return answer if isinstance(answer, Seen) else await answer


@dataclass
class FakeWatch:
    """Remembers what it was told."""

    steps: list[tuple[int, State | None, State]] = field(default_factory=list)
    waits: list[tuple[str, float]] = field(default_factory=list)

    def stepped(self, position: int, before: State | None, after: State) -> None:
        self.steps.append((position, before, after))

    def waiting(self, reason: str, seconds: float) -> None:
        self.waits.append((reason, seconds))


JSON = {"content-type": "application/json"}


def accepted(run_id: str, word: str = "running") -> Seen:
    """Give the documented 202."""
    return Seen(202, JSON, b'{"runId":"%s","status":"%s"}' % (run_id.encode(), word.encode()))


def status(code: int, body: bytes = b'{"error":"no"}', **headers: str) -> Seen:
    """Give an answer with a status."""
    return Seen(code, {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}, body)


def doubtful() -> Seen:
    """Give a connection that broke when the request had left."""
    return Seen(fault=Fault.BROKEN, whole=False, detail="the connection broke")


def unreached() -> Seen:
    """Give a connection that was never made."""
    return Seen(fault=Fault.NOT_CONNECTED, whole=False, left=False, detail="nobody listens")


def reading(run_id: str, word: str, version: str | None = None) -> Seen:
    """Give a whole reading of a run."""
    told = b"" if version is None else b',"procedureVersionId":"%s"' % version.encode()
    return Seen(200, JSON, b'{"id":"%s","status":"%s"%s}' % (run_id.encode(), word.encode(), told))


def in_turn(answers: Iterable[Seen], then: Callable[[int], Seen] | None = None) -> Script:
    """Answer with each in turn, then with accepted runs."""
    left = list(answers)
    rest = then or (lambda number: accepted(f"run_{number}"))
    return lambda number, _body: left.pop(0) if left else rest(number)


def events_after(state: State) -> list[Event]:
    """Give the events that the table holds for a state."""
    return [event for event in Event if lifecycle.may(state, event)]


__all__ = [
    "API_EVENTS",
    "FakeApi",
    "FakeClock",
    "FakeJournal",
    "FakeRow",
    "FakeWatch",
    "Hang",
    "ScriptedRunner",
    "virtually",
]
