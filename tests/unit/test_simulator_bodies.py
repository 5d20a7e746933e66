"""Bodies, keys and exact JSON."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchrun.simulator.bodies import read_start, read_verdict
from batchrun.simulator.exact_json import NotJsonError, field_at, read_members, write_exactly
from batchrun.simulator.keys import reviewer_environment, runner_environment
from batchrun.simulator.refusals import RefusedError

KEY = "550e8400-e29b-41d4-a716-446655440000"


def test_members_keep_their_own_text_and_exact_numbers() -> None:
    members = read_members(b' {"a" : [1.10, {"b":2}] ,\n"\\u0062": 1E+3}')
    assert members["a"].value == [Decimal("1.10"), {"b": Decimal(2)}]
    assert members["a"].raw == b'[1.10, {"b":2}]'
    assert members["b"].raw == b"1E+3"
    assert read_members(b"{ }") == {}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b"\xef\xbb\xbf{}",
        b"[]",
        b"1",
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":"\\ud800"}',
        b'{"a":1,"a":1}',
        b'{"a":' + b"[" * 1010 + b"]" * 1010 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_no_sound_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(NotJsonError):
        read_members(body)


def test_decimals_are_written_as_they_stand_and_other_things_are_not_written() -> None:
    assert write_exactly({"a": Decimal("19.90"), "b": Decimal(10**30)}) == b'{"a":19.90,"b":1' + b"0" * 30 + b"}"
    with pytest.raises(TypeError):
        write_exactly({"a": object()})


def test_a_path_into_nothing_finds_nothing() -> None:
    assert field_at({"a": {"b": 1}}, ("a", "b")) == 1
    assert field_at({"a": 1}, ("a", "b")) is None
    assert field_at({}, ("a",)) is None


def test_a_start_has_its_defaults() -> None:
    start = read_start(b'{"data": {"a": 1.0}}')
    assert (start.raw, start.version, start.sync, start.timeout) == (b'{"a": 1.0}', None, False, Decimal(60000))


def test_a_start_takes_both_ends_of_the_timeouts_range() -> None:
    for timeout in (b"1000", b"300000", b"1000.5"):
        body = b'{"data": {}, "control": {"executionMode": "sync", "executionTimeout": %b}}' % timeout
        assert read_start(body).timeout == Decimal(timeout.decode())


def test_a_verdict_keeps_outputs_on_approval_only_and_the_key_in_lower_case() -> None:
    body = '{"approved": %s, "outputs": {"a": 1.50}, "rejectionReason": "R", "idempotencyKey": "%s"}'
    yes = read_verdict((body % ("true", KEY.upper())).encode())
    assert (yes.approved, yes.outputs, yes.key) == (True, b'{"a": 1.50}', KEY)
    no = read_verdict((body % ("false", KEY)).encode())
    assert (no.approved, no.outputs, no.reason) == (False, None, "R")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic rsk_live_x", "rsk_live_x", "Bearer rsk_x_y"])
def test_other_headers_are_no_runner_key(header: str | None) -> None:
    with pytest.raises(RefusedError) as caught:
        runner_environment(header)
    assert caught.value.status == 401


def test_a_key_tells_its_environment() -> None:
    assert runner_environment("Bearer rsk_live_abc") == "live"
    assert runner_environment("bearer rsk_sandbox_a") == "sandbox"
    assert reviewer_environment("Bearer rsk_live_abc") == "live"
    assert reviewer_environment("Bearer eyJhbGciOi.x.y") is None
