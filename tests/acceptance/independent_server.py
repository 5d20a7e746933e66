"""A second stand-in for the API, written from API.md alone, that remembers all it saw; no code of batchrun is in it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

SANDBOX_KEY = "rsk_sandbox_CANARY7f3a91c2d4"
LIVE_KEY = "rsk_live_CANARY7f3a91c2d4"
START = re.compile(r"/v1/procedures/([^/]+)/(sandbox|live)")
READ = re.compile(r"/runs/([^/]+)")
CANCEL = re.compile(r"/runs/([^/]+)/cancel")
REASONS = {200: "OK", 202: "Accepted", 401: "Unauthorized", 404: "Not Found", 504: "Gateway Timeout"}

SO_TIMESTAMPNS = 35  # Linux, on x86 and ARM: the kernel's own time of arrival comes with what is read
TIMESPEC = struct.Struct("@qq")

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as it came; the key itself is not kept. `at` is when its last byte arrived, in monotonic seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    key: str  # right, wrong or absent
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        """Give the body; numbers with a point become Decimals of the very digits."""
        return json.loads(self.body, parse_float=Decimal)

    @property
    def digits(self) -> Any:
        """Give the body, each number as the text that stood on the wire."""
        return json.loads(self.body, parse_float=str, parse_int=str)


@dataclass
class Run:
    """A run that was accepted."""

    run_id: str
    procedure: str
    environment: str
    data: Data
    created: float
    reviewed: bool = True
    decided: float = 0.0

    @property
    def output(self) -> Data:
        """Say what the procedure makes of this input; every run has its own."""
        return {"approved": True, "transactionId": f"txn_{self.run_id.removeprefix('run_')}"}


@dataclass
class Switches:
    """How the server behaves; each may be turned while it runs."""

    keys: set[str] = field(default_factory=lambda: {SANDBOX_KEY, LIVE_KEY})
    latency: float = 0.0
    run_seconds: float = 0.0
    review: Callable[[Data], bool] = lambda data: False
    fail: Callable[[Data], str | None] = lambda data: None
    refuse: Callable[[Data], str | None] = lambda data: None
    never_answer: Callable[[Data], bool] = lambda data: False
    drop_after_accepting: Callable[[Data], bool] = lambda data: False
    break_after_accepting: Callable[[Data], bool] = lambda data: False
    busy_first: int = 0
    retry_after: str | None = "1"
    sync_times_out: bool = False
    run_id: Callable[[int], str] = lambda number: f"run_{number:06d}x"


@dataclass(frozen=True)
class Answer:
    """What goes back; `None` as status hangs up without a word."""

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class TimedSocket(socket.socket):
    """Notes when what it reads arrived, by peer: on Linux at the kernel, so that a busy machine's server counts right.

    On loopback the kernel stamps what arrives while the sender's write is still under way.
    """

    def __init__(self, arrivals: dict[object, float], fileno: int | None = None) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_STREAM, fileno=fileno)
        self._arrivals = arrivals
        self._peer: object = None

    def accept(self) -> tuple[socket.socket, Any]:
        """Give the next connection, timed too."""
        descriptor, peer = self._accept()  # type: ignore[attr-defined]
        accepted = TimedSocket(self._arrivals, descriptor)
        accepted._peer = peer
        if sys.platform == "linux":
            accepted.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return accepted, peer

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read, and note the time."""
        if sys.platform != "linux":
            self._arrivals[self._peer] = time.monotonic()
            return super().recv(size, flags)
        data, ancillary, _, _ = self.recvmsg(size, socket.CMSG_SPACE(TIMESPEC.size), flags)
        ago = 0.0
        for level, kind, stamp in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
                seconds, nanoseconds = TIMESPEC.unpack(stamp)
                ago = time.time() - seconds - nanoseconds / 1e9
        self._arrivals[self._peer] = time.monotonic() - ago
        return data


class IndependentServer:
    """The API on a loopback port; `requests` and `runs` are its ledger."""

    def __init__(self, **switches: Any) -> None:
        self.switches = Switches(**switches)
        self.requests: list[Request] = []
        self.runs: dict[str, Run] = {}
        self.origin = ""
        self._arrivals: dict[object, float] = {}

    @property
    def starts(self) -> list[Request]:
        """Give every request that asked for a run, whatever the answer."""
        return [request for request in self.requests if request.method == "POST" and START.fullmatch(request.path)]

    def sent(self, name: str) -> list[Any]:
        """Give one field of every run that was accepted, in order."""
        return [run.data[name] for run in self.runs.values()]

    def approve(self) -> None:
        """Approve all that waits, as a reviewer at the dashboard would."""
        for run in self.runs.values():
            run.reviewed, run.decided = True, time.monotonic()

    async def respond(self, request: Request) -> Answer:
        """Answer one request as API.md has it."""
        if request.key != "right":
            return Answer(401, {"error": "API key is not valid"})
        if request.method == "POST" and (start := START.fullmatch(request.path)):
            return await self._started(request, *start.groups())
        if request.method == "GET" and (read := READ.fullmatch(request.path)):
            return self._read(read[1])
        return Answer(404, {"error": "Not found"})

    async def _started(self, request: Request, procedure: str, environment: str) -> Answer:
        switches = self.switches
        if switches.busy_first > 0:
            switches.busy_first -= 1
            headers = {} if switches.retry_after is None else {"Retry-After": switches.retry_after}
            return Answer(429, {"error": "Too many requests"}, headers)
        body = request.json
        data = body["data"]
        if switches.latency:
            await asyncio.sleep(switches.latency)
        if message := switches.refuse(data):
            return Answer(422, {"error": message})
        run = self._accepted(procedure, environment, data)
        if switches.drop_after_accepting(data):
            return Answer(None)
        if switches.break_after_accepting(data):
            return Answer(500, {"error": "Internal error"})
        if switches.never_answer(data):
            await asyncio.sleep(3600)
        if body.get("control", {}).get("executionMode") == "sync":
            return self._sync(run, body["control"].get("executionTimeout", 60000))
        return Answer(202, {"runId": run.run_id, "status": "running", "statusUrl": self._url(run)})

    def _accepted(self, procedure: str, environment: str, data: Data) -> Run:
        run_id = self.switches.run_id(len(self.runs) + 1)
        run = Run(run_id, procedure, environment, data, time.monotonic(), reviewed=not self.switches.review(data))
        self.runs[run_id] = run
        return run

    def _sync(self, run: Run, timeout: int) -> Answer:
        link = {"runId": run.run_id, "statusUrl": self._url(run)}
        if self.switches.sync_times_out:
            return Answer(504, {**link, "status": "timeout", "error": f"Execution exceeded timeout of {timeout}ms"})
        if not run.reviewed:
            return Answer(200, {**link, "status": "awaiting_review"})
        return Answer(
            200, {"runId": run.run_id, "status": "completed", "output": run.output, "completedAt": _iso(run.created)}
        )

    def _url(self, run: Run) -> str:
        return f"{self.origin}/runs/{run.run_id}"

    def _read(self, run_id: str) -> Answer:
        run = self.runs.get(run_id)
        if run is None:
            return Answer(404, {"error": "Run not found"})
        status, error = self._state(run)
        ended = status in ("completed", "failed")
        return Answer(
            200,
            {
                "id": run_id,
                "status": status,
                "type": "api",
                "environment": run.environment,
                "input": _plain(run.data),
                "output": run.output if status == "completed" else None,
                "error": error,
                "startedAt": _iso(run.created),
                "completedAt": _iso(time.monotonic()) if ended else None,
                "createdAt": _iso(run.created),
                "procedureVersionId": "pv_1",
            },
        )

    def _state(self, run: Run) -> tuple[str, str | None]:
        if time.monotonic() < max(run.created, run.decided) + self.switches.run_seconds:
            return "running", None
        if not run.reviewed:
            return "awaiting_review", None
        error = self.switches.fail(run.data)
        return ("failed", error) if error else ("completed", None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await self._request(reader, writer.get_extra_info("peername"))
                self.requests.append(request)
                answer = await self.respond(request)
                if answer.status is None:
                    break
                writer.write(_wire(answer))
                await writer.drain()

    async def _request(self, reader: asyncio.StreamReader, peer: object) -> Request:
        line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
        method, path, _ = line.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (item.partition(":") for item in fields)}
        authorization = headers.pop("authorization", None)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method, path, headers, self._judged(authorization), body, self._arrivals[peer])

    def _judged(self, authorization: str | None) -> str:
        if authorization is None:
            return "absent"
        return "right" if authorization in {f"Bearer {key}" for key in self.switches.keys} else "wrong"

    def timed_socket(self, port: int) -> socket.socket:
        """Give a loopback socket to listen on."""
        door = TimedSocket(self._arrivals)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, sys.platform != "win32")
        door.bind(("127.0.0.1", port))
        return door

    async def listen(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        server = await asyncio.start_server(self._serve, sock=self.timed_socket(0), backlog=512)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0.001)  # one turn of the loop, in which the closed connections let go of their sockets


@contextmanager
def independent_server(**switches: Any) -> Iterator[IndependentServer]:
    """Run the server in a thread of its own."""
    server, ready, stop = IndependentServer(**switches), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(server.listen(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _wire(answer: Answer) -> bytes:
    content = json.dumps(answer.body).encode()
    assert answer.status is not None
    lines = [
        f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'Other')}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


def _iso(monotonic: float) -> str:
    at = datetime.fromtimestamp(time.time() - time.monotonic() + monotonic, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
