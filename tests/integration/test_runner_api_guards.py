"""The guards that whatever carries a payment has to pass: nothing twice, nothing mistaken, the key shown nowhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import httpcore
import httpx
import pytest
from fault_server import (
    Behaviour,
    FaultServer,
    Peer,
    accepted,
    answers,
    certificate,
    echoes,
    message,
    stalls,
    stray,
)
from test_runner_api_table import BODY, KEY, NOW, PATH, Turn, one_start, route_to
from ways import way

from batchrun.core.answers import Context, Fault, Seen, judge
from batchrun.core.lifecycle import Event
from batchrun.core.pacing import Connected
from batchrun.engine.gate import CalledOff
from batchrun.io import exchange, exchange_faults, exchange_proxied
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange import Route
from batchrun.io.exchange_direct import Direct
from batchrun.io.exchange_proxied import Proxied
from batchrun.io.runner_api import RunnerApi

__all__ = ["way"]

PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def route_of(server: FaultServer, *, tls: bool = False, seconds: float = 5.0) -> Route:
    return replace(route_to(server.origin, seconds=seconds), tls=certificate()[1] if tls else None)


def with_door(
    work: Callable[[RunnerApi, FaultServer], Awaitable[None]],
    *,
    tls: bool = False,
    idle: float | None = None,
    seconds: float = 5.0,
) -> FaultServer:
    async def go() -> FaultServer:
        async with FaultServer(tls=tls, idle=idle) as server:
            door = RunnerApi(route_of(server, tls=tls, seconds=seconds), PATH)
            async with asyncio.timeout(20):
                await work(door, server)
            await door.aclose()
        return server

    return asyncio.run(go())


def run_of(seen: Seen) -> str | None:
    return judge(seen, Context(NOW)).run_id


@PLAIN_AND_TLS
def test_a_connection_is_used_again_while_it_is_fresh(tls: bool) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        for _ in range(5):
            seen, _ = await one_start(door)
            assert run_of(seen) == "run_1"

    server = with_door(work, tls=tls)
    assert (server.connections, server.posts) == (1, 5)


@PLAIN_AND_TLS
@pytest.mark.parametrize("how", ["close", "fin", "reset"])
def test_a_second_post_on_a_used_connection_that_is_read_and_cut_off_is_sent_once(tls: bool, how: str) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [answers(accepted()), answers(end=how)]
        await one_start(door)
        seen, writes = await one_start(door)
        assert (server.posts, server.connections, writes) == (2, 1, 1)
        assert judge(seen, Context(NOW)).event is Event.DOUBT
        seen, _ = await one_start(door)
        assert run_of(seen) == "run_1"

    assert with_door(work, tls=tls).posts == 3


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [answers(message(status, headers=(f"Location: {server.origin}/elsewhere",)))]
        seen, _ = await one_start(door)
        assert (seen.status, seen.left) == (status, True)

    assert with_door(work).posts == 1


@PLAIN_AND_TLS
@pytest.mark.parametrize("late", [None, 0.0, 0.02], ids=["together", "at once", "later"])
@pytest.mark.parametrize(
    "more", [accepted("run_stray"), message(408, b""), b"HT"], ids=["stray 202", "stray 408", "half a word"]
)
def test_an_answer_that_nobody_asked_for_is_never_taken_for_the_next_one(
    tls: bool, late: float | None, more: bytes
) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [stray(accepted("run_a"), more, pause=late), answers(accepted("run_b"))]
        first, _ = await one_start(door)
        await asyncio.sleep(0.05 if late is not None else 0)
        second, _ = await one_start(door)
        assert (run_of(first), run_of(second)) == ("run_a", "run_b")

    server = with_door(work, tls=tls)
    assert (server.posts, server.connections) == (2, 2)


def test_no_post_uses_a_connection_that_was_idle_for_more_than_it_may() -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        await one_start(door)
        await asyncio.sleep(exchange.IDLE_SECONDS + 0.05)
        await one_start(door)

    assert with_door(work).connections == 2


@pytest.mark.parametrize("used_before", [True, False])
def test_a_connection_that_grew_stale_while_its_turn_was_awaited_is_made_anew(used_before: bool) -> None:
    """The turn at the socket may be long in coming, and a server may have closed the connection by then."""

    async def work(door: RunnerApi, server: FaultServer) -> None:
        if used_before:
            await one_start(door)
        before = server.connections
        turn = Turn(exchange.IDLE_SECONDS + 0.1)
        seen = await door.start(BODY, turn)
        assert (run_of(seen), turn.counted) == ("run_1", 1)
        assert server.connections - before == (1 if used_before else 2)

    assert with_door(work, idle=0.45).posts == (2 if used_before else 1)


@PLAIN_AND_TLS
def test_a_connection_that_is_closed_while_its_turn_is_awaited_brings_nothing_into_doubt(tls: bool) -> None:
    """It was fresh when it was taken, and it is still younger than it may be; but the server has gone."""

    async def work(door: RunnerApi, server: FaultServer) -> None:
        await one_start(door)
        turn = Turn(exchange.IDLE_SECONDS / 2)
        seen = await door.start(BODY, turn)
        assert (run_of(seen), turn.counted, server.connections) == ("run_1", 1, 2)

    assert with_door(work, tls=tls, idle=0.05).posts == 2


@PLAIN_AND_TLS
def test_a_send_that_is_called_off_at_its_socket_leaves_nothing_and_the_door_recovers(tls: bool) -> None:
    async def called_off(_: Connected) -> None:
        await asyncio.sleep(0)
        raise CalledOff

    async def work(door: RunnerApi, server: FaultServer) -> None:
        for used_before in (0, 1):
            with pytest.raises(CalledOff):
                await door.start(BODY, called_off)
            assert server.posts == used_before
            assert run_of((await one_start(door))[0]) is not None

    assert with_door(work, tls=tls).posts == 2


def test_a_server_that_closes_idle_connections_brings_nothing_into_doubt() -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        for gap in (0.0, 0.02, 0.08, 0.02, 0.08, 0.0, 0.08):
            await asyncio.sleep(gap)
            seen, _ = await one_start(door)
            assert run_of(seen) == "run_1"

    with_door(work, idle=0.05)


def random_behaviours(dice: random.Random) -> Behaviour:
    def late(seconds: float) -> Behaviour:
        async def behave(peer: Peer) -> None:
            await peer.read_request()
            await asyncio.sleep(seconds)
            answer = accepted(f"run_{len(peer.server.requests)}")
            place = dice.randrange(len(answer))
            await peer.send(answer[:place])
            await asyncio.sleep(seconds)
            await peer.send(answer[place:])

        return behave

    return late(dice.random() * 0.01)


@PLAIN_AND_TLS
def test_a_cancellation_at_any_moment_sends_nothing_twice_and_the_door_recovers(tls: bool) -> None:
    dice = random.Random(7)

    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.usual = random_behaviours(dice)
        for number in range(60):
            before = server.posts
            task = asyncio.ensure_future(one_start(door))
            await asyncio.sleep(dice.random() * 0.02)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert server.posts - before <= 1
            if number % 3 == 0:
                await asyncio.sleep(0.001)
                seen, writes = await one_start(door)
                assert run_of(seen) is not None
                assert (seen.whole, writes) == (True, 1)

    with_door(work, tls=tls)


def test_a_cancelled_reading_of_an_answer_leaves_no_connection_behind() -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [stalls(accepted()[:-4])]
        task = asyncio.ensure_future(one_start(door))
        while not server.posts:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert door._transport is None, "a pool that was cancelled can be stuck for ever"

    with_door(work)


def test_proxy_variables_mean_nothing_to_the_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")

    async def work(door: RunnerApi, server: FaultServer) -> None:
        seen, _ = await one_start(door)
        assert run_of(seen) == "run_1"

    with_door(work)


@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_a_key_that_the_server_sends_back_is_in_nothing_that_is_kept(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = KEY.reveal()

    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [echoes(status)]
        seen, _ = await one_start(door)
        assert secret.encode() in server.requests[0]
        assert seen.status == status
        assert secret not in repr(seen) + repr(judge(seen, Context(NOW)))

    with_door(work)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("batchrun")]
    assert not any(secret in text for text in ours)


@pytest.mark.parametrize("secret", ["rsk_sandbox_with\nnewline1", "rsk_sandbox_ünïcode", "rsk_sandbox_\x00null"])
def test_a_key_that_fits_no_header_is_in_no_exception_and_nothing_is_sent(secret: str) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        bad = RunnerApi(replace(route_of(server), key=ApiKey(secret, "a test")), PATH)
        seen, _ = await one_start(bad)
        await bad.aclose()
        assert secret not in repr(seen) and "rsk_" not in repr(seen)
        assert server.post_bytes == 0

    with_door(work)


def test_neither_key_nor_proxy_password_is_in_any_repr() -> None:
    route = replace(route_to("https://127.0.0.1"), proxy="http://user:hunter2@proxy.test:3128")
    door = RunnerApi(route, PATH)
    shown = repr(route) + str(route) + repr(door) + repr(door.__dict__)
    assert KEY.reveal() not in shown
    assert "hunter2" not in shown
    assert str(route) == "through the proxy proxy.test"


@pytest.mark.parametrize("run_id", ["run_ü", "run/../../x", "run\ud800", "a b?c#d", "run\r\nX: y"])
def test_a_run_id_of_any_shape_stays_one_part_of_the_path(run_id: str) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.usual = answers(message(404, {"error": "no such run"}))
        seen = await door.read(run_id)
        assert seen.status == 404
        line = server.requests[0].split(b"\r\n")[0].decode()
        assert line.startswith("GET /runs/")
        assert line.count("/") == 3
        assert line.count(" ") == 2

    with_door(work)


def test_a_reading_and_a_cancellation_go_where_the_api_wants_them() -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.usual = answers(message(200, {"id": "run_1", "status": "running"}))
        assert (await door.read("run_1")).status == 200
        assert (await door.cancel("run_1")).status == 200

    server = with_door(work)
    heads = [request.split(b"\r\n")[0] for request in server.requests]
    assert heads == [b"GET /runs/run_1 HTTP/1.1", b"POST /runs/run_1/cancel HTTP/1.1"]


def test_a_start_is_one_whole_request_with_the_bytes_it_was_given() -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        await one_start(door)

    (request,) = with_door(work).requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == BODY
    assert head.startswith(f"POST {PATH} HTTP/1.1\r\n".encode())
    lowered = head.lower()
    for line in (b"authorization: bearer rsk_sandbox_1234567890", b"content-type: application/json",
                 b"accept-encoding: identity", f"content-length: {len(BODY)}".encode()):  # fmt: skip
        assert line in lowered
    assert b"transfer-encoding" not in lowered


@pytest.mark.parametrize("seed", range(3))
def test_no_noise_on_the_wire_makes_the_door_raise(seed: int) -> None:
    """Whatever a server sends, an answer comes back; a worker that died would leave its row in doubt."""
    dice = random.Random(seed)

    def noise() -> bytes:
        whole = bytearray(accepted())
        for _ in range(dice.randrange(1, 12)):
            place = dice.randrange(len(whole))
            change = dice.randrange(3)
            if change == 0:
                whole[place] = dice.randrange(256)
            elif change == 1:
                del whole[place : place + dice.randrange(1, 9)]
            else:
                whole[place:place] = dice.randbytes(dice.randrange(1, 9))
        return bytes(whole)

    async def work(door: RunnerApi, server: FaultServer) -> None:
        for number in range(60):
            server.plan = [answers(noise(), end=dice.choice(["close", "fin", "reset"]))]
            seen, writes = await one_start(door)
            assert (seen.left, writes, server.posts) == (True, 1, number + 1)
            judge(seen, Context(NOW))

    with_door(work, seconds=0.5)


def test_a_server_that_says_goodbye_with_its_answer_is_connected_to_anew() -> None:
    async def parting(peer: Peer) -> None:
        await peer.read_request()
        assert peer._tls is not None
        peer._tls.write(accepted("run_a"))
        with contextlib.suppress(ssl.SSLError):
            peer._tls.unwrap()
        await peer._flush_tls()

    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [parting]
        assert [run_of((await one_start(door))[0]) for _ in range(2)] == ["run_a", "run_1"]

    server = with_door(work, tls=True)
    assert (server.posts, server.connections) == (2, 2)


def test_a_connection_whose_buffers_cannot_be_looked_into_is_not_used_again() -> None:
    assert not exchange_proxied.nothing_follows(httpx.Response(202))


def test_broken_records_of_tls_make_the_door_give_an_answer() -> None:
    async def garbled(peer: Peer) -> None:
        await peer.read_request()
        await peer._transmit(b"\x17\x03\x03\x00\x20" + b"x" * 32)

    async def work(door: RunnerApi, server: FaultServer) -> None:
        server.plan = [garbled]
        seen, _ = await one_start(door)
        assert (seen.left, seen.fault) == (True, Fault.BROKEN)
        seen, _ = await one_start(door)
        assert run_of(seen) == "run_1"

    with_door(work, tls=True)


# --- the transport itself is pinned: an upgrade has to pass all of the above before it carries money ---

PROVED = {"httpx": "0.28", "httpcore": "1.0", "h11": "0.16"}
MAPPED = {
    "CloseError", "ConnectError", "ConnectTimeout", "DecodingError", "HTTPStatusError", "LocalProtocolError",
    "NetworkError", "PoolTimeout", "ProtocolError", "ProxyError", "ReadError", "ReadTimeout", "RemoteProtocolError",
    "RequestError", "TimeoutException", "TooManyRedirects", "TransportError", "UnsupportedProtocol", "WriteError",
    "WriteTimeout",
}  # fmt: skip
PROOFS = {
    "ConnectError": Fault.NOT_CONNECTED,
    "ConnectTimeout": Fault.NOT_CONNECTED,
    "PoolTimeout": Fault.NOT_CONNECTED,
    "UnsupportedProtocol": Fault.BAD_URL,
    "ProxyError": Fault.PROXY_REFUSED,
}


def descendants(kind: type[Exception]) -> set[type[Exception]]:
    return {kind}.union(*(descendants(one) for one in kind.__subclasses__()))


@pytest.mark.parametrize("name", PROVED)
def test_the_library_is_of_the_version_on_which_the_guards_were_run(name: str) -> None:
    assert version(name).rsplit(".", 1)[0] == PROVED[name]
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    bounds = {"httpx": "httpx>=0.28.1,<0.29", "httpcore": "httpcore>=1.0.9,<1.1", "h11": "h11>=0.16,<0.17"}
    assert f'"{bounds[name]}"' in project


def test_the_library_has_no_exception_that_nobody_mapped() -> None:
    found = {kind.__name__ for kind in descendants(httpx.HTTPError) if kind.__module__.startswith("httpx")}
    assert found - {"HTTPError"} == MAPPED


def test_only_the_proved_exceptions_can_say_that_nothing_was_sent() -> None:
    for kind in descendants(httpx.TransportError):
        expected = PROOFS.get(kind.__name__, Fault.BROKEN)
        assert exchange_faults.classify(kind("x")) is expected, kind


def test_the_transport_that_ships_is_the_one_that_was_proved(way: str) -> None:
    async def work(door: RunnerApi, server: FaultServer) -> None:
        await one_start(door)
        if way == "shipped":
            assert type(door._transport) is Direct
            return
        assert type(door._transport) is Proxied
        transport = door._transport.transport
        assert type(transport) is httpx.AsyncHTTPTransport
        assert type(transport._pool) is httpcore.AsyncConnectionPool
        assert (transport._pool._max_connections, transport._pool._keepalive_expiry) == (1, 0.4)
        assert transport._pool._retries == 0
        assert transport._pool._http2 is False

    with_door(work)


CHOSEN = exchange.carrier_for  # before a test chooses


@pytest.mark.parametrize("proxy", [None, "", "http://127.0.0.1:9"])
def test_what_goes_through_a_proxy_goes_by_httpx_and_all_else_by_our_own_connection(proxy: str | None) -> None:
    async def chosen() -> object:
        return CHOSEN(replace(route_to("https://127.0.0.1"), proxy=proxy))

    assert type(asyncio.run(chosen())) is (Proxied if proxy else Direct)
