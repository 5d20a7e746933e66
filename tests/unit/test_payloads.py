"""Payloads are exact JSON, and compared by hashes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from batchrun.core.payloads import all_to_json, body_around, key_id, payload_id, request_body, to_json
from batchrun.core.spec import Procedure


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("19.90"), b"19.90"),
        (Decimal("1E+2"), b"100"),
        (Decimal("1E-7"), b"0.0000001"),
        (Decimal("-0.30"), b"-0.30"),
        (Decimal("123456789012345678901234567890.12"), b"123456789012345678901234567890.12"),
        (10**30, b"1000000000000000000000000000000"),
        (
            {"a": [-(10**30), True, "x", None, Decimal("1.10")]},
            b'{"a":[-' + b"1" + b"0" * 30 + b',true,"x",null,1.10]}',
        ),
        ((2**64, 1), b"[18446744073709551616,1]"),
        ("ü😀", '"ü😀"'.encode()),
    ],
)
def test_json_holds_numbers_exactly_and_never_with_an_exponent(value: object, written: bytes) -> None:
    assert to_json(value) == written


@pytest.mark.parametrize("value", [{1, 2}, "\ud800", {"a": object()}])
def test_what_json_cannot_hold_is_never_written(value: object) -> None:
    with pytest.raises(TypeError):
        to_json(value)


def test_keys_are_sorted_only_when_asked() -> None:
    assert to_json({"b": 1, "a": 2}) == b'{"b":1,"a":2}'
    assert to_json({"b": 10**30, "a": 2}, sort=True) == b'{"a":2,"b":1000000000000000000000000000000}'


def test_a_request_holds_the_payload_as_it_stands_and_no_undocumented_field() -> None:
    plain = request_body(b'{"a":1.10}', Procedure(id="p"))
    assert plain == b'{"data":{"a":1.10},"control":{"executionMode":"async"}}'
    pinned = Procedure(id="p", version="v2", mode="sync", timeout="90s")
    assert json.loads(request_body(b"{}", pinned)) == {
        "data": {},
        "metadata": {"procedureVersion": "v2"},
        "control": {"executionMode": "sync", "executionTimeout": 90_000},
    }
    assert body_around(b"{}", "v2", "sync", 90_000) == request_body(b"{}", pinned)


def test_keys_differ_by_world_by_part_and_by_period() -> None:
    ids = [
        key_id("w", ("a", "b"), ()),
        key_id("w", ("ab",), ()),
        key_id("v", ("a", "b"), ()),
        key_id("w", ("a", "b"), (("period", "1"),)),
        key_id("w", ("a", "b"), (("period", "2"),)),
    ]
    assert len(set(ids)) == len(ids)
    assert {len(one) for one in ids} == {16}
    assert payload_id(b"{}") == payload_id(b"{}") != payload_id(b"[]")


@pytest.mark.parametrize(
    "values",
    [
        [],
        [{"a": Decimal("1.10")}],
        [{"a": "x,\n,y"}, {"b\n": ["\n", "],"]}, {}],
        [{"a": 1}, {"a": 10**30}],
        ["ü", None, [Decimal("1E+2")]],
    ],
)
def test_values_written_together_are_written_as_each_alone(values: list[object]) -> None:
    assert all_to_json(values) == [to_json(value) for value in values]
