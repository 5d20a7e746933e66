"""Webhooks, received by a small server of our own."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from simulator_process import simulator, until

SECRET = "whsec_of_the_tests"


class Receiver:
    """Takes deliveries; answers 503 to as many as `refuse` says."""

    def __init__(self, port: int) -> None:
        self.taken: list[tuple[dict[str, str], bytes]] = []
        self.refuse = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hooks"

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.taken]

    def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:  # noqa: N805  # `self` is the handler's, below
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:  # whoever was sending it was killed half way
                    self.close_connection = True
                    return
                status = 503 if receiver.refuse > 0 else 200
                receiver.refuse -= 1
                if status == 200:
                    receiver.taken.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        return Handler


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        thread.join()
        receiver.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def received(receiver: Receiver, count: int) -> list[dict[str, Any]]:
    return until(receiver.events, lambda events: len(events) >= count)


def test_a_review_and_its_end_are_told_signed_over_the_raw_body(receiver: Receiver) -> None:
    with simulator(knobs={"webhook-url": receiver.url, "review-over": "amount=10000"}, secret=SECRET) as api:
        run_id = api.post_start(b'{"data": {"amount": 12500.00, "recipient": "Acme Corp"}}').json()["runId"]
        (asked,) = received(receiver, 1)
        assert list(asked) == ["id", "event", "createdAt", "data"]
        assert asked["event"] == "human_review_requested"
        assert asked["data"] == {
            "runId": run_id,
            "procedureId": "proc_pay",
            "environment": "sandbox",
            "reviewTitle": "Approve payment of 12,500.00",
            "reviewData": {"amount": 12500.0, "recipient": "Acme Corp"},
        }
        api.review(run_id, {"approved": True, "idempotencyKey": str(uuid.uuid4())})
        ended = received(receiver, 2)[1]
        assert ended["event"] == "run_completed"
        assert ended["data"] == {
            "runId": run_id,
            "procedureId": "proc_pay",
            "environment": "sandbox",
            "status": "completed",
            "output": api.read(run_id).json()["output"],
        }
    for headers, body in receiver.taken:
        mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert headers["x-rapid-signature"] == f"sha256={mac}"


def test_a_rejection_is_told_as_a_failure_and_a_cancellation_is_not_told(receiver: Receiver) -> None:
    knobs = {"webhook-url": receiver.url, "review-over": "amount=10", "run-time": "80ms", "webhook-header": "X-Sig"}
    with simulator(knobs=knobs, secret=SECRET) as api:
        api.cancel(api.run_id({"amount": 1}))
        run_id = api.run_id({"amount": 11})
        received(receiver, 1)
        api.review(run_id, {"approved": False, "rejectionReason": "No", "idempotencyKey": str(uuid.uuid4())})
        events = received(receiver, 2)
        assert [event["event"] for event in events] == ["human_review_requested", "run_failed"]
        assert (events[1]["data"]["status"], events[1]["data"]["error"]) == ("failed", "No")
        assert "x-sig" in receiver.taken[0][0]


def test_a_delivery_that_is_refused_is_tried_again_and_repeats_are_the_same_bytes(receiver: Receiver) -> None:
    receiver.refuse = 2
    with simulator(knobs={"webhook-url": receiver.url, "webhook-repeat": 3}, secret=SECRET) as api:
        api.run_id({})
        received(receiver, 3)
    assert len({body for _, body in receiver.taken}) == 1


def test_a_receiver_that_is_not_there_yet_is_tried_again_and_holds_up_no_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    with simulator(knobs={"webhook-url": f"http://127.0.0.1:{port}/hooks"}, secret=SECRET) as api:
        run_id = api.run_id({})
        with receiving(port) as late:
            (event,) = received(late, 1)
        assert event["data"]["runId"] == run_id


def test_what_was_not_told_before_a_kill_is_told_after_it_and_the_rest_is_not_told_twice(
    receiver: Receiver, tmp_path: Path
) -> None:
    state = ("--state", str(tmp_path / "runs.db"))
    knobs = {"webhook-url": receiver.url, "run-time": "100ms"}
    with simulator(*state, knobs={**knobs, "run-time": 0}, secret=SECRET) as first:
        told = first.run_id({"n": 1})
        received(receiver, 1)
        first.kill()
    with simulator(*state, knobs=knobs, secret=SECRET) as second:
        untold = second.run_id({"n": 2})
        second.kill()
    with simulator(*state, knobs=knobs, secret=SECRET):
        events = received(receiver, 2)
        if events[-1]["data"]["runId"] == told:  # a kill between a delivery and its note repeats it
            events = received(receiver, 3)
        ids = [event["data"]["runId"] for event in events]
        assert ids[0] == told
        assert sorted(ids[1:]) in ([untold], sorted([told, untold]))
