"""The gate: never above the rate in any window, never far below it, and no send held up at its socket for long."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import pytest
from fakes import FakeClock, Sound, virtually

from batchrun.engine.gate import Gate


def writes(
    rate: float, senders: int, seconds: float, between: Callable[[int], float]
) -> tuple[list[float], list[float]]:
    """Send for some time; `between` is how long the n-th send takes from its turn to its socket.

    Gives the moments of the writes, and how long each was held up at its socket.
    """

    async def go() -> tuple[list[float], list[float]]:
        clock = FakeClock()
        gate = Gate(rate, clock)
        times: list[float] = []
        held: list[float] = []
        turns = 0

        async def send() -> None:
            nonlocal turns
            while clock.monotonic() < seconds and await gate.turn():
                turns += 1
                await asyncio.sleep(between(turns))
                came = clock.monotonic()
                await gate.write(Sound())
                times.append(clock.monotonic())
                held.append(times[-1] - came)
                await asyncio.sleep(0.02)

        await asyncio.gather(*(send() for _ in range(senders)))
        return times, held

    return virtually(go)


def most_in_a_window(times: list[float], span: float = 1.0) -> int:
    return max(sum(1 for time in times[index:] if time < start + span) for index, start in enumerate(times))


DELAYS: dict[str, Callable[[int], float]] = {
    "none": lambda _: 0.0,
    "commit": lambda _: 0.004,
    "handshake": lambda _: 0.08,
    "random": lambda number: random.Random(number).choice([0.0, 0.01, 0.3, 1.1]),
    "stalls": lambda number: 3.0 if number % 10 == 3 else 0.01,
}


@pytest.mark.parametrize("delays", DELAYS)
@pytest.mark.parametrize("rate", [1.0, 5.0, 25.0, 100.0])
def test_in_no_window_of_a_second_do_more_leave_than_the_rate_allows(rate: float, delays: str) -> None:
    times, _ = writes(rate, 8, 20.0, DELAYS[delays])
    assert most_in_a_window(times, 0.999_999) <= rate


@pytest.mark.parametrize(("rate", "span"), [(0.5, 2.0), (1 / 60, 60.0), (2.5, 0.8)])
def test_slow_rates_hold_in_their_own_windows(rate: float, span: float) -> None:
    times, _ = writes(rate, 4, 300.0, DELAYS["random"])
    assert most_in_a_window(times, span * 0.999_999) <= max(1, int(rate * span + 0.001))


@pytest.mark.parametrize("delays", ["none", "commit", "handshake"])
@pytest.mark.parametrize("rate", [1.0, 5.0, 50.0])
def test_the_rate_is_reached(rate: float, delays: str) -> None:
    times, _ = writes(rate, 8, 60.0, DELAYS[delays])
    assert len(times) / 60 >= rate * 0.975


@dataclass
class Aging:
    """A connection that a server closes when it was idle for 0.4 s, and that takes its time to be opened."""

    clock: FakeClock
    handshake: Callable[[], float]
    renewed: int = 0
    used_at: float = -inf

    def lasts(self, seconds: float) -> bool:
        return self.clock.monotonic() + seconds - self.used_at <= 0.4

    async def renew(self) -> None:
        self.renewed += 1
        await asyncio.sleep(self.handshake())
        self.used_at = self.clock.monotonic()


def writes_on_connections(
    rate: float, senders: int, seconds: float, handshakes: Sequence[float]
) -> tuple[list[float], int]:
    """Send for some time on connections that age; give the moments of the writes, and how often one was renewed."""

    async def go() -> tuple[list[float], int]:
        clock = FakeClock()
        gate = Gate(rate, clock)
        times: list[float] = []

        async def send(connection: Aging) -> None:
            while clock.monotonic() < seconds and await gate.turn():
                if not connection.lasts(0.0):
                    await connection.renew()
                await gate.write(connection)
                assert connection.lasts(0.0)
                times.append(clock.monotonic())
                connection.used_at = clock.monotonic()

        dice = random.Random(senders)
        connections = [Aging(clock, lambda: dice.choice(handshakes)) for _ in range(senders)]
        await asyncio.gather(*map(send, connections))
        return times, sum(one.renewed for one in connections)

    return virtually(go)


@pytest.mark.parametrize(("handshakes", "used"), [((0.05, 0.3), 0.97), ((0.05, 0.3, 0.3, 1.1), 0.8)])
@pytest.mark.parametrize("senders", [2, 8, 32])
@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0, 100.0])
def test_a_send_is_counted_when_it_leaves_however_long_its_connection_takes(
    rate: float, senders: int, handshakes: Sequence[float], used: float
) -> None:
    """One that was counted, and then had to open another connection, would leave among those counted later."""
    times, renewed = writes_on_connections(rate, senders, 30.0, handshakes)
    assert most_in_a_window(times, 0.999_999) <= rate
    assert renewed <= 2 * len(times) + senders
    if rate <= senders:
        assert len(times) / 30 >= rate * used


def test_the_first_send_is_no_burst() -> None:
    times, _ = writes(5.0, 8, 3.0, DELAYS["none"])
    assert most_in_a_window(times, 0.19) == 1


@pytest.mark.parametrize("rate", [1.0, 5.0, 1 / 60])
def test_one_slow_connection_does_not_hold_up_all_that_come_after_it_at_their_sockets(rate: float) -> None:
    """A held-up request stands on an open connection, which the server may close meanwhile: then it is in doubt."""
    _, held = writes(rate, 8, 60 / rate, lambda number: 3.0 if number == 2 else 0.01)
    assert sum(one > 0.4 for one in held) <= 8
    assert max(held[-10:]) <= 0.4


def test_many_slow_connections_do_not_add_up() -> None:
    times, held = writes(5.0, 8, 120.0, DELAYS["stalls"])
    assert sum(one > 0.4 for one in held) <= len(held) / 10
    assert len(times) / 120 >= 4.5


def test_a_closed_gate_gives_no_turn_and_those_that_wait_hear_of_it_soon() -> None:
    async def go() -> tuple[list[bool], float]:
        clock = FakeClock()
        gate = Gate(1 / 3600, clock)
        assert await gate.turn()
        waiting = [asyncio.ensure_future(gate.turn()) for _ in range(4)]
        await asyncio.sleep(100.0)
        gate.closed = True
        return await asyncio.gather(*waiting), clock.monotonic()

    turns, at = virtually(go)
    assert turns == [False] * 4
    assert at < 101.0


def test_without_a_rate_nobody_waits_until_the_pace_is_slowed_down() -> None:
    async def go() -> list[float]:
        clock = FakeClock()
        gate = Gate(inf, clock)
        moments = []
        for number in range(60):
            if number == 50:
                gate.pace.slow_down(clock.monotonic(), 5.0)
            assert await gate.turn()
            await gate.write(Sound())
            moments.append(clock.monotonic())
        return moments

    moments = virtually(go)
    assert moments[49] < 0.001
    assert moments[50] >= 5.0
