"""A quick stand-in for the API that tells by webhook how its runs end, and counts who asks all the same.

Written from API.md alone; no code of batchrun is in it. An invoice's number decides what becomes of its run.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

SECRET = "whsec_CANARY7f3a91c2d4"
POSTERS = 8


def story(number: int) -> str:
    """Say how an invoice's run ends, or that it waits for a review."""
    if number % 10 == 3:
        return "awaiting_review"
    return "failed" if number % 50 == 7 else "completed"


def story_output(number: int) -> dict[str, Any]:
    """Say what a completed run gives."""
    return {"approved": True, "transactionId": f"txn_{number}"}


@dataclass
class WebhookServer:
    """The API on a loopback port. `starts` and `reads` count what came, by invoice; `told` what the listener took."""

    run_seconds: float = 0.2
    silent: bool = False  # keep the webhooks back
    listener: str = ""
    origin: str = ""
    starts: Counter[int] = field(default_factory=Counter)
    reads: Counter[int] = field(default_factory=Counter)
    told: Counter[int] = field(default_factory=Counter)
    _waiting: deque[tuple[float, int]] = field(default_factory=deque)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def answer(self, method: str, path: str, body: bytes) -> bytes:
        """Answer one request."""
        if method == "POST" and path.startswith("/v1/procedures/"):
            number = int(json.loads(body)["data"]["invoiceNumber"])
            self.starts[number] += 1
            self._waiting.append((time.monotonic() + self.run_seconds, number))
            return _wire(202, {"runId": f"run_{number}", "status": "running", "statusUrl": f"/runs/run_{number}"})
        number = int(path.rsplit("_", 1)[1])
        self.reads[number] += 1
        state = story(number)
        output = story_output(number) if state == "completed" else None
        error = "limit reached" if state == "failed" else None
        return _wire(200, {"id": f"run_{number}", "status": state, "output": output, "error": error})

    def tell_all(self, numbers: list[int]) -> None:
        """Deliver what became of some runs, and wait until all of it was taken."""
        asyncio.run_coroutine_threadsafe(self._tell_each(numbers), self._loop).result(60)

    async def _tell_each(self, numbers: list[int]) -> None:
        left = list(numbers)

        async def some() -> None:
            with Poster(self) as poster:
                while left:
                    await self._tell(poster, left.pop(0))

        await asyncio.gather(*(some() for _ in range(POSTERS)))

    async def post_for_ever(self) -> None:
        """Deliver what is due, in the order in which the runs were accepted."""
        with Poster(self) as poster:
            while True:
                if self.silent or not self._waiting or self._waiting[0][0] > time.monotonic():
                    await asyncio.sleep(0.01)
                else:
                    await self._tell(poster, self._waiting.popleft()[1])

    async def _tell(self, poster: Poster, number: int) -> None:
        body = _envelope(number)
        for _ in range(2 if number % 20 == 1 else 1):  # deliveries repeat
            while not await poster.post(body):
                await asyncio.sleep(0.05)
        self.told[number] += 1

    async def listen(self, ready: threading.Event, stop: asyncio.Event) -> None:
        """Serve and deliver until told to stop."""
        listening = await self._loop.create_server(lambda: _Client(self), "127.0.0.1", 0, backlog=512)
        self.origin = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        posters = [asyncio.ensure_future(self.post_for_ever()) for _ in range(POSTERS)]
        ready.set()
        await stop.wait()
        listening.close()
        for task in posters:
            task.cancel()
        await asyncio.gather(*posters, return_exceptions=True)
        await listening.wait_closed()
        await asyncio.sleep(0.01)


class _Client(asyncio.Protocol):
    """One connection of a client: requests in, answers out."""

    def __init__(self, server: WebhookServer) -> None:
        self._server = server
        self._read = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) >= 0:
            head = self._read[:end].decode("latin-1")
            length = _length(head)
            if len(self._read) < end + 4 + length:
                return
            body, self._read = self._read[end + 4 : end + 4 + length], self._read[end + 4 + length :]
            method, path, _ = head.split("\r\n", 1)[0].split(" ")
            self._transport.write(self._server.answer(method, path, body))


class Poster:
    """One connection to the listener; a delivery is posted until it is acknowledged."""

    def __init__(self, server: WebhookServer) -> None:
        self._server = server
        self._writer: asyncio.StreamWriter | None = None

    def __enter__(self) -> Poster:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def post(self, body: bytes) -> bool:
        """Post one delivery; False where it was not acknowledged."""
        try:
            return await self._post(body)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return False

    async def _post(self, body: bytes) -> bool:
        parts = urlsplit(self._server.listener)
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(parts.hostname, parts.port)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"X-Rapid-Signature: sha256={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._writer.write(head.encode() + body)
        answered = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        await self._reader.readexactly(_length(answered))
        return answered.split(" ")[1] == "200"

    def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
        self._writer = None


@contextmanager
def webhook_server(**switches: Any) -> Iterator[WebhookServer]:
    """Run the server in a thread of its own."""
    server, ready, stop = WebhookServer(**switches), threading.Event(), asyncio.Event()
    loop = server._loop
    thread = threading.Thread(target=loop.run_until_complete, args=(server.listen(ready, stop),))
    thread.start()
    try:
        assert ready.wait(10)
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def _envelope(number: int) -> bytes:
    event = {"awaiting_review": "human_review_requested", "failed": "run_failed", "completed": "run_completed"}
    state = story(number)
    told: dict[str, Any] = {
        "awaiting_review": {"reviewTitle": f"Invoice {number}", "reviewData": {"amount": number}},
        "failed": {"status": "failed", "error": "limit reached"},
        "completed": {"status": "completed", "output": story_output(number)},
    }[state]
    data = {"runId": f"run_{number}", "procedureId": "proc_payout", "environment": "sandbox", **told}
    made = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"id": f"delivery_{number}", "event": event[state], "createdAt": made, "data": data}).encode()


def _length(head: str) -> int:
    found = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    return int(found[0].partition(":")[2]) if found else 0


def _wire(status: int, body: Any) -> bytes:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content
