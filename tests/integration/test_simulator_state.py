"""The state file: runs survive a stop and a kill."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from simulator_process import simulator, until


def test_every_run_that_was_answered_survives_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "state" / "runs.db")
    answered: list[str] = []
    with simulator("--state", state) as killed, ThreadPoolExecutor(4) as pool:

        def send(worker: int) -> None:
            try:
                for number in range(10_000):
                    answered.append(killed.run_id({"worker": worker, "number": number}))
            except httpx.TransportError:
                return

        workers = [pool.submit(send, worker) for worker in range(4)]
        until(lambda: len(answered), lambda count: count >= 60)
        killed.kill()
        for worker in workers:
            worker.result()
    with simulator("--state", state) as again:
        kept = [run["id"] for run in again.runs()]
        assert set(answered) <= set(kept)
        assert len(kept) <= len(answered) + 4


def test_a_run_goes_on_while_the_simulator_is_down_and_nothing_decided_is_forgotten(tmp_path: Path) -> None:
    options = ("--seed", "5", "--state", str(tmp_path / "runs.db"))
    key = str(uuid.uuid4())
    with simulator(*options, knobs={"run-time": "150ms", "review-over": "amount=10"}) as first:
        paused = first.run_id({"amount": 11})
        first.wait_for(paused, "awaiting_review")
        running = first.post_start(b'{"data": {"amount": 9.90}}').json()["runId"]
        cancelled = first.run_id({"amount": 8})
        first.cancel(cancelled)
        decided = first.run_id({"amount": 12})
        first.wait_for(decided, "awaiting_review")
        first.review(decided, {"approved": True, "outputs": {"x": 1}, "idempotencyKey": key})
        first.wait_for(decided, "completed")
        before = [first.read(run_id).text for run_id in (paused, cancelled, decided)]
        first.kill()
    # The second one has other knobs: they change no run that exists.
    with simulator(*options, knobs={"run-time": "1h", "failures": 1}) as second:
        assert [second.read(run_id).text for run_id in (paused, cancelled, decided)] == before
        second.wait_for(running, "completed")
        assert '"input":{"amount": 9.90}' in second.read(running).text
        assert second.review(decided, {"approved": True, "idempotencyKey": key}).status_code == 200
        assert second.review(paused, {"approved": True, "idempotencyKey": key}).status_code == 409
        assert second.run_id({"amount": 11}) not in {paused, running, cancelled, decided}


def test_chance_goes_on_where_it_was(tmp_path: Path) -> None:
    knobs = {"errors-429": "50%"}

    def statuses(count: int, *options: str) -> list[int]:
        with simulator("--seed", "1", *options, knobs=knobs) as api:
            return [api.start({}).status_code for _ in range(count)]

    state = ("--state", str(tmp_path / "runs.db"))
    assert statuses(6, *state) + statuses(6, *state) == statuses(12)
