"""The connection of our own: what it alone could get wrong, beside the guards that every way has to pass."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from dataclasses import replace

import pytest
from fault_server import (
    Behaviour,
    FaultServer,
    Peer,
    accepted,
    answers,
    certificate,
    message,
    stalls,
)
from test_runner_api_guards import run_of
from test_runner_api_table import BODY, KEY, PATH, Turn, one_start, route_to

from batchrun.core.answers import Fault, Seen
from batchrun.core.pacing import Connected
from batchrun.io.exchange_direct import Direct, address_of
from batchrun.io.runner_api import RunnerApi

PLAIN_AND_TLS = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])


def door_to(server: FaultServer, *, tls: bool = False, seconds: float = 5.0, origin: str = "") -> RunnerApi:
    route = route_to(origin or server.origin, seconds=seconds)
    return RunnerApi(replace(route, tls=certificate()[1] if tls else None), PATH)


@pytest.mark.parametrize("seed", range(4))
@PLAIN_AND_TLS
def test_a_server_that_cuts_and_garbles_at_random_never_makes_a_post_that_it_read_unsent(tls: bool, seed: int) -> None:
    dice = random.Random(seed)

    def wild() -> Behaviour:
        read = dice.choice([0, 1, 40, 200, 10_000])
        answer = bytearray(accepted())
        for _ in range(dice.randrange(3)):
            answer[dice.randrange(len(answer))] = dice.randrange(256)
        cut, how = dice.randrange(len(answer) + 1), dice.choice(["close", "fin", "reset", "stay"])

        async def behave(peer: Peer) -> None:
            await (peer.read_request() if read > 1000 else peer.read_bytes(read))
            await peer.send(bytes(answer[:cut]))
            if how != "stay":
                peer.end(how)
            elif read <= 1000:
                peer.end("close")

        return behave

    async def go() -> None:
        async with FaultServer(tls=tls) as server:
            door = door_to(server, tls=tls, seconds=0.3)
            for _ in range(50):
                server.post_bytes = 0
                server.plan = [wild()]
                server.at_accept = [dice.choice(["close", "reset"])] if dice.random() < 0.1 else []
                seen, writes = await one_start(door)
                assert writes <= 1
                assert seen.left or not server.post_bytes, seen
                assert seen.left or seen.status is None
            await door.aclose()

    asyncio.run(go())


def test_a_connection_that_is_closed_while_the_turn_is_awaited_carries_nothing_and_that_is_known() -> None:
    async def go() -> Seen:
        async with FaultServer() as server:
            server.at_accept = ["close"] * 9
            door = door_to(server)

            async def turn(_: Connected) -> None:
                await asyncio.sleep(0.02)

            seen = await door.start(BODY, turn)
            assert (server.post_bytes, server.connections) == (0, 3)
            await door.aclose()
            return seen

    seen = asyncio.run(go())
    assert (seen.left, seen.fault, seen.status) == (False, Fault.NOT_CONNECTED, None)


def test_connections_that_are_closed_one_after_the_other_while_the_turn_is_awaited_come_to_an_end() -> None:
    class Patient(Turn):
        """A turn that gives the other side time to close, each time it has looked."""

        async def __call__(self, connected: Connected) -> None:
            await asyncio.sleep(0.02)
            while not connected.lasts(0.0):
                await connected.renew()
                await asyncio.sleep(0.02)
            self.counted += 1

    async def go() -> tuple[Seen, int]:
        async with FaultServer() as server:
            server.at_accept = ["close"] * 99
            door, turn = door_to(server), Patient()
            seen = await door.start(BODY, turn)
            assert (server.post_bytes, server.connections) == (0, 3)
            await door.aclose()
            return seen, turn.counted

    seen, counted = asyncio.run(go())
    assert (seen.left, seen.fault, counted) == (False, Fault.NOT_CONNECTED, 0)


def test_a_connection_that_is_closed_while_the_turn_is_awaited_is_made_anew() -> None:
    async def go() -> None:
        async with FaultServer() as server:
            server.at_accept = ["close"]
            door = door_to(server)

            async def turn(_: Connected) -> None:
                await asyncio.sleep(0.02)

            assert run_of(await door.start(BODY, turn)) == "run_1"
            assert (server.posts, server.connections) == (1, 2)
            await door.aclose()

    asyncio.run(go())


def test_a_ticket_of_tls_that_waits_unread_costs_no_new_connection() -> None:
    """TLS 1.3 sends its tickets after the handshake: what waits to be read is then no sign of an end."""

    async def go() -> None:
        async with FaultServer(tls=True) as server:
            for _ in range(20):
                door = door_to(server, tls=True)

                async def turn(_: Connected) -> None:
                    await asyncio.sleep(0.002)

                assert run_of(await door.start(BODY, turn)) == "run_1"
                await door.aclose()
            assert server.connections == 20

    asyncio.run(go())


@PLAIN_AND_TLS
def test_a_long_body_arrives_whole(tls: bool) -> None:
    body = b'{"data":"' + bytes(random.Random(1).choices(b"abcdef", k=3_000_000)) + b'"}'

    async def big(peer: Peer) -> None:
        request = b""
        while not request.endswith(body[-20:]):
            request += await peer.read(1 << 16)
        assert request.partition(b"\r\n\r\n")[2] == body
        await peer.send(accepted())

    async def go() -> None:
        async with FaultServer(tls=tls) as server:
            server.plan = [big]
            door = door_to(server, tls=tls)

            async def turn(_: Connected) -> None: ...

            assert run_of(await door.start(body, turn)) == "run_1"
            await door.aclose()

    asyncio.run(go())


@PLAIN_AND_TLS
def test_a_request_that_the_server_does_not_take_in_ends_in_time_and_is_unknown(tls: bool) -> None:
    async def deaf(peer: Peer) -> None:
        await peer.read_bytes(10)
        await asyncio.sleep(1.0)
        peer.end("reset")

    async def go() -> Seen:
        async with FaultServer(tls=tls) as server:
            server.plan = [deaf]
            door = door_to(server, tls=tls, seconds=0.2)

            async def turn(_: Connected) -> None: ...

            seen = await door.start(b"x" * 20_000_000, turn)
            await door.aclose()
            return seen

    seen = asyncio.run(go())
    assert (seen.left, seen.fault) == (True, Fault.BROKEN)
    assert seen.detail == ("no answer came in time" if tls else "the request could not be written in time")


def test_an_answer_that_overtakes_its_request_is_kept_and_its_connection_is_not() -> None:
    """A proxy may refuse what is too large before it has read it."""

    async def refuses(peer: Peer) -> None:
        await peer.read_bytes(10)
        await peer.send(message(413, {"error": "too large"}))
        await asyncio.sleep(0.05)
        peer.end("reset")

    async def go() -> None:
        async with FaultServer() as server:
            server.plan = [refuses]
            door = door_to(server)

            async def turn(_: Connected) -> None: ...

            seen = await door.start(b"x" * 20_000_000, turn)
            assert (seen.status, seen.whole, seen.left) == (413, True, True)
            assert run_of((await one_start(door))[0]) == "run_1"
            assert server.connections == 2
            await door.aclose()

    asyncio.run(go())


@pytest.mark.parametrize("interim", [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_flood_of_what_comes_before_an_answer_ends_in_time(interim: bytes) -> None:
    """Where something has always come already, nothing is ever waited for, and so nothing came too late."""

    async def floods(peer: Peer) -> None:
        await peer.read_request()
        while True:
            await peer.send(interim * 1000)

    async def go() -> Seen:
        async with FaultServer() as server:
            server.plan = [floods]
            door = RunnerApi(replace(route_to(server.origin, seconds=0.2), write_seconds=0.2), PATH)
            async with asyncio.timeout(10):
                seen, _ = await one_start(door)
            await door.aclose()
            return seen

    seen = asyncio.run(go())
    assert (seen.status, seen.left, seen.fault, seen.detail) == (
        None,
        True,
        Fault.BROKEN,
        "the answer did not end in time",
    )


@pytest.mark.parametrize(("parting", "whole"), [(True, True), (False, False)], ids=["said goodbye", "cut off"])
def test_over_tls_an_answer_without_a_length_is_whole_only_after_a_goodbye(parting: bool, whole: bool) -> None:
    """Whoever stands between could cut a connection, and the answer would look whole."""

    async def until_it_closes(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"runId":"run_1"}')
        if parting:
            assert peer._tls is not None
            try:
                peer._tls.unwrap()
            except ssl.SSLError:
                await peer._flush_tls()
        peer.end("fin")

    async def go() -> Seen:
        async with FaultServer(tls=True) as server:
            server.plan = [until_it_closes]
            door = door_to(server, tls=True)
            seen, _ = await one_start(door)
            await door.aclose()
            return seen

    seen = asyncio.run(go())
    assert (seen.status, run_of(seen), seen.whole) == (200, "run_1", whole)


def test_a_certificate_of_another_name_is_refused() -> None:
    async def go() -> Seen:
        async with FaultServer(tls=True) as server:
            door = door_to(server, tls=True, origin=f"https://127.1:{server.port}")  # another name for the same place
            seen, writes = await one_start(door)
            assert (writes, server.post_bytes) == (0, 0)
            await door.aclose()
            return seen

    seen = asyncio.run(go())
    assert (seen.fault, seen.left) == (Fault.TLS_FAILED, False)
    assert "127.1" in seen.detail


def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there() -> None:
    async def go() -> Seen:
        async with FaultServer() as server:

            async def plain(peer: Peer) -> None:
                await peer.read(10)
                await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                peer.end("fin")

            server.usual = plain
            door = door_to(server, tls=True, origin=server.origin.replace("http", "https"))
            seen, writes = await one_start(door)
            assert writes == 0
            await door.aclose()
            return seen

    assert asyncio.run(go()).fault is Fault.TLS_FAILED


@PLAIN_AND_TLS
def test_a_cancellation_at_any_moment_leaves_no_connection_open(tls: bool) -> None:
    dice = random.Random(5)

    async def go() -> None:
        async with FaultServer(tls=tls) as server:
            server.usual = stalls()
            door = door_to(server, tls=tls)
            for _ in range(40):
                task = asyncio.ensure_future(one_start(door))
                await asyncio.sleep(dice.random() * 0.006)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                assert door._transport is None
            await asyncio.sleep(0.05)
            open_here = [one for one in asyncio.all_tasks() if "one_start" in repr(one)]
            assert not open_here

    asyncio.run(go())


@PLAIN_AND_TLS
def test_the_key_is_in_nothing_that_asyncio_logs(tls: bool, caplog: pytest.LogCaptureFixture) -> None:
    """asyncio shows transports and protocols in what it logs of a broken connection, most of all while it debugs."""
    caplog.set_level(logging.DEBUG)

    async def go() -> None:
        async with FaultServer(tls=tls) as server:
            server.plan = [answers(accepted()), answers(end="reset"), stalls(), answers(b"garbage", end="reset")]
            door = door_to(server, tls=tls, seconds=0.1)
            for _ in range(4):
                await one_start(door)
            await one_start(door)
            assert isinstance(door._transport, Direct)
            shown = repr(door._transport) + repr(vars(door._transport)) + repr(door._transport._wire)
            assert KEY.reveal() not in shown
            await door.aclose()

    asyncio.run(go(), debug=True)
    assert KEY.reveal() not in caplog.text


ADDRESSES = [
    ("https://run.rapidfolio.com", ("run.rapidfolio.com", 443, True, "run.rapidfolio.com", False)),
    ("https://run.rapidfolio.com:8443", ("run.rapidfolio.com", 8443, True, "run.rapidfolio.com:8443", False)),
    ("http://127.0.0.1:80", ("127.0.0.1", 80, False, "127.0.0.1", True)),
    ("http://[::1]:8080", ("::1", 8080, False, "[::1]:8080", True)),
    ("https://bücher.example", ("xn--bcher-kva.example", 443, True, "xn--bcher-kva.example", False)),
]


@pytest.mark.parametrize(("origin", "expected"), ADDRESSES, ids=[origin for origin, _ in ADDRESSES])
def test_an_origin_is_read_as_host_port_and_the_name_for_the_header(origin: str, expected: tuple[object, ...]) -> None:
    assert tuple(address_of(origin)) == expected


@pytest.mark.parametrize(
    "origin", ["https://", "https://a..b", "https://x:y", "https://me@host", "https://host/path", ""]
)
def test_what_is_no_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError):  # whatever it says, it is one
        address_of(origin)


def test_the_ipv6_address_of_this_machine_is_reached_where_it_has_one() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(accepted())
        writer.close()

    async def go() -> None:
        try:
            server = await asyncio.start_server(answer, "::1", 0)
        except OSError:
            pytest.skip("this machine has no IPv6")
        async with server:
            port = server.sockets[0].getsockname()[1]
            door = RunnerApi(route_to(f"http://[::1]:{port}"), PATH)
            assert run_of((await one_start(door))[0]) == "run_1"
            await door.aclose()

    asyncio.run(go())
