"""Bodies that were cut anywhere still give what is whole in them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from batchrun.core.leading_json import DEEPEST, leading_members, parse


@pytest.mark.parametrize(
    ("body", "members"),
    [
        (b'{"a": "x", "b": [1], "c": {}}', {"a": "x", "b": [1], "c": {}}),
        (b' \r\n\t{ "a" : 1 , "b" : true }', {"a": 1, "b": True}),
        (b'{"a": 19.90}', {"a": Decimal("19.90")}),
        (b'{"a": "x"', {"a": "x"}),
        (b'{"a": [1, 2]', {"a": [1, 2]}),
        (b'{"a": {"b": 1}', {"a": {"b": 1}}),
        (b'{"a": "x", "b": [1, 2', {"a": "x"}),
        (b'{"a": "x", "b', {"a": "x"}),
        (b'{"a": "x", "b"', {"a": "x"}),
        (b'{"a": "x", "b":', {"a": "x"}),
        (b'{"a": "x", }', {"a": "x"}),
        (b'{"a": "x" "b": "y"}', {"a": "x"}),
        (b"{}", {}),
        (b"", {}),
        (b"  ", {}),
        (b"[1]", {}),
        (b'"a"', {}),
        (b"<html>", {}),
        (b'{"a": ' + b"[" * 100_000, {}),
    ],
)
def test_the_members_before_the_first_that_is_not_whole_are_given(body: bytes, members: dict[str, object]) -> None:
    assert leading_members(body) == members


@pytest.mark.parametrize("value", [b"12", b"1.5", b"null", b"true", b"false"])
def test_a_number_or_a_word_is_whole_only_when_something_follows(value: bytes) -> None:
    assert leading_members(b'{"a": ' + value) == {}
    assert list(leading_members(b'{"a": ' + value + b" ")) == ["a"]


@pytest.mark.parametrize("number", ["1e99999999999999999999", "1e999", "1e-999", "9" * 5000, "-" + "9" * 5000])
def test_an_absurd_number_stays_text_and_hides_nothing_after_it(number: str) -> None:
    body = f'{{"a": {number}, "b": 1}}'.encode()
    assert leading_members(body) == parse(body) == {"a": number, "b": 1}


def test_half_a_character_becomes_a_mark_that_can_be_stored() -> None:
    body = rb'{"a\ud800": ["\udfff", {"b": "\ud83d\ude00"}]}'
    assert leading_members(body) == parse(body) == {"a\ufffd": ["\ufffd", {"b": "😀"}]}


def test_nesting_that_nothing_can_store_is_not_read() -> None:
    bottomless = b"[" * 250 + b"]" * 250
    assert parse(bottomless) is None
    assert leading_members(b'{"runId": "r", "output": ' + bottomless + b"}") == {"runId": "r"}


@pytest.mark.parametrize("depth", [1, DEEPEST - 1, DEEPEST, DEEPEST + 1])
@pytest.mark.parametrize(("before", "after"), [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
def test_a_body_is_read_to_the_same_depth_at_a_glance_and_value_by_value(
    depth: int, before: bytes, after: bytes
) -> None:
    times, odd = divmod(depth, len(after))
    plain = b"[" * odd + before * times + b'"x"' + after * times + b"]" * odd
    escaped = plain.replace(b"x", rb"\u0078")
    assert parse(plain) == parse(escaped)
    assert (parse(plain) is None) is (depth > DEEPEST)


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"null", b"[" * 100_000])
def test_what_is_no_json_is_nothing(body: bytes) -> None:
    assert parse(body) is None


def test_json_is_read_exactly_and_with_a_byte_order_mark() -> None:
    assert parse(b'\xef\xbb\xbf{"a": 0.10, "b": [1e2]}') == {"a": Decimal("0.10"), "b": [Decimal("1e2")]}


def test_what_is_no_number_and_no_json_stays_the_word_that_it_is() -> None:
    assert parse(b'{"a": NaN, "b": [-Infinity, Infinity]}') == {"a": "NaN", "b": ["-Infinity", "Infinity"]}
