"""Each line of the design's table of answers, from the socket to the verdict, on the transport that ships."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from fault_server import (
    ACCEPTED as RUN,
)
from fault_server import (
    Behaviour,
    FaultServer,
    accepted,
    answers,
    certificate,
    chunk,
    chunked,
    closed_port,
    cut_answer,
    cut_request,
    message,
    packed,
    silent_port,
    stalls,
    trickles,
)
from ways import way

from batchrun.core.answers import Context, Effect, Fault, Seen, Verdict, judge
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import Connected
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange import Route
from batchrun.io.runner_api import RunnerApi

__all__ = ["way"]

KEY = ApiKey("rsk_sandbox_1234567890", "a test")
PATH = "/v1/procedures/proc_pay/sandbox"
BODY = b'{"data":{"amount":12.50},"control":{"executionMode":"async"}}'
NOW = datetime(2026, 10, 1, tzinfo=UTC)
HTML = message(200, b"<html><body>Please log in</body></html>", kind="text/html")
PROBLEM = {"error": "amount must be positive"}


class Exchange:
    """One start over real sockets: what was seen, and what the server had read when it was over."""

    def __init__(self, seen: Seen, writes: int, server: FaultServer) -> None:
        self.seen = seen
        self.writes = writes
        self.posts = server.posts
        self.post_bytes = server.post_bytes

    def verdict(self, *, accepted_before: bool = False) -> Verdict:
        return judge(self.seen, Context(NOW, accepted_before=accepted_before))


def route_to(origin: str, *, seconds: float = 5.0) -> Route:
    return Route(origin, KEY, None, read_seconds=seconds, write_seconds=seconds / 2, connect_seconds=seconds)


@dataclass
class Turn:
    """A turn that may be long in coming, and looks at the connection when it comes, as the gate does."""

    seconds: float = 0.0
    counted: int = 0

    async def __call__(self, connected: Connected) -> None:
        seconds, self.seconds = self.seconds, 0.0
        if seconds:
            await asyncio.sleep(seconds)
        while not connected.lasts(0.0):
            await connected.renew()
        self.counted += 1


async def one_start(door: RunnerApi) -> tuple[Seen, int]:
    turn = Turn()
    async with asyncio.timeout(10):
        return await door.start(BODY, turn), turn.counted


def exchange(behaviour: Behaviour, *, seconds: float = 5.0) -> Exchange:
    async def go() -> Exchange:
        async with FaultServer() as server:
            server.plan = [behaviour]
            door = RunnerApi(route_to(server.origin, seconds=seconds), PATH)
            seen, writes = await one_start(door)
            await door.aclose()
            return Exchange(seen, writes, server)

    return asyncio.run(go())


ANSWERS: list[tuple[str, bytes, Event, Effect, str | None]] = [
    ("202", accepted(), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("200 done", message(200, RUN | {"status": "completed", "output": {}}), Event.COMPLETED, Effect.GOES_ON, "run_1"),
    ("200 review", message(200, RUN | {"status": "awaiting_review"}), Event.AWAITING_REVIEW, Effect.GOES_ON, "run_1"),
    ("504 with a run", message(504, RUN | {"status": "timeout", "error": "x"}), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("500 with a run", message(500, RUN), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("cut 202", message(202, {**RUN, "more": "…"})[:-3], Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("429", message(429, PROBLEM, headers=("Retry-After: 7",)), Event.NOT_RECEIVED, Effect.SLOWS, None),
    ("408", message(408, PROBLEM), Event.DOUBT, Effect.DOUBT, None),
    ("409", message(409, PROBLEM), Event.DOUBT, Effect.DOUBT, None),
    ("425", message(425, PROBLEM), Event.DOUBT, Effect.DOUBT, None),
    ("400 in JSON", message(400, PROBLEM), Event.REFUSED, Effect.REFUSAL, None),
    ("422 in JSON", message(422, PROBLEM), Event.REFUSED, Effect.REFUSAL, None),
    ("400 in HTML", message(400, b"<p>no</p>", kind="text/html"), Event.NOT_RECEIVED, Effect.STOPS, None),
    ("413 in HTML", message(413, b"<p>no</p>", kind="text/html"), Event.REFUSED, Effect.REFUSAL, None),
    *[
        (str(status), message(status, PROBLEM), Event.NOT_RECEIVED, Effect.STOPS, None)
        for status in (401, 402, 403, 404, 405, 415, 451, 418)
    ],
    *[
        (str(status), message(status, headers=("Location: /elsewhere",)), Event.DOUBT, Effect.STOPS, None)
        for status in (301, 302, 303, 307, 308)
    ],
    *[(str(status), message(status, PROBLEM), Event.DOUBT, Effect.DOUBT, None) for status in (500, 502, 503, 504)],
    ("504 of a proxy", message(504, b"<h1>Gateway</h1>", kind="text/html"), Event.DOUBT, Effect.DOUBT, None),
    ("200 in HTML", HTML, Event.DOUBT, Effect.DOUBT, None),
    ("202 without a run", message(202, {"status": "running"}), Event.DOUBT, Effect.DOUBT, None),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", Event.DOUBT, Effect.DOUBT, None),
    ("101", b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", Event.DOUBT, Effect.DOUBT, None),
    ("100 first", b"HTTP/1.1 100 Continue\r\n\r\n" + accepted(), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("103 first", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + accepted(), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", Event.DOUBT, Effect.DOUBT, None),
    ("nothing", b"", Event.DOUBT, Effect.DOUBT, None),
    ("too short a length", message(202, RUN, length=30), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("shorter than the run id", message(202, RUN, length=12), Event.DOUBT, Effect.DOUBT, None),
    ("too long a length", message(202, RUN, length=5000), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("two lengths", message(202, RUN, headers=("Content-Length: 3",)), Event.DOUBT, Effect.DOUBT, None),
    ("bad late chunk", chunked(chunk(b'{"runId":"run_1",'), b"zz\r\nxx"), Event.RUNNING, Effect.GOES_ON, "run_1"),
    ("missing last chunk", chunked(chunk(b'{"runId":"run_1"}')), Event.RUNNING, Effect.GOES_ON, "run_1"),
    (
        "gzip",
        message(202, packed(b'{"runId":"run_1","status":"running"}'), headers=("Content-Encoding: gzip",)),
        Event.RUNNING, Effect.GOES_ON, "run_1",
    ),
    (
        "deflate",
        message(202, zlib.compress(b'{"runId":"run_1","status":"running"}'), headers=("Content-Encoding: deflate",)),
        Event.RUNNING, Effect.GOES_ON, "run_1",
    ),
    (
        "cut gzip",
        message(202, packed(b'{"runId":"run_1","status":"running"}')[:-9], headers=("Content-Encoding: gzip",)),
        Event.RUNNING, Effect.GOES_ON, "run_1",
    ),
    (
        "broken gzip",
        message(202, b"\x1f\x8b\x08" + b"\xff" * 30, headers=("Content-Encoding: gzip",)),
        Event.DOUBT, Effect.DOUBT, None,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "event", "effect", "run_id"), [case[1:] for case in ANSWERS], ids=[c[0] for c in ANSWERS]
)
def test_an_answer_on_the_wire_means_what_the_table_says(
    answer: bytes, event: Event, effect: Effect, run_id: str | None
) -> None:
    done = exchange(answers(answer, end="fin"))
    verdict = done.verdict()
    assert (verdict.event, verdict.effect, verdict.run_id) == (event, effect, run_id)
    assert done.seen.left
    assert (done.posts, done.writes) == (1, 1)


def test_another_4xx_after_an_acceptance_leaves_the_row_in_doubt() -> None:
    done = exchange(answers(message(418, PROBLEM)))
    assert done.verdict(accepted_before=True).event is Event.DOUBT


def test_the_wait_of_a_429_comes_through() -> None:
    assert exchange(answers(message(429, headers=("Retry-After: 7",)))).verdict().wait == 7.0


def test_what_the_api_says_of_a_refusal_comes_through() -> None:
    assert "amount must be positive" in str(exchange(answers(message(422, PROBLEM))).verdict().error)


@pytest.mark.parametrize("how", ["close", "reset", "fin"])
def test_a_connection_that_ends_before_an_answer_leaves_the_row_in_doubt(how: str) -> None:
    done = exchange(answers(end=how))
    assert (done.seen.left, done.seen.fault, done.verdict().event) == (True, Fault.BROKEN, Event.DOUBT)


def test_an_answer_that_never_begins_ends_at_the_read_timeout() -> None:
    done = exchange(stalls(), seconds=0.1)
    assert (done.seen.detail, done.verdict().event) == ("no answer came in time", Event.DOUBT)


def test_an_answer_that_stops_in_the_middle_keeps_its_status_and_its_run() -> None:
    done = exchange(stalls(accepted()[:-2]), seconds=0.1)
    assert (done.seen.status, done.seen.whole, done.verdict().run_id) == (202, False, "run_1")


def test_a_trickle_ends_at_the_deadline_and_keeps_its_run() -> None:
    answer = message(202, RUN, length=1 << 20)
    done = exchange(trickles(answer, len(answer) - 1, gap=0.02), seconds=0.1)
    assert (done.seen.status, done.seen.whole, done.verdict().run_id) == (202, False, "run_1")
    assert done.seen.detail == "the answer did not end in time"


def test_an_endless_row_of_1xx_ends_at_the_deadline() -> None:
    done = exchange(answers(*[b"HTTP/1.1 102 Processing\r\n\r\n"] * 500, gap=0.01), seconds=0.1)
    assert (done.seen.status, done.verdict().event) == (None, Event.DOUBT)


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchrun.io.exchange.LONGEST_BODY", 100_000)
    done = exchange(answers(message(202, b'{"runId":"run_1",' + b" " * 300_000)))
    assert (done.seen.whole, done.verdict().run_id) == (False, "run_1")
    assert len(done.seen.body) < 200_000


def never_reached(connect: Callable[[], Awaitable[tuple[Seen, int]]]) -> Seen:
    async def go() -> tuple[Seen, int]:
        return await connect()

    seen, writes = asyncio.run(go())
    assert (seen.left, seen.status, writes) == (False, None, 0)
    return seen


async def start_at(origin: str, **changes: Any) -> tuple[Seen, int]:
    door = RunnerApi(replace(route_to(origin), **changes), PATH)
    try:
        return await one_start(door)
    finally:
        await door.aclose()


def meaning(seen: Seen) -> tuple[Event, Effect]:
    verdict = judge(seen, Context(NOW, accepted_before=True))
    return verdict.event, verdict.effect


def test_a_refused_connection_proves_that_nothing_was_sent() -> None:
    seen = never_reached(lambda: start_at(f"http://127.0.0.1:{closed_port()}"))
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.UNREACHED)


def test_a_name_that_is_not_known_proves_that_nothing_was_sent() -> None:
    seen = never_reached(lambda: start_at("http://no-such-host.invalid"))
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.UNREACHED)


def test_a_connection_that_is_not_made_in_time_proves_that_nothing_was_sent() -> None:
    async def connect() -> tuple[Seen, int]:
        async with silent_port() as port:
            return await start_at(f"http://127.0.0.1:{port}", connect_seconds=0.1)

    assert meaning(never_reached(connect)) == (Event.NOT_RECEIVED, Effect.UNREACHED)


def test_a_certificate_that_is_not_trusted_stops_the_batch_with_nothing_sent() -> None:
    import ssl

    async def connect() -> tuple[Seen, int]:
        async with FaultServer(tls=True) as server:
            route = replace(route_to(server.origin), tls=ssl.create_default_context())
            door = RunnerApi(route, PATH)
            result = await one_start(door)
            await door.aclose()
            assert server.post_bytes == 0
            return result

    seen = never_reached(connect)
    assert (seen.fault, meaning(seen)) == (Fault.TLS_FAILED, (Event.NOT_RECEIVED, Effect.STOPS))


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_tls_handshake_that_is_broken_off_proves_that_nothing_was_sent(how: str) -> None:
    async def connect() -> tuple[Seen, int]:
        async with FaultServer(tls=True) as server:
            server.at_accept = [how]
            route = replace(route_to(server.origin), tls=certificate()[1])
            door = RunnerApi(route, PATH)
            result = await one_start(door)
            await door.aclose()
            return result

    assert meaning(never_reached(connect))[0] is Event.NOT_RECEIVED


def test_https_without_a_context_of_ours_is_verified_all_the_same() -> None:
    async def connect() -> tuple[Seen, int]:
        async with FaultServer(tls=True) as server:
            door = RunnerApi(route_to(server.origin), PATH)
            result = await one_start(door)
            await door.aclose()
            return result

    assert never_reached(connect).fault is Fault.TLS_FAILED


@pytest.mark.parametrize("origin", ["ftp://127.0.0.1", "http://127.0.0.1:99999", "nonsense", "http://[::1"])
def test_an_address_that_is_none_stops_the_batch_with_nothing_sent(origin: str) -> None:
    seen = never_reached(lambda: start_at(origin))
    assert (seen.fault, meaning(seen)) == (Fault.BAD_URL, (Event.NOT_RECEIVED, Effect.STOPS))


@pytest.mark.parametrize("how", ["close", "reset", "fin"])
def test_no_request_of_which_a_byte_was_read_ever_counts_as_not_sent(how: str) -> None:
    async def go() -> None:
        async with FaultServer() as server:
            door = RunnerApi(route_to(server.origin), PATH)
            await one_start(door)
            whole = len(server.requests[0])
            for count in range(1, whole + 1):
                server.post_bytes = 0
                server.plan = [cut_request(count, how)]
                seen, _ = await one_start(door)
                assert server.post_bytes == count
                assert seen.left
                assert judge(seen, Context(NOW)).event is Event.DOUBT
            await door.aclose()

    asyncio.run(go())


@pytest.mark.parametrize("how", ["close", "reset", "fin"])
def test_an_answer_cut_at_any_byte_gives_its_status_and_its_run_as_soon_as_they_are_whole(how: str) -> None:
    answer = accepted()
    status_at = answer.index(b"\r\n\r\n") + 4
    run_at = answer.index(b'"run_1"') + len(b'"run_1"')

    async def go() -> None:
        async with FaultServer() as server:
            door = RunnerApi(route_to(server.origin), PATH)
            for count in range(len(answer) + 1):
                server.plan = [cut_answer(answer, count, how)]
                seen, _ = await one_start(door)
                verdict = judge(seen, Context(NOW))
                lost = how == "reset"  # a reset may overtake what was sent before it
                assert verdict.event in (Event.RUNNING, Event.DOUBT)
                if count < run_at:
                    assert (verdict.event, verdict.run_id) == (Event.DOUBT, None)
                elif not lost:
                    assert (verdict.event, verdict.run_id) == (Event.RUNNING, "run_1")
                if count >= status_at and not lost:
                    assert seen.status == 202
                    assert seen.body == answer[status_at:count]
                assert seen.whole is (seen.fault is None)
            assert server.posts == len(answer) + 1
            await door.aclose()

    asyncio.run(go())
