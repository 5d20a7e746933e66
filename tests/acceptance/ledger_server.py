"""A server that breaks its answers and writes down every run that it accepts, and the check of that ledger.

The ledger is held against the journal, read as SQL, and against the workbook: no code of batchrun is in it.
"""

from __future__ import annotations

import asyncio
import csv
import json
import random
import socket
import sqlite3
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from finance_desk import Desk, Outcome, Results, leaks, until
from independent_server import CANCEL, READ, Answer, IndependentServer, Request, _wire

Data = Mapping[str, Any]
IN_THE_DARK = {"in_doubt", "sending"}  # a row whose run the journal may not know
NO_RUN = {"ready", "refused", "invalid", "duplicate"}  # a row that must have none
OPEN = {"pending", "running", "awaiting_review"}


class Fault(StrEnum):
    """How one answer to a start is broken. Those of BEFORE start no run."""

    BUSY_503 = "503 before accepting"
    SLOW_DOWN_429 = "429"
    REFUSED_422 = "422"
    HTML_502_BEFORE = "502 in HTML before accepting"
    HANG_UP_BEFORE = "the connection closed before accepting"
    RESET = "the connection reset after accepting"
    HANG_UP = "the connection closed after accepting"
    CUT = "the answer cut after some bytes"
    CUT_NO_LENGTH = "the answer without its length, cut after some bytes"
    ERROR_500 = "500 after accepting"
    HTML_502 = "502 in HTML after accepting"
    EMPTY_200 = "200 without a word"
    TIMEOUT_504 = "504 without a run id"
    STALL = "the answer late, but whole"


BEFORE = frozenset(
    {Fault.BUSY_503, Fault.SLOW_DOWN_429, Fault.REFUSED_422, Fault.HTML_502_BEFORE, Fault.HANG_UP_BEFORE}
)
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
Plan = Callable[[str, int], Fault | None]


def no_faults(_key: str, _attempt: int) -> Fault | None:
    """Break nothing."""
    return None


def one_in_three(seed: int, faults: Sequence[Fault] = tuple(Fault)) -> Plan:
    """Break a third of all answers, each time the same ones."""

    def plan(key: str, attempt: int) -> Fault | None:
        dice = random.Random(f"{seed}:{key}:{attempt}")
        return dice.choice(faults) if dice.random() < 1 / 3 else None

    return plan


def for_keys(fault: Fault, *numbers: int) -> Plan:
    """Break the answer to the first request of some invoices."""
    keys = {f"{number:05d}" for number in numbers}
    return lambda key, attempt: fault if key in keys and attempt == 1 else None


class LedgerServer(IndependentServer):
    """The API, with a plan of faults by invoice and attempt; `runs` is the ledger, `fired` what was broken."""

    def __init__(self, **switches: Any) -> None:
        super().__init__(**switches)
        self.plan: Plan = no_faults
        self.break_reads: Callable[[int], bool] = lambda count: False
        self.read_seconds = 0.0
        self.fired: Counter[Fault] = Counter()
        self.attempts: Counter[str] = Counter()
        self.reads = 0
        self.cancelled: set[str] = set()
        self.connections = 0  # on which a request came
        self.asleep = 0  # connections that wait on purpose, and on which nothing will be accepted any more
        self._loop = asyncio.get_event_loop_policy().new_event_loop()
        self._listening: asyncio.Server | None = None
        self._spoken: set[asyncio.StreamWriter] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    def accepted(self, key: str) -> list[str]:
        """Give the runs that were accepted for an invoice."""
        return [run.run_id for run in self.runs.values() if run.data["invoiceNumber"] == key]

    def settle(self) -> None:
        """Wait until all that had reached the server has been written down."""
        asyncio.run_coroutine_threadsafe(self._drained(), self._loop).result(10)
        until(lambda: self.connections - self.asleep, lambda count: count == 0)

    async def _drained(self) -> None:
        for _ in range(3):  # what a dead client sent is in the sockets, and is read in the next turns of the loop
            await asyncio.sleep(0.01)

    def go_down(self) -> None:
        """Close the port and every connection."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result(10)

    def come_back(self) -> None:
        """Listen on the same port again."""
        asyncio.run_coroutine_threadsafe(self._up(int(self.origin.rsplit(":", 1)[1])), self._loop).result(10)

    async def _started(self, request: Request, procedure: str, environment: str) -> Answer:
        key = str(request.json["data"]["invoiceNumber"])
        self.attempts[key] += 1
        fault = self.plan(key, self.attempts[key])
        if fault is None:
            return await super()._started(request, procedure, environment)
        self.fired[fault] += 1
        if fault in BEFORE:
            return _unaccepted(fault)
        answer = await super()._started(request, procedure, environment)
        if answer.status == 422:
            return answer
        return await _broken(fault, answer, random.Random(f"{key}:{self.attempts[key]}"))

    def _accepted(self, procedure: str, environment: str, data: Data) -> Any:
        self.asleep += self.switches.never_answer(data)
        return super()._accepted(procedure, environment, data)

    async def respond(self, request: Request) -> Answer:
        """Answer one request; a cancellation is answered too."""
        if request.key == "right" and request.method == "POST" and (cancel := CANCEL.fullmatch(request.path)):
            return self._cancel(cancel[1])
        if request.key == "right" and request.method == "GET" and READ.fullmatch(request.path):
            self.reads += 1
            if self.read_seconds:
                self.asleep += 1
                await asyncio.sleep(self.read_seconds)
                self.asleep -= 1
            if self.break_reads(self.reads):
                return Answer(500, {"error": "Internal error"})
        return await super().respond(request)

    def _cancel(self, run_id: str) -> Answer:
        run = self.runs.get(run_id)
        if run is None:
            return Answer(404, {"error": "Run not found"})
        if self._state(run)[0] != "running":
            return Answer(409, {"error": "Run cannot be cancelled"})
        self.cancelled.add(run_id)
        return Answer(200, {"success": True})

    def _state(self, run: Any) -> tuple[str, str | None]:
        return ("cancelled", None) if run.run_id in self.cancelled else super()._state(run)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with closing(writer), suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self._writers.discard(writer)
            self.connections -= writer in self._spoken
            self._spoken.discard(writer)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await self._request(reader, writer.get_extra_info("peername"))
        self.connections += writer not in self._spoken
        self._spoken.add(writer)
        self.requests.append(request)
        answer = await self.respond(request)
        if isinstance(answer, Broken):
            if answer.reset:
                _abort(writer)
            else:
                writer.write(answer.bytes)
                await writer.drain()
            return answer.goes_on
        if answer.status is None:
            return False
        writer.write(_wire(answer))
        await writer.drain()
        return True

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
        await asyncio.sleep(0.001)

    async def _up(self, port: int) -> None:
        self._listening = await asyncio.start_server(self._serve, sock=self.timed_socket(port), backlog=512)
        self.origin = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    async def _down(self) -> None:
        assert self._listening is not None
        self._listening.close()
        for writer in list(self._writers):
            _abort(writer)
        await self._listening.wait_closed()


@dataclass(frozen=True)
class Broken(Answer):
    """Bytes as they go out, whole or not."""

    bytes: bytes = b""
    reset: bool = False
    goes_on: bool = False


def _unaccepted(fault: Fault) -> Answer:
    if fault is Fault.BUSY_503:
        return Answer(503, {"error": "Service unavailable"})
    if fault is Fault.SLOW_DOWN_429:
        return Answer(429, {"error": "Too many requests"}, {"Retry-After": "0"})
    if fault is Fault.REFUSED_422:
        return Answer(422, {"error": "vendor is blocked"})
    return Broken(200) if fault is Fault.HANG_UP_BEFORE else _html()


async def _broken(fault: Fault, answer: Answer, dice: random.Random) -> Answer:
    if fault is Fault.RESET:
        return Broken(200, reset=True)
    if fault in (Fault.CUT, Fault.CUT_NO_LENGTH):
        return _cut(answer, dice, length=fault is Fault.CUT)
    if fault is Fault.STALL:
        await asyncio.sleep(0.25)
        return answer
    others = {
        Fault.HANG_UP: Broken(200),
        Fault.ERROR_500: Answer(500, {"error": "Internal error"}),
        Fault.HTML_502: _html(),
        Fault.EMPTY_200: Answer(200, {}),
        Fault.TIMEOUT_504: Answer(504, {"error": "upstream timed out"}),
    }
    return others[fault]


def _cut(answer: Answer, dice: random.Random, *, length: bool) -> Broken:
    whole = _wire(answer)
    if not length:
        whole = b"\r\n".join(line for line in whole.split(b"\r\n") if not line.startswith(b"Content-Length"))
    return Broken(200, bytes=whole[: dice.randrange(1, len(whole))])


def _html() -> Broken:
    head = f"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: {len(HTML)}\r\n\r\n"
    return Broken(502, bytes=(head + HTML).encode(), goes_on=True)


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def at_a_ledger(folder: Path, desk: type[LedgerDesk] | None = None, **switches: Any) -> Iterator[LedgerDesk]:
    """Give a desk whose server keeps a ledger; afterwards, nothing that either left behind holds a key."""
    server = LedgerServer(**switches)
    ready, stop = threading.Event(), asyncio.Event()
    loop = server._loop
    thread = threading.Thread(target=loop.run_until_complete, args=(server.listen(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield (desk or LedgerDesk)(folder, server)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
    assert leaks(folder) == []


class LedgerDesk(Desk):
    """A desk, and what its journal says."""

    server: LedgerServer

    def __init__(self, folder: Path, server: LedgerServer) -> None:
        super().__init__(folder, server)
        self.server = server

    @contextmanager
    def sending(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Let the job run beside the test, and not beyond it."""
        with self.started("run", "payouts.yaml", "--json", *words) as process:
            try:
                yield process
            finally:
                process.kill()

    def json(self, command: str, *words: str | Path, batch: str = "last", **more: Any) -> Outcome:
        """Run a command on a batch, and hold its document to be complete."""
        outcome = self.command(command, batch, *words, "--json", **more)
        assert set(outcome.document) == DOCUMENT_KEYS
        return outcome

    def rows(self) -> list[JournalRow]:
        """Read the rows of the last batch from the journal, as SQL."""
        with _opened(self.journal) as journal:
            last = journal.execute("SELECT max(id) FROM batches WHERE name IS NOT NULL").fetchone()[0]
            wanted = "SELECT number, state, json_extract(key, '$[0]'), run_id, attempts FROM rows"
            found = journal.execute(f"{wanted} WHERE batch_id = ? ORDER BY position", (last,))
            return [JournalRow(*row) for row in found]

    def states(self) -> dict[str, int]:
        """Count the rows of the last batch by state."""
        return dict(Counter(row.state for row in self.rows()))

    def row(self, key: str) -> JournalRow:
        """Give one row by its invoice number."""
        return next(row for row in self.rows() if row.key == key)

    def has_batch(self) -> bool:
        """Tell whether the journal holds a batch."""
        with suppress(sqlite3.OperationalError):  # a journal in which no table has been made yet
            return bool(self.ask_journal("SELECT 1 FROM batches WHERE name IS NOT NULL"))
        return False

    def tell_journal(self, statement: str, *values: Any) -> None:
        """Change the journal behind its back."""
        with _opened(self.journal) as journal:
            journal.execute(statement, values)
            journal.commit()

    def ask_journal(self, statement: str, *values: Any) -> list[Any]:
        """Ask the journal behind its back."""
        with _opened(self.journal) as journal:
            return journal.execute(statement, values).fetchall()

    def settle_by_ledger(self) -> int:
        """Settle every row in doubt as the server knows it; give how many rows those were."""
        self.server.settle()
        doubted = [row for row in self.rows() if row.state == "in_doubt"]
        known = Counter(run.data["invoiceNumber"] for run in self.server.runs.values())
        held = {row.run_id for row in self.rows() if row.run_id}
        runs = {run.data["invoiceNumber"]: run.run_id for run in self.server.runs.values() if run.run_id not in held}
        found = [(row.number, runs[row.key]) for row in doubted if known[row.key]]
        if found:
            with (self.folder / "found.csv").open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("row", "run_id"), *found])
            self.json("resolve", "--run-ids", "found.csv").ended(0)
        if len(found) < len(doubted):
            self.json("resolve", "--all-not-run", "--yes").ended(0)
        return len(doubted)


DOCUMENT_KEYS = {
    *("version", "batch", "job", "environment", "rows", "runs"),
    *("counts", "totals", "workbook", "stopped", "next", "error"),
}


@dataclass(frozen=True)
class JournalRow:
    """One row as the journal holds it."""

    number: int
    state: str
    key: str
    run_id: str | None
    attempts: int


@dataclass
class Ledger:
    """What the comparison found; each list names invoices or run ids."""

    accepted: int = 0
    duplicated: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    mistaken: list[str] = field(default_factory=list)

    def holds(self) -> Ledger:
        """Hold it to no run too many and no run too few."""
        assert self.duplicated == [], "accepted twice"
        assert self.lost == [], "accepted, and neither known nor in doubt"
        assert self.invented == [], "known, and never accepted"
        assert self.mistaken == [], "another row's run"
        return self


def ledger_of(desk: LedgerDesk) -> Ledger:
    """Compare what the server accepted with what the journal knows."""
    desk.server.settle()
    rows = {row.key: row for row in desk.rows()} if desk.journal.exists() and desk.has_batch() else {}
    runs = list(desk.server.runs.values())
    payloads = Counter(json.dumps(run.data, sort_keys=True, default=str) for run in runs)
    known = {run_id for (run_id,) in desk.ask_journal("SELECT run_id FROM run_ids")} if rows else set()
    ledger = Ledger(accepted=len(runs), duplicated=[text for text, count in payloads.items() if count > 1])
    ledger.duplicated += [key for key, count in Counter(desk.server.sent("invoiceNumber")).items() if count > 1]
    for run in runs:
        row = rows.get(run.data["invoiceNumber"])
        if run.run_id not in known:
            ledger.unknown.append(run.run_id)
            if row is None or row.state not in IN_THE_DARK:
                ledger.lost.append(run.run_id)
        elif row is None or row.run_id != run.run_id or row.state in NO_RUN:
            ledger.mistaken.append(run.run_id)
    ledger.invented = sorted(known - set(desk.server.runs))
    return ledger


def workbook_agrees(desk: LedgerDesk, outcome: Outcome) -> Results:
    """Hold a workbook to what the journal says, row by row."""
    results = Results(Path(outcome.document["workbook"]))
    shown = [(row["_row"], row["_status"], row["Invoice No"], row["_run_id"], row["_attempts"]) for row in results.rows]
    assert shown == [(row.number, row.state, row.key, row.run_id, row.attempts) for row in desk.rows()]
    return results


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    journal = sqlite3.connect(path, timeout=30)
    try:
        yield journal
    finally:
        journal.close()
