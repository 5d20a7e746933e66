"""One address: an HTTP request in, a handler's answer out as JSON; refusals become their answers here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from batchrun.simulator.refusals import RefusedError

_MOST_BYTES = 1 << 20
_MOST_DRAINED = 1 << 24

Handler = Callable[[Request], Awaitable[Response]]


class NoAnswer(Response):
    """Closes the connection without a byte of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # ASGI's signature
        scope["state"]["transport"].abort()
        while (await receive())["type"] != "http.disconnect":
            continue


class Endpoint:
    """An ASGI application for one address and method; `told` hears of each answer."""

    def __init__(self, method: str, handler: Handler, told: Callable[[Response], None]) -> None:
        self._method = method
        self._handler = handler
        self._told = told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        self._told(response)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method != self._method:
            return _refusal(RefusedError(405, f"this address takes {self._method}", {"Allow": self._method}))
        try:
            return await self._handler(request)
        except RefusedError as refused:
            return _refusal(refused)


def json_answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Write a JSON answer."""
    return Response(orjson.dumps(body), status, headers, "application/json")


async def json_body(request: Request) -> bytes:
    """Read a body: 415 when it is not declared as JSON, 413 when it is over a mebibyte."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "the body must be sent as application/json")
    body = bytearray()
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen <= _MOST_BYTES:
            body += chunk
        elif seen > _MOST_DRAINED:  # up to here it is read to its end, so that the caller is there to hear the answer
            break
    if seen > _MOST_BYTES:
        raise RefusedError(413, "the body is over 1 MiB", {"Connection": "close"})
    return bytes(body)


async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer for all addresses that do not exist."""
    await json_answer({"error": "there is no such address"}, 404)(scope, receive, send)


def _refusal(refused: RefusedError) -> Response:
    return json_answer({"error": refused.message}, refused.status, refused.headers)
