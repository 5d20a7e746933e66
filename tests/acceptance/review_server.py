"""A third stand-in for the API, for reviews alone, written from API.md; it writes down every decision that arrives.

Nothing of batchrun is in it. What a run does hangs on the field `kind` of its data; see `Kind`.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

RUNNER_KEY = "rsk_sandbox_CANARY1b7e55f0aa"
LIVE_RUNNER_KEY = "rsk_live_CANARY1b7e55f0aa"
REVIEWER_KEY = "rsk_sandbox_CANARYreviewer99c2"
LIVE_REVIEWER_KEY = "rsk_live_CANARYreviewer99c2"
START = re.compile(r"/v1/procedures/([^/]+)/(sandbox|live)")
READ = re.compile(r"/runs/([^/]+)")
DECIDE = re.compile(r"/api/runner-proxy/review/([^/]+)")
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)
SLOW_READINGS = 2


class Kind(StrEnum):
    """What a run does."""

    PASS = "pass"  # completes at once
    ONCE = "once"  # waits for one review
    TWICE = "twice"  # waits again, as soon as the first review is approved
    SLOW = "slow"  # still runs for some readings after each approval
    SLOW_TWICE = "slow twice"
    STUCK = "stuck"  # runs until it is let go


@dataclass(frozen=True)
class Scripted:
    """An answer to a decision; `acts` does first what was decided. Without a status the connection closes."""

    status: int | None
    body: Any = None
    acts: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Arrival:
    """One decision as it came, whatever became of it."""

    at: float
    run_id: str
    invoice: str
    raw: bytes
    who: str  # whose key it bore: runner, reviewer or nobody
    acted: bool
    status: int | None  # None: its answer was dropped

    @property
    def body(self) -> Any:
        """Give the body; numbers become Decimals of the very digits."""
        return json.loads(self.raw, parse_float=Decimal)

    @property
    def key(self) -> Any:
        """Give the idempotency key."""
        return self.body.get("idempotencyKey")


@dataclass
class Run:
    """A run that was accepted, and its decisions."""

    run_id: str
    environment: str
    data: Mapping[str, Any]
    created: datetime
    decisions: list[Mapping[str, Any]] = field(default_factory=list)
    readings_left: int = 0
    stale_left: int = 0
    cancelled: bool = False
    forgotten: bool = False

    @property
    def kind(self) -> Kind:
        """Say what it does."""
        return Kind(self.data.get("kind", Kind.ONCE))

    @property
    def pauses(self) -> int:
        """Say how many reviews it needs."""
        return {Kind.PASS: 0, Kind.STUCK: 0, Kind.TWICE: 2, Kind.SLOW_TWICE: 2}.get(self.kind, 1)

    @property
    def status(self) -> str:
        """Say where it stands."""
        if self.cancelled:
            return "cancelled"
        if self.decisions and not self.decisions[-1]["approved"]:
            return "failed"
        if self.readings_left:
            return "running"
        return "awaiting_review" if len(self.decisions) < self.pauses else "completed"

    def decide(self, body: Mapping[str, Any]) -> None:
        """Act on a decision."""
        self.decisions.append(body)
        if self.kind in (Kind.SLOW, Kind.SLOW_TWICE):
            self.readings_left = SLOW_READINGS

    @property
    def output(self) -> Mapping[str, Any]:
        """Say what came of it; what reviewers have put in is in there."""
        overrides = [decision.get("outputs") or {} for decision in self.decisions]
        made: dict[str, Any] = {"approved": True, "transactionId": f"txn_{self.run_id}"}
        for override in overrides:
            made |= override
        return made


@dataclass
class Switches:
    """How the server behaves; each may be turned while it runs."""

    runner_keys: set[str] = field(default_factory=lambda: {RUNNER_KEY, LIVE_RUNNER_KEY})
    reviewer_keys: set[str] | None = None  # None: the runner's keys may review, too
    latency: float = 0.0  # before a decision is acted on
    late: float = 0.0  # after it was acted on
    drop_every: int = 0  # of all decisions that got as far as 200, the answer of each n-th is dropped
    stale_readings: int = 0  # after a decision the run still reads as before for so many readings
    script: Callable[[str, int], Scripted | None] = lambda invoice, arrival: None  # arrivals of an invoice count from 1
    hold: Callable[[str, int], str | None] = lambda invoice, acted: None  # "before" or "after": never answered


class ReviewServer:
    """The API on a loopback port; `arrivals` is the ledger of decisions."""

    def __init__(self, **switches: Any) -> None:
        self.switches = Switches(**switches)
        self.runs: dict[str, Run] = {}
        self.arrivals: list[Arrival] = []
        self.held = 0
        self.origin = ""
        self._keys: dict[str, str] = {}
        self._granted = 0
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._writers: set[asyncio.StreamWriter] = set()
        self._listening: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()

    # What tests ask and do

    def of(self, invoice: str) -> list[Arrival]:
        """Give all decisions that arrived for an invoice."""
        return [arrival for arrival in list(self.arrivals) if arrival.invoice == invoice]

    def acted(self, invoice: str | None = None) -> list[Arrival]:
        """Give the decisions that did something."""
        return [one for one in list(self.arrivals) if one.acted and invoice in (None, one.invoice)]

    def run_of(self, invoice: str) -> Run:
        """Give the one run of an invoice."""
        (run,) = (run for run in self.runs.values() if run.data["invoiceNumber"] == invoice)
        return run

    def decide_in_the_dashboard(self, invoice: str, *, approved: bool = True, reason: str = "") -> None:
        """Decide as somebody else, with another key."""
        run = self.run_of(invoice)
        body = {"approved": approved, "rejectionReason": reason, "idempotencyKey": str(uuid.uuid4())}
        self._keys[str(body["idempotencyKey"])] = run.run_id
        run.decide(body)

    def go_down(self) -> None:
        """Close the port and every connection."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result(10)

    def come_back(self) -> None:
        """Listen on the same port again."""
        asyncio.run_coroutine_threadsafe(self._up(int(self.origin.rsplit(":", 1)[1])), self._loop).result(10)

    # What the API does

    async def _answer(self, method: str, path: str, token: str, raw: bytes) -> Scripted:
        if method == "POST" and (found := DECIDE.fullmatch(path)):
            return await self._decided(found[1], self._who(token, review=True), raw)
        if self._who(token, review=False) != "runner":
            return Scripted(401, {"error": "API key is not valid"})
        if method == "POST" and (found := START.fullmatch(path)):
            return self._started(found[2], json.loads(raw))
        if method == "GET" and (found := READ.fullmatch(path)):
            return self._read(found[1])
        return Scripted(404, {"error": "Not found"})

    def _who(self, token: str, *, review: bool) -> str:
        reviewers = self.switches.reviewer_keys
        if reviewers is not None and token in {f"Bearer {key}" for key in reviewers}:
            return "reviewer"
        if token in {f"Bearer {key}" for key in self.switches.runner_keys}:
            return "reviewer" if review and reviewers is None else "runner"
        return "nobody"

    def _started(self, environment: str, body: Mapping[str, Any]) -> Scripted:
        run_id = f"run_{len(self.runs) + 1:05d}{uuid.uuid4().hex[:12]}"  # like no other server's
        run = self.runs[run_id] = Run(run_id, environment, body["data"], datetime.now(UTC))
        if run.kind is Kind.STUCK:
            run.readings_left = 1_000_000
        link = {"runId": run_id, "statusUrl": f"{self.origin}/runs/{run_id}"}
        if body.get("control", {}).get("executionMode") != "sync" or run.status == "running":
            return Scripted(202, {**link, "status": "running"})
        if run.status == "awaiting_review":
            return Scripted(200, {**link, "status": "awaiting_review"})
        return Scripted(200, {"runId": run_id, "status": "completed", "output": run.output, "completedAt": _iso()})

    def _read(self, run_id: str) -> Scripted:
        run = self.runs.get(run_id)
        if run is None or run.forgotten:
            return Scripted(404, {"error": "Run not found"})
        status = "awaiting_review" if run.stale_left else run.status
        if run.stale_left:
            run.stale_left -= 1
        else:
            run.readings_left = max(0, run.readings_left - 1)
        ended = status in ("completed", "failed", "cancelled")
        return Scripted(
            200,
            {
                "id": run_id,
                "status": status,
                "type": "api",
                "environment": run.environment,
                "input": run.data,
                "output": run.output if status == "completed" else None,
                "error": run.decisions[-1].get("rejectionReason") if status == "failed" else None,
                "startedAt": _iso(run.created),
                "completedAt": _iso() if ended else None,
                "createdAt": _iso(run.created),
                "procedureVersionId": "pv_1",
            },
        )

    async def _decided(self, run_id: str, who: str, raw: bytes) -> Scripted:
        at = time.monotonic()
        run = self.runs.get(run_id)
        invoice = str(run.data["invoiceNumber"]) if run else ""
        self._counts[invoice] += 1
        scripted = self.switches.script(invoice, self._counts[invoice])
        held = self.switches.hold(invoice, len(self.acted()))
        if held == "before":
            self.arrivals.append(Arrival(at, run_id, invoice, raw, who, acted=False, status=None))
            await self._never()
        if self.switches.latency:
            await asyncio.sleep(self.switches.latency)
        acted, answer = (False, scripted) if scripted and not scripted.acts else self._judged(run, who, raw)
        assert answer is not None
        if answer.status == 200:
            self._granted += 1
            if self.switches.drop_every and self._granted % self.switches.drop_every == 0:
                answer = Scripted(None)
        if scripted and scripted.acts:
            answer = scripted
        status = None if held == "after" else answer.status
        self.arrivals.append(Arrival(at, run_id, invoice, raw, who, acted, status))
        if held == "after":
            await self._never()
        if self.switches.late:
            await asyncio.sleep(self.switches.late)
        return answer

    async def _never(self) -> None:
        self.held += 1
        await asyncio.sleep(3600)

    def _judged(self, run: Run | None, who: str, raw: bytes) -> tuple[bool, Scripted]:
        if who != "reviewer":
            return False, Scripted(401, {"error": "no reviewer permission"})
        if run is None or run.forgotten:
            return False, Scripted(404, {"error": "Run not found"})
        body = json.loads(raw)
        if fault := _fault(body):
            return False, Scripted(422, {"error": fault})
        key = str(body["idempotencyKey"]).lower()
        if key in self._keys:
            same = self._keys[key] == run.run_id
            return False, Scripted(200, {"success": True}) if same else Scripted(422, {"error": "key of another run"})
        if run.status != "awaiting_review":
            if run.decisions and not run.cancelled:
                return False, Scripted(409, {"error": "A decision has already been submitted"})
            return False, Scripted(404, {"error": "Run is not awaiting review"})
        self._keys[key] = run.run_id
        run.decide(json.loads(raw))
        run.stale_left = self.switches.stale_readings
        return True, Scripted(200, {"success": True})

    # What carries it

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
                method, path, _ = line.split(" ")
                named = (item.partition(":") for item in fields)
                headers = {name.lower(): value.strip() for name, _, value in named}
                raw = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = await self._answer(method, path, headers.get("authorization", ""), raw)
                if answer.status is None:
                    break
                writer.write(_wire(answer))
                await writer.drain()
        self._writers.discard(writer)

    async def listen(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve until told to stop."""
        await self._up(0)
        ready.set()
        await stop.wait()
        await self._down()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.001)  # one turn of the loop, in which the closed connections let go of their sockets

    async def _up(self, port: int) -> None:
        self._listening = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=512)
        self.origin = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    async def _down(self) -> None:
        assert self._listening is not None
        self._listening.close()
        for writer in list(self._writers):
            with suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        await self._listening.wait_closed()


@contextmanager
def review_server(**switches: Any) -> Iterator[ReviewServer]:
    """Run the server in a thread of its own."""
    server, ready, stop = ReviewServer(**switches), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=server._loop.run_until_complete, args=(server.listen(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        server._loop.call_soon_threadsafe(stop.set)
        thread.join()
        server._loop.close()


def valid_uuid4(key: Any) -> bool:
    """Tell whether this is a UUID v4 as RFC 4122 writes it."""
    return isinstance(key, str) and UUID4.fullmatch(key) is not None


def _fault(body: Any) -> str | None:
    if not isinstance(body.get("approved"), bool):
        return "approved must be a boolean"
    if not valid_uuid4(body.get("idempotencyKey")):
        return "idempotencyKey is not a valid UUID"
    reason = body.get("rejectionReason")
    if not body["approved"] and not (isinstance(reason, str) and reason.strip()):
        return "rejectionReason is required"
    if "outputs" in body and not (body["approved"] and isinstance(body["outputs"], dict)):
        return "outputs must be an object, and belong to an approval"
    unknown = set(body) - {"approved", "outputs", "rejectionReason", "idempotencyKey"}
    return f"unknown fields: {sorted(unknown)}" if unknown else None


def _wire(answer: Scripted) -> bytes:
    content = json.dumps(answer.body).encode()
    lines = [
        f"HTTP/1.1 {answer.status} Whatever",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in answer.headers.items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def _iso(at: datetime | None = None) -> str:
    return (at or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
