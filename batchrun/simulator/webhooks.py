"""Sends webhooks when their moment comes: signed, repeated on failure, and not forgotten over a restart."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import orjson

from batchrun.simulator import answers
from batchrun.simulator.chance import token
from batchrun.simulator.clock import Clock
from batchrun.simulator.ledger import Ledger
from batchrun.simulator.runs import Run, Stage, Status, story

if TYPE_CHECKING:
    import httpx

_EVENTS = {
    Status.AWAITING_REVIEW: "human_review_requested",
    Status.COMPLETED: "run_completed",
    Status.FAILED: "run_failed",
}
_PAUSES = (0.1, 0.3, 1.0, 3.0, 10.0)  # seconds between tries; after the last the delivery waits for a restart
_AT_ONCE = 16
_PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where webhooks go, how they are signed, and how often each is sent."""

    url: str
    header: str
    repeat: int
    secret: str = field(repr=False)


def envelope(run: Run, stage: Stage, number: int) -> bytes:
    """Write the delivery of a run's stage; the same stage makes the same bytes each time."""
    event = _EVENTS[stage.status]
    data = {"runId": run.id, "procedureId": run.procedure, "environment": run.environment, **_told(run, stage)}
    delivery = f"delivery_{token(10, run.id.encode(), b'%d' % number)}"
    return orjson.dumps({"id": delivery, "event": event, "createdAt": answers.moment(stage.at), "data": data})


def signature(secret: str, body: bytes) -> str:
    """Sign the raw body: `sha256=` and the hex of its HMAC-SHA256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _told(run: Run, stage: Stage) -> dict[str, Any]:
    if stage.status is Status.AWAITING_REVIEW:
        return {"reviewTitle": run.fate.review_title, "reviewData": orjson.Fragment(run.fate.review_data)}
    if stage.status is Status.COMPLETED:
        return {"status": stage.status, "output": answers.output_of(run)}
    return {"status": stage.status, "error": stage.error}


class Webhooks:
    """Waits for the stages that callers are told of, and delivers them."""

    def __init__(self, target: Target, ledger: Ledger, clock: Clock) -> None:
        self._target = target
        self._ledger = ledger
        self._clock = clock
        self._due: list[tuple[int, str, int]] = []
        self._queued: Counter[str] = Counter()
        self._news = asyncio.Event()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        for run in ledger.runs():
            self._notice(run)
        ledger.watch(self._notice)

    async def run(self) -> None:
        """Deliver until cancelled."""
        import httpx  # only who asks for webhooks pays for it

        async with (
            httpx.AsyncClient(timeout=_PATIENCE, trust_env=False) as client,
            asyncio.TaskGroup() as deliveries,
        ):
            while True:
                await self._until_due()
                _, run_id, number = heappop(self._due)
                deliveries.create_task(self._deliver(client, run_id, number))

    def _notice(self, run: Run) -> None:
        stages = story(run)
        for number in range(self._queued[run.id], len(stages)):
            if stages[number].status in _EVENTS and not self._ledger.was_told(run.id, number):
                heappush(self._due, (stages[number].at, run.id, number))
        self._queued[run.id] = max(self._queued[run.id], len(stages))
        self._news.set()

    async def _until_due(self) -> None:
        while not self._due or self._due[0][0] > self._clock.now():
            self._news.clear()
            wait = (self._due[0][0] - self._clock.now()) / 1000 if self._due else None
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), wait)

    async def _deliver(self, client: httpx.AsyncClient, run_id: str, number: int) -> None:
        run = self._ledger.find(run_id)
        stages = story(run) if run else []
        if run is None or number >= len(stages) or stages[number].status not in _EVENTS:
            return  # cancelled before its moment came
        body = envelope(run, stages[number], number)
        for _ in range(self._target.repeat):
            if not await self._sent(client, body):
                return
        self._ledger.tell(run_id, number)

    async def _sent(self, client: httpx.AsyncClient, body: bytes) -> bool:
        headers = {"Content-Type": "application/json", self._target.header: signature(self._target.secret, body)}
        for pause in _PAUSES:
            if await self._taken(client, body, headers):
                return True
            await asyncio.sleep(pause)
        return await self._taken(client, body, headers)

    async def _taken(self, client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> bool:
        import httpx

        async with self._slots:
            try:
                return (await client.post(self._target.url, content=body, headers=headers)).is_success
            except (httpx.HTTPError, httpx.InvalidURL):
                return False
