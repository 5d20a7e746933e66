"""The only module that receives webhooks: checks a delivery, keeps it in the journal, and only then acknowledges it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from batchrun.core.webhooks import Delivery, Signing, is_genuine, parse_delivery
from batchrun.errors import BadCommandLine, BatchrunError
from batchrun.io import system

LONGEST = 1 << 20
PATH = "/webhooks/rapidfolio"

# Keeps one delivery: called in a thread of its own, returns once it is on the disk.
Keep = Callable[[Delivery, bytes], None]


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is done; port 0 finds a free one. Raise BadCommandLine where it is taken."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        why = "is taken by another program" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise BadCommandLine(f"port {port} on {host} {why}; choose another with --port, or 0 for a free one") from None
    # Without this each small answer waits some 40 ms for more to send; asyncio sets it only on sockets it makes itself.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


def application(keep: Keep, secret: str, signing: Signing) -> Starlette:
    """Make the receiver: `POST /webhooks/rapidfolio` and `GET /healthz`."""
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="deliveries")

    async def receive(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return _told(413, "a delivery is at most 1 MiB")
        if not is_genuine(body, request.headers.get(signing.header), secret, signing):
            return _told(401, "the signature is missing or false")
        delivery = parse_delivery(body)
        if delivery is None:
            return _told(400, "this is no delivery")
        try:
            await asyncio.get_running_loop().run_in_executor(thread, keep, delivery, body)
        except BatchrunError as error:
            return _told(503, error.message)
        return JSONResponse({"received": True})

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"ok": True})

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        thread.shutdown(wait=True)

    routes = [Route(PATH, receive, methods=["POST"]), Route("/healthz", healthz)]
    return Starlette(routes=routes, lifespan=lifespan)


async def _body(request: Request) -> bytes | None:
    """Read the raw body; None where it is longer than a delivery can be, whatever its header says."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST:
            return None
    return bytes(body)


def _told(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; what is being received is kept first."""
    from uvicorn import Config, Server

    class CleanServer(Server):
        """Uvicorn's own handling raises the signal again at the end; a stop that was asked for is no failure."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            def leave() -> None:
                self.should_exit = True

            def leave_at_once() -> None:
                self.should_exit = self.force_exit = True

            with system.on_interrupt(leave, leave_at_once):
                yield

    config = Config(app, access_log=False, log_level="error", lifespan="on", timeout_graceful_shutdown=10)
    CleanServer(config).run(sockets=[listener])
