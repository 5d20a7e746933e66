"""One TCP or TLS connection as asyncio gives it: bytes out, bytes in, and what is known of its end."""

from __future__ import annotations

import asyncio
import select
import ssl
import sys
from typing import cast


class Lost(Exception):
    """The connection broke, or was closed without the goodbye that TLS demands."""


class Wire(asyncio.Protocol):
    """A connection. Whoever has it reads what came; what nobody reads makes it unfit for another request."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._held = b""
        self._ended = False  # in order
        self._lost = False
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._readable = _nothing_readable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out; asyncio calls this once TLS stands."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(1, 0)  # so that a pause of writing means bytes that have not left
        self._readable = _readable(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Hold what came until it is asked for."""
        self._held = self._held + data if self._held else data
        self._wake()

    def eof_received(self) -> None:
        """Note that the other side has said all; over TLS only with its goodbye, for anybody can close a connection."""
        self._ended = self._said_goodbye()
        self._lost = not self._ended
        self._wake()

    def _said_goodbye(self) -> bool:
        encrypted = cast(asyncio.Transport, self._transport).get_extra_info("ssl_object")
        try:
            return encrypted is None or encrypted.read(1) == b""
        except ssl.SSLError:  # it waits for more: asyncio itself makes no difference between the two
            return False

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end; what it was called does not matter, and its text might show too much."""
        del error
        self._lost = True
        self._wake()

    def pause_writing(self) -> None:
        """Note that bytes wait to leave."""
        self._paused = True

    def resume_writing(self) -> None:
        """Note that all bytes have left."""
        self._paused = False
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    @property
    def is_open(self) -> bool:
        """Tell whether a request may be written: nothing has come that nobody asked for, no end is in sight."""
        transport = self._transport
        sound = transport is not None and not (self._held or self._ended or self._lost or self._paused)
        return sound and not cast(asyncio.Transport, transport).is_closing()

    def is_quiet(self) -> bool:
        """Tell whether an open connection is so down to the system's own buffer, where a goodbye may wait unread."""
        return self.is_open and not self._readable()

    async def settle(self) -> None:
        """Let the loop take in what waits there: on a new connection it is often only a ticket of TLS."""
        # Windows hands what came to the loop before anybody can ask for it, so there the loop is always let round.
        if self.is_open and (self._readable() or sys.platform == "win32"):
            await asyncio.sleep(0)  # the loop looks at its sockets
            await asyncio.sleep(0)  # and calls who waits for them

    def write(self, data: bytes) -> None:
        """Hand a request's bytes over. From this call on nobody can say that none has left."""
        cast(asyncio.Transport, self._transport).write(data)

    async def written(self, until: float) -> None:
        """Wait until all bytes have left, or something comes; raise TimeoutError at `until`.

        Over TLS asyncio does not tell what still waits, so that the time for it is part of the time for an answer.
        """
        while self._paused and not (self._held or self._ended or self._lost):
            await self._wait(until)

    async def more(self, until: float) -> bytes:
        """Give what came next, b"" at an end in order; raise Lost, or TimeoutError at `until`."""
        while not self._held:
            if self._ended:
                return b""
            if self._lost:
                raise Lost
            await self._wait(until)
        data, self._held = self._held, b""
        return data

    async def _wait(self, until: float) -> None:
        self._waiter = waiter = self._loop.create_future()
        timer = self._loop.call_at(until, _give_up, waiter)
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def abort(self) -> None:
        """Close at once, without waiting for anybody."""
        if self._transport is not None:
            self._transport.abort()


def _give_up(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_exception(TimeoutError())


def _nothing_readable() -> bool:
    return False


class _readable:  # noqa: N801  # it is called like a function, and keeps its question ready
    """Ask the system whether something waits to be read: the loop learns of it only when it comes round."""

    __slots__ = ("_descriptor", "_poll")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll() if hasattr(select, "poll") else None
        if self._poll is not None:
            self._poll.register(descriptor, select.POLLIN)

    def __call__(self) -> bool:
        if self._poll is not None:
            return bool(self._poll.poll(0))
        return bool(select.select([self._descriptor], [], [], 0)[0])
