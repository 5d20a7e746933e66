"""One exchange's way, and how far it got: what is kept of it whatever breaks it."""

from __future__ import annotations

import ssl
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from batchrun.core.answers import Fault, Seen
from batchrun.core.pacing import Connected
from batchrun.core.shared_pace import Account
from batchrun.io.api_key import ApiKey

# The milestones of an exchange, by the names that httpcore gives them; both ways tell of them.
HEADER_STARTED = "http11.send_request_headers.started"
BODY_SENT = "http11.send_request_body.complete"
HEADER_ARRIVED = "http11.receive_response_headers.complete"

HIDDEN = "[key]"
IDLE_SECONDS = 0.4
CONNECT_SECONDS = 10.0
WRITE_SECONDS = 30.0
READ_SECONDS = 60.0

BeforeWrite = Callable[[Connected], Awaitable[None]]
Milestone = Callable[[str, dict[str, Any]], Awaitable[None]]


class Going(NamedTuple):
    """The request whose milestone is told of."""

    method: bytes


class Outcome(NamedTuple):
    """What went wrong with an exchange, and words for it; no fault where a whole answer came."""

    fault: Fault | None = None
    detail: str = ""


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

    async def turn(self, connected: Connected) -> None:
        """Wait for a turn of the account's, where its pace is shared."""
        while self.account is not None and not await self.account.turn(connected):
            await connected.renew()

    def __str__(self) -> str:
        if not self.proxy:
            return ""
        try:
            host = urlsplit(self.proxy if "://" in self.proxy else f"//{self.proxy}").hostname
        except ValueError:
            host = None
        return f"through the proxy {host}" if host else "through the proxy that the system's settings name"


class Progress:
    """What of one exchange has happened so far; it survives whatever breaks the exchange.

    `left` says that a byte of the request may have left. `reusable` says that a whole answer came, and the connection
    may carry another exchange.
    """

    def __init__(self, before_write: BeforeWrite, route: Route, longest_body: int) -> None:
        self._before_write = before_write
        self._route = route
        self.longest_body = longest_body
        self.at_milestone: Milestone | None = None
        self.left = False
        self.reusable = False
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        """Pass a milestone."""
        if self.at_milestone is not None:
            await self.at_milestone(name, info)

    async def take_turn(self, connected: Connected) -> None:
        """Await the turn of this exchange, on a connection that lasts till then; it must be used at once."""
        await self._before_write(connected)

    def seen(self, outcome: Outcome) -> Seen:
        """Give what was seen of the exchange, without the key."""
        # A server's debugging page may show the request, and what is seen may be stored.
        secret = self._route.key.reveal()
        body = _decoded(bytes(self.body), self.headers.get("content-encoding", ""), self.longest_body)
        return Seen(
            status=self.status,
            headers={name: value.replace(secret, HIDDEN) for name, value in self.headers.items()},
            body=body.replace(secret.encode(), HIDDEN.encode()),
            whole=outcome.fault is None,
            fault=outcome.fault,
            detail=outcome.detail,
            left=self.left,
            route=str(self._route),
        )


class Carrier(Protocol):
    """One way to carry exchanges, over one connection at a time. It is given up after anything but a whole answer."""

    async def carry(self, method: str, path: str, body: bytes | None, progress: Progress) -> Outcome:
        """Carry one request there and its answer back, into `progress`.

        Raise nothing but a cancellation, and what the turn raises.
        """

    async def aclose(self) -> None:
        """Close the connection."""


def headers_of(route: Route, body: bytes | None) -> dict[str, str]:
    """Give the header lines that each request has, whichever way it goes."""
    headers = {
        "Authorization": f"Bearer {route.key.reveal()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "batchrun",
    }
    return headers | ({"Content-Type": "application/json"} if body is not None else {})


def _decoded(body: bytes, encoding: str, longest: int) -> bytes:
    """Unpack what a server packed although it was asked not to; of a broken one, what can be read."""
    if encoding.lower() not in ("gzip", "x-gzip", "deflate"):
        return body
    unpacker = zlib.decompressobj(wbits=47 if encoding.lower() != "deflate" else 15)
    try:
        return unpacker.decompress(body, longest)
    except zlib.error:
        return b""
