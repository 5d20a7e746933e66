"""Starts: every documented answer, and every refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulator_process import LIVE_KEY, SANDBOX_KEY, Simulator, simulator

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def api() -> Iterator[Simulator]:
    with simulator(knobs={"review-over": "amount=10000"}) as running:
        yield running


def test_an_async_start_is_accepted_with_an_id_and_its_address(api: Simulator) -> None:
    answer = api.start({"amount": 1})
    body = answer.json()
    assert answer.status_code == 202
    assert body == {"runId": body["runId"], "status": "running", "statusUrl": f"{api.origin}/runs/{body['runId']}"}
    assert re.fullmatch(r"run_[a-z2-7]{24}", body["runId"])


def test_the_references_first_example_is_accepted_though_it_gives_an_async_run_a_timeout(api: Simulator) -> None:
    answer = api.start(
        {"customerId": "cust_123", "amount": 5000},
        metadata={"procedureVersion": "v2"},
        control={"executionMode": "async", "executionTimeout": 60000},
    )
    assert answer.status_code == 202


def test_a_live_start_takes_a_live_key(api: Simulator) -> None:
    assert api.post_start(b'{"data": {}}', environment="live", key=LIVE_KEY).status_code == 202


def test_a_sync_start_answers_with_the_output(api: Simulator) -> None:
    answer = api.start({"amount": 1}, control={"executionMode": "sync"})
    body = answer.json()
    assert answer.status_code == 200
    assert list(body) == ["runId", "status", "output", "completedAt"]
    assert body["status"] == "completed"
    assert body["output"]["approved"] is True
    assert re.fullmatch(r"txn_[a-z2-7]{16}", body["output"]["transactionId"])
    assert MOMENT.fullmatch(body["completedAt"])


def test_a_sync_start_that_reaches_a_review_answers_with_the_address(api: Simulator) -> None:
    answer = api.start({"amount": 10001}, control={"executionMode": "sync"})
    run_id = answer.json()["runId"]
    assert answer.status_code == 200
    assert answer.json() == {
        "runId": run_id,
        "status": "awaiting_review",
        "statusUrl": f"{api.origin}/runs/{run_id}",
    }


def test_a_sync_start_that_takes_too_long_answers_504_and_the_run_goes_on() -> None:
    with simulator(knobs={"run-time": "1100ms"}) as slow:
        answer = slow.start({}, control={"executionMode": "sync", "executionTimeout": 1000})
        run_id = answer.json()["runId"]
        assert answer.status_code == 504
        assert answer.json() == {
            "runId": run_id,
            "status": "timeout",
            "error": "Execution exceeded timeout of 1000ms",
            "statusUrl": f"{slow.origin}/runs/{run_id}",
        }
        assert slow.read(run_id).json()["status"] == "running"
        slow.wait_for(run_id, "completed")


def test_a_sync_start_whose_run_fails_answers_with_the_error() -> None:
    with simulator(knobs={"failures": "100%"}) as failing:
        answer = failing.start({}, control={"executionMode": "sync"})
        assert answer.status_code == 200
        assert list(answer.json()) == ["runId", "status", "error", "completedAt"]
        assert answer.json()["status"] == "failed"
        assert answer.json()["error"] == failing.read(answer.json()["runId"]).json()["error"]


@pytest.mark.parametrize("key", [None, "abc", "rsk_sandbox_", "rsk_test_abc", "sk_live_abc", "rsk_sandbox_a b"])
def test_a_key_of_no_known_form_is_answered_401(api: Simulator, key: str | None) -> None:
    answer = api.post_start(b'{"data": {}}', key=key)
    assert answer.status_code == 401
    assert answer.json()["error"]
    assert key is None or len(key) < 5 or key not in answer.text


def test_a_key_of_the_other_environment_is_answered_403(api: Simulator) -> None:
    assert api.post_start(b'{"data": {}}', key=LIVE_KEY).status_code == 403
    answer = api.post_start(b'{"data": {}}', environment="live", key=SANDBOX_KEY)
    assert answer.status_code == 403
    assert answer.json() == {"error": "a sandbox key cannot start runs in live"}


def test_an_environment_that_does_not_exist_is_answered_404(api: Simulator) -> None:
    assert api.post_start(b'{"data": {}}', environment="staging").status_code == 404


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_declared_as_json_is_answered_415(api: Simulator, content_type: str | None) -> None:
    assert api.post_start(b'{"data": {}}', content_type=content_type).status_code == 415


def test_the_content_type_may_name_its_charset(api: Simulator) -> None:
    assert api.post_start(b'{"data": {}}', content_type="application/json; charset=utf-8").status_code == 202


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"data": {}', "JSON"),
        ("[]", "object"),
        ('"text"', "object"),
        ("{}", "data"),
        ('{"data": null}', "data"),
        ('{"data": []}', "data"),
        ('{"data": {}, "data": {}}', "data"),
        ('{"data": {"a": NaN}}', "JSON"),
        ('{"data": {}, "idempotencyKey": "x"}', "idempotencyKey"),
        ('{"data": {}, "metadata": {"version": "v2"}}', "metadata.version"),
        ('{"data": {}, "metadata": null}', "metadata"),
        ('{"data": {}, "metadata": {"procedureVersion": 2}}', "metadata.procedureVersion"),
        ('{"data": {}, "control": []}', "control"),
        ('{"data": {}, "control": {"mode": "sync"}}', "control.mode"),
        ('{"data": {}, "control": {"executionMode": "SYNC"}}', "control.executionMode"),
        ('{"data": {}, "control": {"executionMode": "sync", "executionTimeout": 999}}', "control.executionTimeout"),
        ('{"data": {}, "control": {"executionMode": "sync", "executionTimeout": 300001}}', "control.executionTimeout"),
        ('{"data": {}, "control": {"executionMode": "sync", "executionTimeout": "1000"}}', "control.executionTimeout"),
        ('{"data": {}, "control": {"executionMode": "sync", "executionTimeout": true}}', "control.executionTimeout"),
    ],
)
def test_a_body_that_the_documents_do_not_know_is_answered_400_with_the_fields_name(
    api: Simulator, body: str, named: str
) -> None:
    before = len(api.runs())
    answer = api.post_start(body.encode())
    assert answer.status_code == 400
    assert named in answer.json()["error"]
    assert len(api.runs()) == before


def test_a_body_over_a_mebibyte_is_answered_413(api: Simulator) -> None:
    assert api.start({"text": "x" * (1 << 20)}).status_code == 413
    assert api.start({"text": "x" * 1_000_000}).status_code == 202


def test_the_input_is_given_back_byte_for_byte(api: Simulator) -> None:
    sent = '{ "id": "00123", "amount": 19.90, "big": 12345678901234567890123, "é": "\\u00e9", "e": 1E+2}'
    run_id = api.post_start(f'{{"control": {{}}, "data":  {sent} }}'.encode()).json()["runId"]
    assert sent in api.read(run_id).text


def test_a_schema_refuses_what_does_not_conform_and_reads_decimals_exactly(tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    properties = {"amount": {"type": "number", "multipleOf": 0.01}}
    schema.write_text(json.dumps({"type": "object", "required": ["amount"], "properties": properties}))
    with simulator(knobs={"schema": schema}) as strict:
        assert strict.start({"amount": 19.99}).status_code == 202
        answer = strict.start({"amount": 19.999})
        assert answer.status_code == 422
        assert "data.amount" in answer.json()["error"]
        assert strict.start({}).status_code == 422
        assert len(strict.runs()) == 1


def test_an_unknown_address_and_a_wrong_method_are_answered_in_json(api: Simulator) -> None:
    assert api.http.get("/v2/procedures").status_code == 404
    wrong = api.http.get("/v1/procedures/proc_pay/sandbox")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["error"]


def test_the_ledger_and_the_counts_tell_what_was_accepted_and_answered() -> None:
    with simulator() as fresh:
        run_id = fresh.run_id({"amount": 7}, procedure="proc_a")
        fresh.post_start(b"{}")
        (run,) = fresh.runs()
        assert (run["id"], run["procedureId"], run["input"]) == (run_id, "proc_a", {"amount": 7})
        counts = fresh.http.get("/_simulator/counts").json()
        assert counts == {"runs": 1, "statuses": {"completed": 1}, "answers": {"202": 1, "400": 1}}
        assert fresh.http.get("/healthz").json()["ok"] is True
