"""The stand-in for reviews does itself what API.md says; else what it counts would prove nothing."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from review_server import RUNNER_KEY, Kind, ReviewServer, Scripted, review_server


class Caller:
    """Calls the server as a program would."""

    def __init__(self, server: ReviewServer, http: httpx.Client) -> None:
        self.server = server
        self.http = http

    def start(self, kind: Kind, invoice: str = "00001") -> str:
        body = {"data": {"invoiceNumber": invoice, "amount": 1, "kind": kind}, "control": {"executionMode": "sync"}}
        return str(self.http.post("/v1/procedures/proc_x/sandbox", json=body).json()["runId"])

    def status(self, run_id: str) -> str:
        return str(self.http.get(f"/runs/{run_id}").json()["status"])

    def decide(self, run_id: str, key: str | None = None, **body: Any) -> int:
        whole = {"approved": True, "idempotencyKey": key or str(uuid.uuid4())} | body
        return self.http.post(f"/api/runner-proxy/review/{run_id}", json=whole).status_code


@pytest.fixture
def caller() -> Iterator[Caller]:
    with (
        review_server() as server,
        httpx.Client(base_url=server.origin, headers={"Authorization": f"Bearer {RUNNER_KEY}"}) as http,
    ):
        yield Caller(server, http)


def test_a_decision_acts_once_and_the_same_key_returns_the_first(caller: Caller) -> None:
    run, key = caller.start(Kind.ONCE), str(uuid.uuid4())
    assert caller.status(run) == "awaiting_review"
    assert [caller.decide(run, key), caller.decide(run, key)] == [200, 200]
    assert caller.status(run) == "completed"
    assert [one.acted for one in caller.server.of("00001")] == [True, False]
    assert caller.decide(run) == 409


def test_what_is_false_is_refused(caller: Caller) -> None:
    run, other, key = caller.start(Kind.ONCE), caller.start(Kind.ONCE, "00002"), str(uuid.uuid4())
    passed = caller.start(Kind.PASS, "00003")
    assert caller.decide(run, approved="yes") == 422
    assert caller.decide(run, approved=False) == 422
    assert caller.decide(run, approved=False, rejectionReason=" ") == 422
    assert caller.decide(run, str(uuid.uuid1())) == 422
    assert caller.decide(run, outputs=[]) == 422
    assert caller.decide("run_nobody") == 404
    assert caller.decide(passed) == 404
    assert caller.decide(run, key) == 200
    assert caller.decide(other, key) == 422
    assert [one.invoice for one in caller.server.acted()] == ["00001"]


def test_a_rejection_fails_the_run_with_its_reason(caller: Caller) -> None:
    run = caller.start(Kind.ONCE)
    assert caller.decide(run, approved=False, rejectionReason="not ours") == 200
    read = caller.http.get(f"/runs/{run}").json()
    assert (read["status"], read["error"]) == ("failed", "not ours")


def test_a_second_review_wants_a_second_key(caller: Caller) -> None:
    run, key = caller.start(Kind.TWICE), str(uuid.uuid4())
    assert caller.decide(run, key) == 200
    assert caller.status(run) == "awaiting_review"
    assert caller.decide(run, key) == 200
    assert caller.status(run) == "awaiting_review"
    assert caller.decide(run, outputs={"a": 1}) == 200
    assert caller.status(run) == "completed"


def test_a_slow_run_still_runs_for_some_readings(caller: Caller) -> None:
    run = caller.start(Kind.SLOW)
    assert caller.decide(run) == 200
    assert [caller.status(run) for _ in range(3)] == ["running", "running", "completed"]


def test_it_drops_scripts_and_wants_the_right_key(caller: Caller) -> None:
    server = caller.server
    server.switches.drop_every = 2
    first, second = caller.start(Kind.ONCE), caller.start(Kind.ONCE, "00002")
    assert caller.decide(first) == 200
    with pytest.raises(httpx.RemoteProtocolError):
        caller.decide(second)
    assert [one.acted for one in server.arrivals] == [True, True]
    assert server.arrivals[1].status is None

    third = caller.start(Kind.ONCE, "00003")
    server.switches.script = lambda invoice, arrival: Scripted(503, {"error": "no"}, acts=arrival == 2)
    assert [caller.decide(third), caller.decide(third)] == [503, 503]
    assert [one.acted for one in server.of("00003")] == [False, True]

    server.switches.reviewer_keys = {"another"}
    server.switches.script = lambda invoice, arrival: None
    assert caller.decide(third) == 401


def test_it_goes_down_and_comes_back(caller: Caller) -> None:
    run = caller.start(Kind.ONCE)
    caller.server.go_down()
    with pytest.raises(httpx.ConnectError):
        caller.status(run)
    caller.server.come_back()
    assert caller.status(run) == "awaiting_review"
