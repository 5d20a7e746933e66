"""A static stand-in for the API, as fast as asyncio gets: a start is answered 202, a reading "completed".

It imports nothing of batchrun. As a script it prints its port, serves until it is terminated, and counts what came:
`GET /counts` tells starts, readings, how many rows came twice, and the busiest second.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from collections import Counter
from collections.abc import Sequence

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
RUN = (
    b'{"id":"%b","status":"completed","type":"api","environment":"sandbox","output":{"approved":true,"amount":19.99},'
    b'"error":null,"createdAt":"2026-10-01T12:00:00.000Z","completedAt":"2026-10-01T12:00:01.000Z",'
    b'"procedureVersionId":"v1"}'
)
RUNNING = b'{"id":"%b","status":"running","type":"api","environment":"sandbox","output":null,"error":null}'
STARTED = b'{"runId":"run_%d","status":"running","statusUrl":"/runs/run_%d"}'


class Counts:
    """What the server has seen."""

    def __init__(self, *, lasting: bool = False) -> None:
        self._run = RUNNING if lasting else RUN
        self.starts = 0
        self.readings = 0
        self.connections = 0
        self.bodies: Counter[bytes] = Counter()
        self.seconds: Counter[int] = Counter()
        self.moments = array("d")
        self.first_start = 0.0
        self.last = 0.0

    def told(self) -> bytes:
        """Give the counts as JSON."""
        found = {
            "starts": self.starts,
            "readings": self.readings,
            "connections": self.connections,
            "twice": sum(count - 1 for count in self.bodies.values()),
            "busiest_second": max(self.seconds.values(), default=0),
            "seconds": self.last - self.first_start,
            "busiest_window": most_within(self.moments, 1.0),
            "starting_seconds": self.moments[-1] - self.moments[0] if self.moments else 0.0,
        }
        return json.dumps(found).encode()

    def start(self, body: bytes) -> bytes:
        """Take a start."""
        now = time.monotonic()
        self.first_start = self.first_start or now
        self.last = now
        self.starts += 1
        self.bodies[body] += 1
        self.seconds[int(now)] += 1
        self.moments.append(now)
        answer = STARTED % (self.starts, self.starts)
        return ACCEPTED % (len(answer), answer)

    def reading(self, run_id: bytes) -> bytes:
        """Take a reading."""
        self.last = time.monotonic()
        self.readings += 1
        answer = self._run % run_id
        return OK % (len(answer), answer)


def most_within(moments: Sequence[float], seconds: float) -> int:
    """Give how many of some ascending moments lie in the fullest window of so many seconds."""
    first = most = 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


class Serving(asyncio.Protocol):
    """One connection. It trusts its callers: a request has a Content-Length, or no body."""

    def __init__(self, counts: Counts, latency: tuple[float, float]) -> None:
        self._counts = counts
        self._latency = latency
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._counts.connections += 1
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self._held) < end + 4 + length:
                return
            line, body = self._held[: self._held.index(b"\r")], self._held[end + 4 : end + 4 + length]
            self._held = self._held[end + 4 + length :]
            self._send(self._answer(line.split(b" "), body))

    def _send(self, answer: bytes) -> None:
        least, most = self._latency
        if most:
            wait = random.uniform(least, most)
            asyncio.get_running_loop().call_later(wait, self._transport.write, answer)  # type: ignore[attr-defined]
        else:
            self._transport.write(answer)  # type: ignore[attr-defined]

    def _answer(self, line: list[bytes], body: bytes) -> bytes:
        if line[0] == b"POST":
            return self._counts.start(body)
        if line[1] == b"/counts":
            told = self._counts.told()
            return OK % (len(told), told)
        return self._counts.reading(line[1].rsplit(b"/", 1)[1])


async def _serve(latency: tuple[float, float], *, lasting: bool) -> None:
    counts = Counts(lasting=lasting)
    server = await asyncio.get_running_loop().create_server(
        lambda: Serving(counts, latency), "127.0.0.1", 0, backlog=512
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    between = [float(word) / 1000 for word in sys.argv[1:3]]  # milliseconds, the least and the most
    asyncio.run(_serve((between[0], between[1]) if between else (0.0, 0.0), lasting="running" in sys.argv))
