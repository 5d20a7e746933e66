"""The only module that speaks HTTP to an API: one exchange over one httpx transport.

One transport a worker, with one connection. What is proved about it (and has to be proved again for another): an
exception of the four classes in `exchange_faults`, while the trace event for the header never came, means that no byte
of the request was read. Everything else is unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import httpcore
import httpx

from batchrun.core.answers import Fault, Seen
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange_faults import BROKEN_BY, PROOFS, classify, plain_words

HEADER_STARTED = "http11.send_request_headers.started"
CONNECTED = ("connect_tcp.complete", "start_tls.complete")
HIDDEN = "[key]"
IDLE_SECONDS = 0.4
CONNECT_SECONDS = 10.0
WRITE_SECONDS = 30.0
READ_SECONDS = 60.0
LONGEST_BODY = 16 << 20

BeforeWrite = Callable[[], Awaitable[None]]


class Account(Protocol):
    """The pace that all processes with the same key share; `spacing` is how far this one's turns lie apart."""

    spacing: float

    async def turn(self, waiting: int = 1) -> None:
        """Wait for a turn; so many wait for one, this one among them."""


@dataclass(frozen=True, slots=True)
class Route:
    """How the API is reached. `read_seconds` is how long an answer may take to begin; all of it ends after both.

    Where the key's pace is shared (`account`), every exchange waits for a turn of it, unless it brings its own wait.
    """

    origin: str
    key: ApiKey
    tls: ssl.SSLContext | None
    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    read_seconds: float = READ_SECONDS
    write_seconds: float = WRITE_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    account: Account | None = field(default=None, repr=False)

    async def turn(self) -> None:
        """Wait for a turn of the account's, where its pace is shared."""
        if self.account is not None:
            await self.account.turn()

    def __str__(self) -> str:
        if not self.proxy:
            return ""
        try:
            host = urlsplit(self.proxy if "://" in self.proxy else f"//{self.proxy}").hostname
        except ValueError:
            host = None
        return f"through the proxy {host}" if host else "through the proxy that the system's settings name"


class _WentStale(Exception):
    """The turn was so long in coming that the server may have closed the connection; no byte has left."""


class _Progress:
    """What of one exchange has happened so far; it survives whatever breaks the exchange.

    `idle_since` is when the connection that is used was last of use.
    """

    def __init__(self, before_write: BeforeWrite, route: Route, idle_since: float) -> None:
        self._before_write = before_write
        self._route = route
        self._idle_since = idle_since
        self._has_turn = False
        self.deadline: asyncio.Timeout = asyncio.timeout(None)
        self.in_tunnel = False
        self.stream: Any = None
        self.left = False
        self.whole = False
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        if name.endswith(CONNECTED):
            self.stream = info["return_value"]
            self._idle_since = _now()
        elif name == HEADER_STARTED and info["request"].method == b"CONNECT":
            # A proxy is asked for a way to the API; nothing of the request itself leaves yet.
            self.in_tunnel = True
            self.deadline.reschedule(_now() + self._route.connect_seconds)
        elif name == HEADER_STARTED:
            self.deadline.reschedule(None)
            await self._take_turn()
            self.left = True
            # An answer that trickles outlives every read timeout, so the whole exchange has an end of its own.
            self.deadline.reschedule(_now() + self._route.write_seconds + self._route.read_seconds)

    async def _take_turn(self) -> None:
        if self._has_turn:
            return
        await self._before_write()
        self._has_turn = True
        if _now() - self._idle_since > IDLE_SECONDS:
            raise _WentStale

    def seen(self, fault: Fault | None, detail: str) -> Seen:
        # A server's debugging page may show the request, and what is seen may be stored.
        secret = self._route.key.reveal()
        body = _decoded(bytes(self.body), self.headers.get("content-encoding", ""))
        return Seen(
            status=self.status,
            headers={name: value.replace(secret, HIDDEN) for name, value in self.headers.items()},
            body=body.replace(secret.encode(), HIDDEN.encode()),
            whole=fault is None,
            fault=fault,
            detail=detail,
            left=self.left,
            route=str(self._route),
        )


class Connection:
    """One connection at a time to one API; not for two exchanges at once. An API's door is one, and knows its paths."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._transport: httpx.AsyncHTTPTransport | None = None
        self._idle_since = 0.0

    async def aclose(self) -> None:
        """Close the connection."""
        transport, self._transport = self._transport, None
        if transport is not None:
            with contextlib.suppress(httpx.HTTPError, OSError):
                await transport.aclose()

    async def _exchange(
        self, method: str, path: str, body: bytes | None, before_write: BeforeWrite | None = None
    ) -> Seen:
        """Whatever happens is in what is seen; nothing is raised but a cancellation."""
        progress = _Progress(before_write or self._route.turn, self._route, self._idle_since)
        fault: Fault | None = None
        detail = ""
        try:
            async with progress.deadline:
                await self._carried(method, path, body, progress)
        except TimeoutError:
            fault = Fault.BROKEN if progress.left else Fault.NOT_CONNECTED
            detail = "the answer did not end in time" if progress.left else "no connection could be made in time"
        except BROKEN_BY as error:
            fault, detail = classify(error), plain_words(error)
        finally:
            self._idle_since = _now()
            if not progress.whole:
                await self._give_up(progress)  # a fresh connection after anything but a whole answer
        if fault in PROOFS and progress.left:
            fault = Fault.BROKEN
        elif fault is Fault.BROKEN and progress.in_tunnel and not progress.left:
            fault = Fault.NOT_CONNECTED  # the proxy broke off before the way to the API stood
        return progress.seen(fault, detail)

    async def _give_up(self, progress: _Progress) -> None:
        await self.aclose()
        if progress.stream is not None:  # a TLS handshake that was cancelled is known to nobody else
            with contextlib.suppress(httpcore.NetworkError, OSError):
                await progress.stream.aclose()

    async def _carried(self, method: str, path: str, body: bytes | None, progress: _Progress) -> None:
        try:
            await self._carry(method, path, body, progress)
        except _WentStale:
            await self.aclose()
            await self._carry(method, path, body, progress)

    async def _carry(self, method: str, path: str, body: bytes | None, progress: _Progress) -> None:
        request = httpx.Request(
            method,
            self._route.origin + path,
            headers=self._headers(body),
            content=body,
            extensions={"timeout": self._timeouts(), "trace": progress.trace},
        )
        response = await self._opened().handle_async_request(request)
        progress.status = response.status_code
        progress.headers = {name.lower(): value for name, value in response.headers.items()}
        try:
            await _collect(response.stream, progress.body)
            quiet = _nothing_follows(response)
        finally:
            await response.aclose()
        progress.whole = quiet  # at the very end: a cancellation a moment ago may have hurt the pool

    def _opened(self) -> httpx.AsyncHTTPTransport:
        if self._transport is None:
            proxy = self._route.proxy
            try:
                self._transport = httpx.AsyncHTTPTransport(
                    verify=self._route.tls or self._route.origin.startswith("https"),
                    trust_env=False,
                    limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=IDLE_SECONDS),
                    proxy=proxy if proxy is None or "://" in proxy else f"http://{proxy}",
                )
            except (ValueError, ImportError, httpx.InvalidURL):  # what it says may show the proxy's password
                raise httpx.ProxyError("the proxy that the system's settings name cannot be used") from None
        return self._transport

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._route.key.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "batchrun",
        }
        return headers | ({"Content-Type": "application/json"} if body is not None else {})

    def _timeouts(self) -> dict[str, float]:
        return {
            "connect": self._route.connect_seconds,
            "pool": self._route.connect_seconds,
            "write": self._route.write_seconds,
            "read": self._route.read_seconds,
        }


def _now() -> float:
    return asyncio.get_running_loop().time()


def path_part(run_id: str) -> str:
    """Quote a run id of any shape so that it stays one part of a path."""
    quoted = quote(run_id, safe="", errors="replace")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")  # `..` would be taken for the folder above


def _nothing_follows(response: httpx.Response) -> bool:
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


async def _collect(stream: Any, body: bytearray) -> None:
    pieces: AsyncIterator[bytes] = stream.__aiter__()
    async for piece in pieces:
        body += piece
        if len(body) > LONGEST_BODY:
            raise httpx.ReadError("the answer is longer than any answer of this API")


def _decoded(body: bytes, encoding: str) -> bytes:
    """Unpack what a server packed although it was asked not to; of a broken one, what can be read."""
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(wbits=47 if encoding.lower() != "deflate" else 15)
    try:
        return unpacker.decompress(body, LONGEST_BODY)
    except zlib.error:
        return b""


def tls_context() -> ssl.SSLContext:
    """Trust the certificates that the system trusts."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
