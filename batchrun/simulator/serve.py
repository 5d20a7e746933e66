"""Runs the simulator as a process: listens, says so, and stops cleanly."""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import Server

from batchrun.simulator.app import Api
from batchrun.simulator.clock import Clock
from batchrun.simulator.knobs import Knobs, parse_knobs
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.starting import Starter
from batchrun.simulator.state_file import StateError, StateFile
from batchrun.simulator.webhooks import Target, Webhooks

_SECRET = "RAPIDFOLIO_WEBHOOK_SECRET"  # noqa: S105  # the variable's name, not a secret
_LAST_PORT = 65_535
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]


@dataclass(frozen=True, slots=True)
class Options:
    """How to run. Without a seed the fates are those of seed 0, and run ids are new at every start."""

    host: str = "127.0.0.1"
    port: int = 8020
    seed: int | None = None
    state: Path | None = None
    knobs: Knobs = field(default_factory=parse_knobs)
    machine: bool = False
    exit_with_stdin: bool = False


class StartError(Exception):
    """The simulator cannot start, for the reason in the message."""


def serve(options: Options) -> int:
    """Run until a signal, or until stdin ends if that was asked for. Give the exit code: 0, or 2 if it cannot start."""
    try:
        with _listening(options.host, options.port) as listener, _ledger(options.state) as ledger:
            asyncio.run(_run(options, listener, ledger))
    except StartError as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    return 0


async def _run(options: Options, listener: socket.socket, ledger: Ledger) -> None:
    clock, seed = Clock(), options.seed or 0
    salt = secrets.token_bytes(16) if options.seed is None else str(options.seed).encode()
    target = _target(options.knobs)
    try:
        starter = Starter(options.knobs, seed, salt, ledger, clock)
    except (OSError, ValueError) as fault:
        raise StartError(str(fault)) from fault
    api = Api(options.knobs, seed, ledger, starter, clock)
    server = _Server(_config(api), lambda: _announce(options, listener), api.holds.stop)
    if options.exit_with_stdin:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    webhooks = asyncio.create_task(Webhooks(target, ledger, clock).run()) if target else None
    await server.serve(sockets=[listener])
    if webhooks:
        webhooks.cancel()
        with suppress(asyncio.CancelledError):
            await webhooks


class _Server(Server):
    """uvicorn's server, which says when it listens and treats a signal as a clean end."""

    def __init__(self, config: Config, announce: Callable[[], None], before_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self._before_stop = before_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._before_stop()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # Unlike uvicorn's own, this does not raise the signal again at the end: a stop by signal is a clean end.
        handled = _SIGNALS if threading.current_thread() is threading.main_thread() else []
        before = {number: signal.signal(number, self._stop) for number in handled}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True


class _Protocol(H11Protocol):
    """uvicorn's HTTP/1.1, with the transport within reach of the answer that is no answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        # A head and its body are two writes. asyncio leaves Nagle's algorithm on for a socket from `create_server`,
        # which holds each body back for 40 ms: 364 starts a second instead of 3,800.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


def _config(api: Api) -> Config:
    return Config(
        api.router(),
        http=_Protocol,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="error",
        timeout_graceful_shutdown=1,
    )


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    if not 0 <= port <= _LAST_PORT:  # `create_server` would leave its socket open
        raise StartError(f"The simulator cannot listen on port {port}: ports go from 0 to {_LAST_PORT}.")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as fault:
        reason = "another program does" if fault.errno == errno.EADDRINUSE else fault.strerror or fault
        raise StartError(f"The simulator cannot listen on {host}:{port}: {reason}. Choose another --port.") from fault
    with listener:
        yield listener


@contextmanager
def _ledger(state: Path | None) -> Iterator[Ledger]:
    try:
        file = StateFile(state) if state else None
        ledger = Ledger(file)
    except (OSError, StateError) as fault:
        raise StartError(str(fault)) from fault
    try:
        yield ledger
    finally:
        if file:
            file.close()


def _target(knobs: Knobs) -> Target | None:
    if knobs.webhook_url is None:
        return None
    secret = os.environ.get(_SECRET)
    if not secret:
        raise StartError(f"Webhooks are signed, and {_SECRET} is not set; set it, or leave out webhook-url.")
    return Target(knobs.webhook_url, knobs.webhook_header, knobs.webhook_repeat, secret)


def _announce(options: Options, listener: socket.socket) -> None:
    host = f"[{options.host}]" if ":" in options.host else options.host
    origin = f"http://{host}:{listener.getsockname()[1]}"
    machine = orjson.dumps({"listening": origin, "pid": os.getpid()}).decode()
    kept = f"keeps its runs in {options.state}" if options.state else "forgets its runs when it stops"
    sys.stdout.write(
        f"{machine}\n" if options.machine else f"The simulator listens on {origin} and {kept}; Ctrl-C stops it.\n"
    )
    sys.stdout.flush()


def _stop_at_eof(server: Server) -> None:
    # Read past Python's buffers: a thread that sleeps in them would hold their lock when the process ends.
    with suppress(OSError):
        while os.read(0, 4096):
            continue
    server.should_exit = True
