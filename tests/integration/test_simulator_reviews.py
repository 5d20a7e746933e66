"""Review decisions: the reference document, line by line."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from simulator_process import LIVE_KEY, Simulator, simulator


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with simulator(knobs={"review-over": "amount=10000"}) as running:
        yield running


@pytest.fixture
def paused(api: Simulator) -> str:
    run_id = api.run_id({"amount": 12500})
    assert api.read(run_id).json()["status"] == "awaiting_review"
    return run_id


def approval(**more: object) -> dict[str, object]:
    return {"approved": True, "idempotencyKey": str(uuid.uuid4()), **more}


def rejection(reason: str = "Amount exceeds policy") -> dict[str, object]:
    return {"approved": False, "rejectionReason": reason, "idempotencyKey": str(uuid.uuid4())}


def test_only_amounts_above_the_limit_pause(api: Simulator) -> None:
    statuses = [api.read(api.run_id(data)).json()["status"] for data in ({"amount": 10000}, {"amount": "10000.01"}, {})]
    assert statuses == ["completed", "awaiting_review", "completed"]


def test_an_approved_run_completes(api: Simulator, paused: str) -> None:
    answer = api.review(paused, approval())
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert api.read(paused).json()["status"] == "completed"


def test_an_approved_run_goes_back_to_running_first() -> None:
    with simulator(knobs={"reviews": "100%", "run-time": "150ms"}) as slow:
        run_id = slow.run_id({})
        slow.wait_for(run_id, "awaiting_review")
        slow.review(run_id, approval())
        assert slow.read(run_id).json()["status"] == "running"
        slow.wait_for(run_id, "completed")


def test_a_reviewers_outputs_are_merged_into_the_output(api: Simulator, paused: str) -> None:
    api.review(paused, approval(outputs={"overrideAmount": 4500, "approved": "by hand"}))
    output = api.read(paused).json()["output"]
    assert (output["overrideAmount"], output["approved"]) == (4500, "by hand")
    assert output["transactionId"].startswith("txn_")


def test_a_rejected_run_fails_with_the_reason_as_its_error(api: Simulator, paused: str) -> None:
    assert api.review(paused, rejection("Too much")).status_code == 200
    run = api.read(paused).json()
    assert (run["status"], run["error"], run["output"]) == ("failed", "Too much", None)
    assert run["completedAt"]


def test_the_same_key_and_run_again_is_answered_200_and_the_first_decision_stands(api: Simulator, paused: str) -> None:
    first = approval()
    api.review(paused, first)
    again = api.review(paused, {**rejection(), "idempotencyKey": str(first["idempotencyKey"]).upper()})
    assert (again.status_code, again.json()) == (200, {"success": True})
    assert api.read(paused).json()["status"] == "completed"


def test_the_same_key_with_another_run_is_answered_409(api: Simulator, paused: str) -> None:
    decision = approval()
    api.review(paused, decision)
    other = api.run_id({"amount": 20000})
    answer = api.review(other, decision)
    assert answer.status_code == 409
    assert "another run" in answer.json()["error"]
    assert api.read(other).json()["status"] == "awaiting_review"


def test_a_second_decision_is_answered_409(api: Simulator, paused: str) -> None:
    api.review(paused, rejection())
    assert api.review(paused, approval()).status_code == 409


def test_a_run_that_does_not_exist_or_does_not_wait_is_answered_404(api: Simulator) -> None:
    assert api.review("run_nothing", approval()).status_code == 404
    assert api.review(api.run_id({"amount": 1}), approval()).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"approved": None},
        {"approved": "yes"},
        {"outputs": [1]},
        {"approved": False},
        {"approved": False, "rejectionReason": "  "},
        {"approved": False, "rejectionReason": 7},
        {"idempotencyKey": None},
        {"idempotencyKey": "abc"},
        {"idempotencyKey": "550e8400-e29b-11d4-a716-446655440000"},  # version 1
        {"idempotencyKey": "550e8400-e29b-41d4-c716-446655440000"},  # version 4 of another variant
        {"idempotencyKey": "550e8400e29b41d4a716446655440000"},
    ],
)
def test_a_decision_that_says_too_little_is_answered_422_and_changes_nothing(
    api: Simulator, paused: str, wrong: dict[str, object]
) -> None:
    answer = api.review(paused, {**approval(), **wrong})
    assert answer.status_code == 422
    assert api.read(paused).json()["status"] == "awaiting_review"


def test_an_unknown_field_of_a_decision_is_answered_400(api: Simulator, paused: str) -> None:
    answer = api.review(paused, approval(reviewer="me"))
    assert (answer.status_code, answer.json()["error"]) == (400, "unknown field: reviewer")


def test_a_session_token_may_review_and_no_token_may_not(api: Simulator, paused: str) -> None:
    assert api.review(paused, approval(), key=None).status_code == 401
    assert api.review(paused, approval(), key="rsk_sandbox_").status_code == 401
    assert api.review(paused, approval(), key=LIVE_KEY).status_code == 404
    assert api.review(paused, approval(), key="session-token").status_code == 200


def test_a_second_review_may_follow_the_first() -> None:
    with simulator(knobs={"reviews": "100%", "second-review": "100%"}) as twice:
        run_id = twice.run_id({})
        assert twice.review(run_id, approval(outputs={"a": 1, "b": 1})).status_code == 200
        assert twice.read(run_id).json()["status"] == "awaiting_review"
        assert twice.review(run_id, approval(outputs={"b": 2})).status_code == 200
        run = twice.read(run_id).json()
        assert (run["status"], run["output"]["a"], run["output"]["b"]) == ("completed", 1, 2)
        assert twice.review(run_id, approval()).status_code == 409
