"""One exchange through a proxy: httpx's transport, with one connection.

What is proved about it (and has to be proved again for another): an exception of the four classes in
`exchange_faults`, while the trace event for the header never came, means that no byte of the request was read.
Everything else is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any

import httpcore
import httpx

from batchrun.core.answers import Fault
from batchrun.io.exchange_faults import BROKEN_BY, classify, plain_words
from batchrun.io.exchange_progress import HEADER_STARTED, IDLE_SECONDS, Outcome, Progress, Route, headers_of

CONNECTED = ("connect_tcp.complete", "start_tls.complete")


class _WentStale(Exception):
    """The turn was so long in coming that the server may have closed the connection; no byte has left."""


class _Journey:
    """One exchange as httpcore's trace events tell of it. `idle_since` is when the connection was last of use.

    `used` is its stream, where one has carried an exchange before. On a new one nothing could be learned from bytes
    that wait: they are mostly TLS's tickets.
    """

    def __init__(self, progress: Progress, route: Route, idle_since: float, used: Any) -> None:
        self._progress = progress
        self._route = route
        self._idle_since = idle_since
        self._used = used
        self.deadline: asyncio.Timeout = asyncio.timeout(None)
        self.in_tunnel = False
        self.stream: Any = None
        progress.at_milestone = self._at_milestone

    async def _at_milestone(self, name: str, info: dict[str, Any]) -> None:
        if name.endswith(CONNECTED):
            self.stream, self._used = info["return_value"], None
            self._idle_since = _now()
        elif name == HEADER_STARTED and info["request"].method == b"CONNECT":
            # A proxy is asked for a way to the API; nothing of the request itself leaves yet.
            self.in_tunnel = True
            self.deadline.reschedule(_now() + self._route.connect_seconds)
        elif name == HEADER_STARTED:
            self.deadline.reschedule(None)
            await self._progress.take_turn(self)
            if not self.lasts(0.0):  # a turn that did not ask
                raise _WentStale
            self._progress.left = True
            # An answer that trickles outlives every read timeout, so the whole exchange has an end of its own.
            self.deadline.reschedule(_now() + self._route.write_seconds + self._route.read_seconds)

    def lasts(self, seconds: float) -> bool:
        """Tell whether it was of use so lately that the proxy and the server will still have it then, and is quiet.

        httpx looked when it took the connection; a server may have closed it since, while the turn was awaited.
        """
        if _now() + seconds - self._idle_since > IDLE_SECONDS:
            return False
        return self._used is None or not self._used.get_extra_info("is_readable")

    async def renew(self) -> None:
        """Give the connection up: httpx opens another only for another request."""
        raise _WentStale


class Proxied:
    """One connection at a time through a proxy; not for two exchanges at once."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self.transport: httpx.AsyncHTTPTransport | None = None
        self._idle_since = 0.0
        self._used: Any = None  # the stream of a connection that has carried an exchange

    async def aclose(self) -> None:
        """Close the connection."""
        self._used = None
        transport, self.transport = self.transport, None
        if transport is not None:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await transport.aclose()

    async def carry(self, method: str, path: str, body: bytes | None, progress: Progress) -> Outcome:
        """Carry one request there and its answer back, into `progress`."""
        journey = _Journey(progress, self._route, self._idle_since, self._used)
        try:
            async with journey.deadline:
                await self._carried(method, path, body, progress)
        except TimeoutError:
            if progress.left:
                return Outcome(Fault.BROKEN, "the answer did not end in time")
            return Outcome(Fault.NOT_CONNECTED, "no connection could be made in time")
        except BROKEN_BY as error:
            fault = classify(error)
            if fault is Fault.BROKEN and journey.in_tunnel and not progress.left:
                fault = Fault.NOT_CONNECTED  # the proxy broke off before the way to the API stood
            return Outcome(fault, plain_words(error))
        finally:
            self._idle_since = _now()
            self._used = journey.stream or self._used
            if not progress.reusable:
                await self._give_up(journey)
        return Outcome()

    async def _give_up(self, journey: _Journey) -> None:
        await self.aclose()
        if journey.stream is not None:  # a TLS handshake that was cancelled is known to nobody else
            with contextlib.suppress(httpcore.NetworkError, OSError):
                await journey.stream.aclose()

    async def _carried(self, method: str, path: str, body: bytes | None, progress: Progress) -> None:
        while True:
            with contextlib.suppress(_WentStale):
                return await self._carry(method, path, body, progress)
            await self.aclose()

    async def _carry(self, method: str, path: str, body: bytes | None, progress: Progress) -> None:
        request = httpx.Request(
            method,
            self._route.origin + path,
            headers=headers_of(self._route, body),
            content=body,
            extensions={"timeout": self._timeouts(), "trace": progress.trace},
        )
        response = await self._opened().handle_async_request(request)
        progress.status = response.status_code
        progress.headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            await _collect(response.stream, progress)
            quiet = nothing_follows(response)
        finally:
            await response.aclose()
        progress.reusable = quiet  # at the very end: a cancellation a moment ago may have hurt the pool

    def _opened(self) -> httpx.AsyncHTTPTransport:
        if self.transport is None:
            proxy = self._route.proxy
            try:
                self.transport = httpx.AsyncHTTPTransport(
                    verify=self._route.tls or self._route.origin.startswith("https"),
                    trust_env=False,
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS),
                    proxy=proxy if proxy is None or "://" in proxy else f"http://{proxy}",
                )
            except (ValueError, ImportError, httpx.InvalidURL):  # what it says may show the proxy's password
                raise httpx.ProxyError("the proxy that the system's settings name cannot be used") from None
        return self.transport

    def _timeouts(self) -> dict[str, float]:
        return {
            "connect": self._route.connect_seconds,
            "pool": self._route.connect_seconds,
            "write": self._route.write_seconds,
            "read": self._route.read_seconds,
        }


def _now() -> float:
    return asyncio.get_running_loop().time()


def nothing_follows(response: httpx.Response) -> bool:
    """Tell whether the connection is quiet after a whole answer. False where that cannot be told.

    What a server sends beyond its answer waits in one of three buffers (TLS, asyncio, HTTP), of which the pool, which
    looks at the socket, knows nothing: it would be taken for the answer to the next request.
    """
    try:
        stream = response.extensions["network_stream"]
        tls = stream.get_extra_info("ssl_object")
        carrier = stream._stream if tls is None else stream._stream.transport_stream
        body: Any = response.stream
        left_over, _ = body._httpcore_stream._stream._connection._h11_state.trailing_data
        return not left_over and not carrier._protocol.read_queue and (tls is None or _is_quiet(tls))
    except (AttributeError, KeyError):
        return False


def _is_quiet(tls: ssl.SSLObject) -> bool:
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return True
    except ssl.SSLError:
        return False
    return False


async def _collect(stream: Any, progress: Progress) -> None:
    pieces: AsyncIterator[bytes] = stream.__aiter__()
    async for piece in pieces:
        progress.body += piece
        if len(progress.body) > progress.longest_body:
            raise httpx.ReadError("the answer is longer than any answer of this API")
