"""The door to the Human Review API over real sockets: what leaves, what is seen of the answer, and what it means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fault_server import (
    Behaviour,
    FaultServer,
    answers,
    certificate,
    closed_port,
    cut_answer,
    cut_request,
    echoes,
    message,
    stalls,
    tunnels,
)
from ways import way

from batchrun.core.answers import Fault, Seen
from batchrun.core.review_answers import DecisionOutcome, judge_decision
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange import Route
from batchrun.io.review_api import ReviewApi

__all__ = ["way"]

KEY = ApiKey("reviewer_key_1234567890", "a test")
BODY = json.dumps(
    {"approved": True, "outputs": {"amount": 12.5}, "idempotencyKey": "0b6f0c1e-6a52-4d5e-8f57-0a4b8f1f3f6f"}
).encode()
NOW = datetime(2026, 10, 1, tzinfo=UTC)
TAKEN = message(200, {"success": True})
OUT = DecisionOutcome


def route_to(origin: str, *, seconds: float = 5.0) -> Route:
    return Route(origin, KEY, None, read_seconds=seconds, write_seconds=seconds / 2, connect_seconds=seconds)


def with_door(
    work: Callable[[ReviewApi, FaultServer], Awaitable[None]], *, tls: bool = False, seconds: float = 5.0
) -> FaultServer:
    async def go() -> FaultServer:
        async with FaultServer(tls=tls) as server:
            route = replace(route_to(server.origin, seconds=seconds), tls=certificate()[1] if tls else None)
            door = ReviewApi(route)
            async with asyncio.timeout(20):
                await work(door, server)
            await door.aclose()
        return server

    return asyncio.run(go())


def one_decision(behaviour: Behaviour, *, seconds: float = 5.0) -> Seen:
    found: list[Seen] = []

    async def work(door: ReviewApi, server: FaultServer) -> None:
        server.plan = [behaviour]
        found.append(await door.decide("run_1", BODY))

    assert with_door(work, seconds=seconds).posts <= 1, "a decision is sent once a call"
    return found[0]


def meaning(seen: Seen) -> tuple[DecisionOutcome, bool]:
    verdict = judge_decision(seen, NOW)
    return verdict.outcome, verdict.may_have_arrived


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_a_decision_is_one_whole_request_with_the_reviewers_key(tls: bool) -> None:
    async def work(door: ReviewApi, server: FaultServer) -> None:
        server.usual = answers(TAKEN)
        assert meaning(await door.decide("run_1", BODY)) == (OUT.ACCEPTED, True)

    (request,) = with_door(work, tls=tls).requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(b"POST /api/runner-proxy/review/run_1 HTTP/1.1\r\n")
    lines = head.lower().split(b"\r\n")
    for line in (b"authorization: bearer reviewer_key_1234567890", b"content-type: application/json",
                 b"accept-encoding: identity", f"content-length: {len(BODY)}".encode()):  # fmt: skip
        assert line in lines
    assert sum(line.startswith(b"authorization") for line in lines) == 1


@pytest.mark.parametrize("run_id", ["run_ü", "run/../../x", "run\ud800", "a b?c#d", "run\r\nX: y", "..", "."])
def test_a_run_id_of_any_shape_stays_one_part_of_the_path(run_id: str) -> None:
    async def work(door: ReviewApi, server: FaultServer) -> None:
        server.usual = answers(message(404, {"error": "no such run"}))
        assert meaning(await door.decide(run_id, BODY)) == (OUT.NOT_WAITING, False)

    (request,) = with_door(work).requests
    line = request.split(b"\r\n")[0].decode()
    assert line.startswith("POST /api/runner-proxy/review/")
    assert (line.count("/"), line.count(" ")) == (5, 2)
    assert not line.endswith("/ HTTP/1.1")


def test_one_connection_carries_decision_after_decision() -> None:
    async def work(door: ReviewApi, server: FaultServer) -> None:
        server.usual = answers(TAKEN)
        for number in range(5):
            assert meaning(await door.decide(f"run_{number}", BODY)) == (OUT.ACCEPTED, True)

    server = with_door(work)
    assert (server.connections, server.posts) == (1, 5)


PAGE = b"<html>Please log in</html>"
ANSWERS: list[tuple[str, bytes, DecisionOutcome, bool]] = [
    ("200", TAKEN, OUT.ACCEPTED, True),
    ("200 in HTML", message(200, PAGE, kind="text/html"), OUT.AGAIN, True),
    ("200 that denies it", message(200, {"success": False}), OUT.AGAIN, True),
    ("cut 200", message(200, {"success": True}, length=500), OUT.AGAIN, True),
    ("204", b"HTTP/1.1 204 No Content\r\n\r\n", OUT.AGAIN, True),
    ("404", message(404, {"error": "Run not found"}), OUT.NOT_WAITING, False),
    ("cut 404", message(404, {"error": "Run not found"})[:-5], OUT.NOT_WAITING, False),
    ("404 in HTML", message(404, PAGE, kind="text/html"), OUT.STOP, True),
    ("409", message(409, {"error": "decided"}), OUT.CONFLICT, False),
    ("422", message(422, {"error": "rejectionReason is required"}), OUT.REFUSED, False),
    ("413 in HTML", message(413, PAGE, kind="text/html"), OUT.REFUSED, False),
    ("429", message(429, {}, headers=("Retry-After: 7",)), OUT.SLOW, False),
    *[(str(status), message(status, {"error": "no"}), OUT.STOP, False) for status in (401, 402, 403, 405, 415, 451)],
    *[(str(status), message(status, {"error": "no"}), OUT.AGAIN, True) for status in (408, 425, 500, 502, 503, 504)],
    ("no HTTP", b"SSH-2.0-OpenSSH_9.6\r\n", OUT.AGAIN, True),
    ("nothing", b"", OUT.AGAIN, True),
]


@pytest.mark.parametrize(
    ("answer", "outcome", "may_have_arrived"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS]
)
def test_an_answer_on_the_wire_means_what_the_table_says(
    answer: bytes, outcome: DecisionOutcome, may_have_arrived: bool
) -> None:
    seen = one_decision(answers(answer, end="fin"))
    assert meaning(seen) == (outcome, may_have_arrived)
    assert seen.left


def test_the_wait_of_a_429_and_the_words_of_a_refusal_come_through() -> None:
    slow = one_decision(answers(message(429, headers=("Retry-After: 7",))))
    assert judge_decision(slow, NOW).wait == 7.0
    refused = one_decision(answers(message(422, {"error": "rejectionReason is required"})))
    assert "rejectionReason is required" in str(judge_decision(refused, NOW).message)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    async def work(door: ReviewApi, server: FaultServer) -> None:
        server.usual = answers(message(status, headers=(f"Location: {server.origin}/elsewhere",)))
        seen = await door.decide("run_1", BODY)
        assert (seen.status, meaning(seen)) == (status, (OUT.STOP, True))
        assert f"{server.origin}/elsewhere" in str(judge_decision(seen, NOW).message)

    assert len(with_door(work).requests) == 1


@pytest.mark.parametrize("how", ["close", "fin"])
def test_an_answer_cut_at_any_byte_keeps_its_status_and_only_a_whole_one_is_an_acceptance(how: str) -> None:
    status_at = TAKEN.index(b"\r\n\r\n") + 4

    async def work(door: ReviewApi, server: FaultServer) -> None:
        for count in range(len(TAKEN) + 1):
            server.plan = [cut_answer(TAKEN, count, how)]
            seen = await door.decide("run_1", BODY)
            assert seen.status == (200 if count >= status_at else None)
            assert meaning(seen) == (OUT.ACCEPTED if count == len(TAKEN) else OUT.AGAIN, True)

    assert with_door(work).posts == len(TAKEN) + 1


def test_a_decision_of_which_a_byte_was_read_may_have_arrived() -> None:
    for count in (1, 40, 250):
        assert meaning(one_decision(cut_request(count, "reset"))) == (OUT.AGAIN, True)


def test_an_answer_that_never_begins_may_be_sent_again_with_the_same_key() -> None:
    seen = one_decision(stalls(), seconds=0.1)
    assert (meaning(seen), seen.detail) == ((OUT.AGAIN, True), "no answer came in time")


@pytest.mark.parametrize("status", [200, 401, 422, 500])
def test_a_key_that_the_server_sends_back_is_in_nothing_that_is_seen_or_told(status: int) -> None:
    seen = one_decision(echoes(status))
    assert seen.status == status
    assert "[key]" in repr(seen)
    assert KEY.reveal() not in repr(seen) + repr(judge_decision(seen, NOW))


def test_the_key_is_in_no_repr_of_the_door() -> None:
    door = ReviewApi(route_to("https://127.0.0.1"))
    assert KEY.reveal() not in repr(door) + repr(door.__dict__)


async def decided_at(route: Route) -> Seen:
    door = ReviewApi(route)
    try:
        return await door.decide("run_1", BODY)
    finally:
        await door.aclose()


def test_a_review_api_that_nobody_reaches_proves_that_nothing_arrived() -> None:
    seen = asyncio.run(decided_at(route_to(f"http://127.0.0.1:{closed_port()}")))
    assert (seen.fault, seen.left, meaning(seen)) == (Fault.NOT_CONNECTED, False, (OUT.AGAIN, False))


@pytest.mark.parametrize("origin", ["nonsense", "ftp://127.0.0.1", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_stops_every_decision(origin: str) -> None:
    seen = asyncio.run(decided_at(route_to(origin)))
    assert (seen.fault, meaning(seen)) == (Fault.BAD_URL, (OUT.STOP, False))


def test_a_certificate_that_is_not_trusted_stops_every_decision_before_a_byte_has_left() -> None:
    async def go() -> None:
        async with FaultServer(tls=True) as server:
            seen = await decided_at(route_to(server.origin))
            assert (seen.fault, meaning(seen)) == (Fault.TLS_FAILED, (OUT.STOP, False))
            assert server.post_bytes == 0

    asyncio.run(go())


def test_a_proxy_that_refuses_stops_every_decision_before_a_byte_has_left() -> None:
    async def go() -> None:
        async with FaultServer(proxy=tunnels(407)) as server:
            route = replace(route_to("https://127.0.0.1:8443"), tls=certificate()[1])
            seen = await decided_at(replace(route, proxy=f"http://127.0.0.1:{server.port}"))
            assert (seen.fault, meaning(seen)) == (Fault.PROXY_REFUSED, (OUT.STOP, False))
            assert server.post_bytes == 0

    asyncio.run(go())
