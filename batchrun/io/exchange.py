"""The door to an API over HTTP: one exchange at a time, by the way that the route asks for.

Where no proxy stands between, the connection is our own (`exchange_direct`); through a proxy it is httpx's
(`exchange_proxied`). Both have passed the same guards on real sockets, and no other may carry a payment before it has.
Each knows in its own way that a request never left; everything else is unknown.
"""

from __future__ import annotations

from urllib.parse import quote

from batchrun.core.answers import Fault, Seen
from batchrun.io.exchange_direct import Direct
from batchrun.io.exchange_progress import (
    CONNECT_SECONDS,
    IDLE_SECONDS,
    READ_SECONDS,
    WRITE_SECONDS,
    BeforeWrite,
    Carrier,
    Route,
)
from batchrun.io.exchange_progress import Progress as _Progress
from batchrun.io.trust import tls_context

__all__ = [
    "CONNECT_SECONDS", "IDLE_SECONDS", "LONGEST_BODY", "READ_SECONDS", "WRITE_SECONDS",
    "BeforeWrite", "Connection", "Route", "path_part", "tls_context",
]  # fmt: skip

LONGEST_BODY = 16 << 20
PROOFS = frozenset({Fault.NOT_CONNECTED, Fault.TLS_FAILED, Fault.BAD_URL, Fault.PROXY_REFUSED})


class Connection:
    """One connection at a time to one API; not for two exchanges at once. An API's door is one, and knows its paths."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._transport: Carrier | None = None

    async def aclose(self) -> None:
        """Close the connection."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def _exchange(
        self, method: str, path: str, body: bytes | None, before_write: BeforeWrite | None = None
    ) -> Seen:
        """Whatever happens is in what is seen; nothing is raised but a cancellation, and what `before_write` raises."""
        progress = _Progress(before_write or self._route.turn, self._route, LONGEST_BODY)
        if self._transport is None:
            self._transport = carrier_for(self._route)
        try:
            outcome = await self._transport.carry(method, path, body, progress)
        finally:
            if not progress.reusable:
                await self.aclose()  # a fresh connection after anything but a whole answer
        if outcome.fault in PROOFS and progress.left:
            outcome = outcome._replace(fault=Fault.BROKEN)
        return progress.seen(outcome)


def carrier_for(route: Route) -> Carrier:
    """Choose the way: our own connection, or httpx where a proxy stands between."""
    if not route.proxy:
        return Direct(route)
    from batchrun.io.exchange_proxied import Proxied  # httpx takes its time to load

    return Proxied(route)


def path_part(run_id: str) -> str:
    """Quote a run id of any shape so that it stays one part of a path."""
    quoted = quote(run_id, safe="", errors="replace")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")  # `..` would be taken for the folder above
