"""Reading and cancelling runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from simulator_process import LIVE_KEY, SANDBOX_KEY, Simulator, simulator, until

FIELDS = [
    "id",
    "status",
    "type",
    "environment",
    "input",
    "output",
    "error",
    "startedAt",
    "completedAt",
    "createdAt",
    "procedureVersionId",
]
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def quick() -> Iterator[Simulator]:
    with simulator(knobs={"review-over": "amount=10000"}) as running:
        yield running


@pytest.fixture(scope="module")
def slow() -> Iterator[Simulator]:
    with simulator(knobs={"run-time": "1h"}) as running:
        yield running


def test_a_completed_run_shows_all_fields(quick: Simulator) -> None:
    run_id = quick.run_id({"amount": 5})
    run = quick.read(run_id).json()
    assert list(run) == FIELDS
    assert (run["id"], run["status"], run["type"], run["environment"]) == (run_id, "completed", "api", "sandbox")
    assert (run["input"], run["error"], run["procedureVersionId"]) == ({"amount": 5}, None, "pv_default")
    assert run["output"]["approved"] is True
    assert all(MOMENT.fullmatch(run[name]) for name in ("startedAt", "completedAt", "createdAt"))


def test_a_running_run_has_no_output_and_no_end(slow: Simulator) -> None:
    run = slow.read(slow.run_id({})).json()
    assert (run["status"], run["output"], run["error"], run["completedAt"]) == ("running", None, None, None)
    assert run["startedAt"]


def test_a_pending_run_has_not_started() -> None:
    with simulator(knobs={"pending-time": "1h"}) as queued:
        answer = queued.start({})
        assert answer.json()["status"] == "running"
        run = queued.read(answer.json()["runId"]).json()
        assert (run["status"], run["startedAt"]) == ("pending", None)
        assert queued.cancel(run["id"]).json()["status"] == "cancelled"


def test_a_failed_run_tells_its_error_and_has_no_output() -> None:
    with simulator(knobs={"failures": "100%"}) as failing:
        run = failing.read(failing.run_id({})).json()
        assert (run["status"], run["output"]) == ("failed", None)
        assert run["error"]
        assert run["completedAt"]


def test_the_version_id_follows_the_pin_unless_a_knob_names_one(quick: Simulator) -> None:
    pinned = quick.run_id({}, metadata={"procedureVersion": "v2"})
    assert quick.read(pinned).json()["procedureVersionId"] == "pv_v2"
    with simulator(knobs={"version-id": "pv_77"}) as named:
        assert named.read(named.run_id({})).json()["procedureVersionId"] == "pv_77"


def test_the_version_id_can_change_after_so_many_runs() -> None:
    with simulator(knobs={"new-version": "2=pv_new"}) as changing:
        versions = [changing.read(changing.run_id({"n": n})).json()["procedureVersionId"] for n in range(4)]
        assert versions == ["pv_default", "pv_default", "pv_new", "pv_new"]


def test_the_output_follows_a_template_and_keeps_exact_amounts(tmp_path: Path) -> None:
    template = tmp_path / "output.json"
    template.write_text(
        json.dumps({"paid": "{amount}", "to": "Paid to {payee.name}", "none": "{x.y}", "run": "{$runId}"})
    )
    with simulator(knobs={"output": template}) as templated:
        run_id = templated.post_start(b'{"data": {"amount": 19.90, "payee": {"name": "Acme"}}}').json()["runId"]
        text = templated.read(run_id).text
        assert f'"output":{{"paid":19.90,"to":"Paid to Acme","none":null,"run":"{run_id}"}}' in text


def test_an_unknown_run_is_answered_404_everywhere(quick: Simulator) -> None:
    assert quick.read("run_nothing").status_code == 404
    assert quick.cancel("run_nothing").status_code == 404


def test_a_read_and_a_cancel_need_a_key(quick: Simulator) -> None:
    run_id = quick.run_id({})
    assert quick.read(run_id, key=None).status_code == 401
    assert quick.read(run_id, key="sk_x").status_code == 401
    assert quick.cancel(run_id, key=None).status_code == 401


def test_a_live_key_does_not_see_a_sandbox_run(quick: Simulator) -> None:
    run_id = quick.run_id({})
    assert quick.read(run_id, key=LIVE_KEY).status_code == 404
    assert quick.read(run_id, key=SANDBOX_KEY).status_code == 200


def test_a_running_run_is_cancelled_once_and_for_all(slow: Simulator) -> None:
    run_id = slow.run_id({})
    answer = slow.cancel(run_id)
    assert (answer.status_code, answer.json()["status"], answer.json()["id"]) == (200, "cancelled", run_id)
    assert slow.read(run_id).json() == answer.json()
    assert slow.cancel(run_id).status_code == 409


def test_a_run_that_ended_or_awaits_a_review_is_not_cancelled(quick: Simulator) -> None:
    assert quick.cancel(quick.run_id({"amount": 1})).status_code == 409
    assert quick.cancel(quick.run_id({"amount": 10001})).status_code == 409


def test_a_caller_that_waits_hears_of_a_cancellation_at_once(slow: Simulator) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slow.start, {"sync": True}, control={"executionMode": "sync"})
        (run,) = until(lambda: [run for run in slow.runs() if run["input"] == {"sync": True}], bool)
        slow.cancel(run["id"])
        answer = waiting.result(5)
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
