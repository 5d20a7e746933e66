"""One exchange over a connection of our own: the way wherever no proxy stands between.

A request has left once its bytes were handed to the connection, and before that call they were nowhere but here: so
"not sent" needs no proof by exceptions. The call stands at one place, right after the last look at the connection.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import re
import socket
import ssl
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from batchrun.core.answers import Fault
from batchrun.core.pacing import LOOK_AHEAD
from batchrun.io.exchange_answer import Answer, Broken, TooLong
from batchrun.io.exchange_progress import (
    BODY_SENT,
    HEADER_ARRIVED,
    HEADER_STARTED,
    IDLE_SECONDS,
    Going,
    Outcome,
    Progress,
    Route,
    headers_of,
)
from batchrun.io.exchange_wire import Lost, Wire

HAPPY_EYEBALLS = 0.25
TRIES = 3
# What came while this process stood still is an answer still, however late it is read; but a server may see to it that
# something has always come. So many pieces hold all that may come before an answer's status, and the longest answer.
OVERTIME = (4, 100)
CLOSED_AGAIN = "the connection was closed again, before anything was sent"
LATE_ANSWER, LATE_END = "no answer came in time", "the answer did not end in time"
_IN_A_TARGET = re.compile(r"[!-~]+")
_IN_A_HEADER = re.compile(r"[!-~](?:[ -~]*[!-~])?")


class _BadAddress(Exception):
    """The address is none, or the key fits into no header."""


class _NotOpened(Exception):
    """No connection could be made, or each was closed again before a byte was written. The text is for people."""


class _Late(Exception):
    """Something did not come in time. The text is for people."""


class Address(NamedTuple):
    """Where an origin is; `stated` is how a header names it."""

    host: str
    port: int
    encrypted: bool
    stated: str
    is_number: bool


@functools.lru_cache(maxsize=16)
def address_of(origin: str) -> Address:
    """Read an origin. Raise ValueError where it is none."""
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None or parts.path:
        raise ValueError("no origin")
    encrypted = parts.scheme == "https"
    usual = 443 if encrypted else 80
    try:
        is_number = bool(ipaddress.ip_address(parts.hostname))
    except ValueError:
        is_number = False
    host = parts.hostname if is_number else parts.hostname.encode("idna").decode("ascii")
    named = f"[{host}]" if ":" in host else host
    port = usual if parts.port is None else parts.port
    return Address(host, port, encrypted, named if port == usual else f"{named}:{port}", is_number)


class Direct:
    """One connection at a time to one origin; not for two exchanges at once."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._loop = asyncio.get_running_loop()
        self._wire: Wire | None = None
        self._idle_since = 0.0
        self._closed = 0  # how often in a row the other side closed it before a byte was written

    async def aclose(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._drop()
            await asyncio.sleep(0)  # asyncio closes a socket when its loop comes round

    def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.abort()

    async def carry(self, method: str, path: str, body: bytes | None, progress: Progress) -> Outcome:
        """Carry one request there and its answer back, into `progress`."""
        try:
            request = self._request(method, path, body)
            wire = await self._ready(progress)
            await progress.trace(HEADER_STARTED, {"request": Going(method.encode())})
            progress.left = True
            wire.write(request)
            progress.reusable = await self._answered(wire, method, progress)
            self._idle_since = self._loop.time()
        except (_BadAddress, ssl.SSLError, _NotOpened, _Late, TooLong, Broken, Lost) as error:
            return _outcome(error)
        return Outcome()

    async def _ready(self, progress: Progress) -> Wire:
        """Give an open connection, with the turn in hand. Between this and the write nothing may be awaited."""
        for _ in range(TRIES):
            self._closed = 0
            if not self.lasts(0.0):
                await self.renew()
            await progress.take_turn(self)
            if self._wire is not None and self.lasts(0.0):  # a turn that comes at once has asked for no look
                return self._wire
        raise _NotOpened(CLOSED_AGAIN)

    def lasts(self, seconds: float) -> bool:
        """Tell whether the connection is quiet, and was of use so lately that the server will still have it then."""
        wire = self._wire
        fresh = self._loop.time() + seconds - self._idle_since <= IDLE_SECONDS
        return fresh and wire is not None and wire.is_quiet()

    async def renew(self) -> None:
        """Open another connection, unless this one lasts once the loop has taken in what came on it."""
        if self._wire is not None:
            await self._wire.settle()
            if self.lasts(LOOK_AHEAD):
                return
            self._closed += not self._wire.is_quiet()
            self._drop()
        if self._closed >= TRIES:
            raise _NotOpened(CLOSED_AGAIN)
        self._wire = await self._connected()
        self._idle_since = self._loop.time()

    async def _connected(self) -> Wire:
        try:
            async with asyncio.timeout(self._route.connect_seconds):
                return await self._opened(address_of(self._route.origin))
        except TimeoutError:
            raise _NotOpened("no connection could be made in time") from None
        except ssl.SSLError:
            raise
        except OSError as error:
            raise _NotOpened(_words(error)) from None
        except (ValueError, OverflowError):  # a name or a port that only the system knows to be none
            raise _BadAddress from None

    async def _opened(self, address: Address) -> Wire:
        _, wire = await self._loop.create_connection(
            Wire,
            address.host,
            address.port,
            ssl=_context(self._route) if address.encrypted else None,
            server_hostname=address.host if address.encrypted else None,
            happy_eyeballs_delay=None if address.is_number else HAPPY_EYEBALLS,
        )
        return wire

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        try:
            address = address_of(self._route.origin)
        except ValueError:
            raise _BadAddress from None
        headers = headers_of(self._route, body)
        if not _IN_A_HEADER.fullmatch(headers["Authorization"]):
            raise _BadAddress
        target = path if _IN_A_TARGET.fullmatch(path) else quote(path, safe="/%!$&'()*+,;=:@-._~?")
        lines = [f"{method} {target} HTTP/1.1", f"Host: {address.stated}", *map(": ".join, headers.items())]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join((*lines, "", "")).encode("ascii") + (body or b"")

    async def _answered(self, wire: Wire, method: str, progress: Progress) -> bool:
        """Take the answer to its end; tell whether the connection may carry another exchange."""
        began = self._loop.time()
        try:
            await wire.written(began + self._route.write_seconds)
        except TimeoutError:
            raise _Late("the request could not be written in time") from None
        await progress.trace(BODY_SENT, {})
        answer = Answer(method, progress.longest_body)
        # An answer that trickles outlives every read timeout, so the whole exchange has an end of its own.
        end = began + self._route.write_seconds + self._route.read_seconds
        overtime = 0
        while not answer.complete:
            overtime += self._loop.time() >= end
            if overtime > OVERTIME[answer.status is not None]:
                raise _Late(LATE_END)
            data = await self._more(wire, end)
            is_first = answer.status is None
            try:
                answer.feed(data)
            finally:
                progress.status, progress.headers, progress.body = answer.status, answer.headers, answer.body
            if is_first and answer.status is not None:
                await progress.trace(HEADER_ARRIVED, {})
        return answer.reusable and wire.is_open

    async def _more(self, wire: Wire, end: float) -> bytes:
        patience = self._loop.time() + self._route.read_seconds
        try:
            return await wire.more(min(patience, end))
        except TimeoutError:
            raise _Late(LATE_ANSWER if patience <= end else LATE_END) from None


@functools.lru_cache(maxsize=1)
def _usual_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _context(route: Route) -> ssl.SSLContext:
    context = route.tls or _usual_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _words(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return "the name of its server is not known here"
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    return f"no connection could be made ({error.strerror or 'it was closed again'})"


def _outcome(error: Exception) -> Outcome:
    """Say what broke an exchange, in words of ours: the library's might quote a server, and that may quote the key."""
    if isinstance(error, ssl.SSLError):
        return Outcome(Fault.TLS_FAILED, getattr(error, "verify_message", "") or error.reason or "TLS failed")
    if isinstance(error, _BadAddress):
        return Outcome(Fault.BAD_URL, "the address or the key cannot be put into a request")
    if isinstance(error, _NotOpened):
        return Outcome(Fault.NOT_CONNECTED, str(error))
    return Outcome(Fault.BROKEN, _BROKEN_BY.get(type(error), "") or str(error))


_BROKEN_BY = {
    TooLong: "the answer is longer than any answer of this API",
    Broken: "the connection was closed before a whole answer came",
    Lost: "the connection broke before a whole answer came",
}
