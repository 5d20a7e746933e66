"""A proxy on the way: CONNECT is not the request, and a proxy that refuses is not an API that may have heard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from fault_server import (
    Behaviour,
    FaultServer,
    Peer,
    accepted,
    answers,
    certificate,
    closed_port,
    cut_request,
    message,
    trickles,
    tunnels,
)
from test_runner_api_table import BODY, NOW, PATH, Turn, one_start, route_to

from batchrun.core.answers import Context, Effect, Fault, Seen, judge
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import Connected
from batchrun.io import exchange
from batchrun.io.runner_api import RunnerApi


def through(
    proxy: Behaviour, *plan: Behaviour, seconds: float = 5.0, name: Callable[[int], str] = "http://127.0.0.1:{}".format
) -> tuple[Seen, int, FaultServer]:
    """Send one POST to an https origin through a proxy that is the other end as well."""

    async def go() -> tuple[Seen, int, FaultServer]:
        async with FaultServer(proxy=proxy) as server:
            server.plan = list(plan)
            route = route_to("https://127.0.0.1:8443", seconds=seconds)
            door = RunnerApi(replace(route, tls=certificate()[1], proxy=name(server.port)), PATH)
            seen, writes = await one_start(door)
            await door.aclose()
            return seen, writes, server

    return asyncio.run(go())


def meaning(seen: Seen) -> tuple[Event, Effect]:
    verdict = judge(seen, Context(NOW, accepted_before=True))
    return verdict.event, verdict.effect


def test_a_post_goes_through_a_tunnel_and_its_turn_is_awaited_once() -> None:
    seen, writes, server = through(tunnels())
    assert (meaning(seen)[0], writes, server.posts) == (Event.RUNNING, 1, 1)
    assert [request.split(b" ")[0] for request in server.requests] == [b"CONNECT", b"POST"]


def test_the_turn_is_awaited_when_the_tunnel_stands_just_before_the_post() -> None:
    log: list[str] = []

    async def proxy(peer: Peer) -> None:
        await tunnels()(peer)
        log.append("tunnel")

    async def api(peer: Peer) -> None:
        await peer.read_request()
        log.append("post")
        await peer.send(accepted())

    async def go() -> None:
        async with FaultServer(proxy=proxy) as server:
            server.usual = api
            route = replace(route_to("https://127.0.0.1:8443"), tls=certificate()[1])
            door = RunnerApi(replace(route, proxy=f"http://127.0.0.1:{server.port}"), PATH)

            async def turn(_: Connected) -> None:
                await asyncio.sleep(0.01)
                log.append("turn")

            await door.start(BODY, turn)
            await door.start(BODY, turn)
            await door.aclose()
            assert server.connections == 1

    asyncio.run(go())
    assert log == ["tunnel", "turn", "post", "turn", "post"]


@pytest.mark.parametrize("status", [302, 400, 403, 407, 429, 500, 502, 503, 504])
def test_a_proxy_that_refuses_proves_that_nothing_was_sent(status: int) -> None:
    seen, writes, server = through(tunnels(status))
    assert (seen.fault, seen.left, writes, server.post_bytes) == (Fault.PROXY_REFUSED, False, 0, 0)
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.STOPS)
    assert str(status) in seen.detail
    assert seen.route == "through the proxy 127.0.0.1"


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_a_proxy_that_hangs_up_on_connect_proves_that_nothing_was_sent(how: str) -> None:
    seen, writes, server = through(tunnels(how=how))
    assert (seen.left, writes, server.post_bytes) == (False, 0, 0)
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.UNREACHED)


@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_a_tunnel_that_breaks_before_tls_stands_proves_that_nothing_was_sent(how: str) -> None:
    async def proxy(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        peer.end(how)

    seen, writes, _ = through(proxy)
    assert (seen.left, writes) == (False, 0)
    assert meaning(seen)[0] is Event.NOT_RECEIVED


@pytest.mark.parametrize(
    "proxy",
    [tunnels(after=3.0), trickles(b"HTTP/1.1 200 OK\r\nX: ", 10, gap=0.02)],
    ids=["silent", "trickling"],
)
def test_a_proxy_that_never_answers_ends_in_time_and_nothing_was_sent(proxy: Behaviour) -> None:
    seen, writes, server = through(proxy, seconds=0.15)
    assert (seen.left, writes, server.post_bytes) == (False, 0, 0)
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.UNREACHED)


@pytest.mark.parametrize("count", [1, 4, 60, 300])
def test_a_post_of_which_the_tunnel_let_a_byte_through_is_in_doubt(count: int) -> None:
    seen, writes, server = through(tunnels(), cut_request(count, "close"))
    assert server.post_bytes >= count
    assert (seen.left, writes) == (True, 1)
    assert meaning(seen)[0] is Event.DOUBT


def test_a_proxy_that_is_down_proves_that_nothing_was_sent() -> None:
    dead = closed_port()
    seen, writes, _ = through(tunnels(), name=lambda _port: f"http://127.0.0.1:{dead}")
    assert (seen.left, writes) == (False, 0)
    assert meaning(seen) == (Event.NOT_RECEIVED, Effect.UNREACHED)


@pytest.mark.parametrize(
    "address",
    ["socks5://127.0.0.1:9", "gopher://127.0.0.1:9", "http://[::1", "http://127.0.0.1:99999", "http://:pass word@x:1"],
)
def test_a_proxy_whose_address_cannot_be_used_stops_the_batch_with_nothing_sent(address: str) -> None:
    seen, writes, server = through(tunnels(), name=lambda _port: address)
    assert (seen.left, writes, server.connections) == (False, 0, 0)
    assert meaning(seen)[0] is Event.NOT_RECEIVED
    assert "pass word" not in repr(seen)


def test_a_proxy_without_a_scheme_is_an_http_proxy_as_everywhere() -> None:
    seen, _, _ = through(tunnels(), name="127.0.0.1:{}".format)
    assert meaning(seen)[0] is Event.RUNNING


def test_a_tunnel_that_grew_stale_while_its_turn_was_awaited_is_made_anew() -> None:
    async def go() -> None:
        async with FaultServer(proxy=tunnels()) as server:
            route = replace(route_to("https://127.0.0.1:8443"), tls=certificate()[1])
            door = RunnerApi(replace(route, proxy=f"http://127.0.0.1:{server.port}"), PATH)

            turn = Turn(exchange.IDLE_SECONDS + 0.05)
            seen = await door.start(BODY, turn)
            await door.aclose()
            assert (meaning(seen)[0], server.posts, server.connections, turn.counted) == (Event.RUNNING, 1, 2, 1)

    asyncio.run(go())


def test_a_plain_proxy_has_the_post_itself_and_its_answer_counts() -> None:
    """To a plain origin a proxy is no tunnel: it reads the POST, so that its refusals are answers."""

    async def go() -> tuple[Seen, int, FaultServer]:
        async with FaultServer() as server:
            server.plan = [answers(message(502, b"no"))]
            route = replace(route_to("http://127.0.0.1:1"), proxy=f"http://127.0.0.1:{server.port}")
            door = RunnerApi(route, PATH)
            seen, writes = await one_start(door)
            await door.aclose()
            return seen, writes, server

    seen, writes, server = asyncio.run(go())
    assert (seen.left, writes, server.posts) == (True, 1, 1)
    assert meaning(seen)[0] is Event.DOUBT
