"""Rules of the core that hold for any value: bodies cut anywhere, exact numbers, keys, targets, answers, specs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batchrun.core.answers import RETRY_AFTER_CAP, Context, Effect, Fault, Seen, judge, retry_after
from batchrun.core.cells import Fault as CellFault
from batchrun.core.cells import Reading, as_integer, as_number, as_text, damage_in, number_text
from batchrun.core.expressions import Expression
from batchrun.core.keys import KeyIndex, same_keys
from batchrun.core.leading_json import leading_members, parse
from batchrun.core.lifecycle import API_EVENTS, ENDED, STEPS, Event, may, step
from batchrun.core.payloads import to_json
from batchrun.core.selection import parse_rows, selects
from batchrun.core.spec_faults import build
from batchrun.core.targets import before_closing, clashes, close_up, place
from batchrun.core.targets import parse as parse_target
from batchrun.core.totals import Totals, amount_text
from batchrun.io import yaml_text
from batchrun.model import Number, State

NOW = datetime(2026, 10, 1, tzinfo=UTC)
PLAIN = Reading()
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**14), max_value=10**14, places=4)
LEAVES = st.none() | st.booleans() | st.integers() | st.text() | DECIMALS
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))
usual = settings(max_examples=100, deadline=None)


@usual
@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert parse(to_json(value)) == value or value is None


@usual
@given(st.dictionaries(st.text(), JSON, max_size=5), st.integers(0, 400))
def test_a_body_cut_anywhere_gives_only_members_that_are_whole(members: dict[str, Any], cut: int) -> None:
    found = leading_members(to_json(members)[:cut])
    assert list(found) == list(members)[: len(found)]
    assert all(found[name] == members[name] for name in found)


@usual
@given(
    st.dictionaries(st.text().filter(lambda name: name != "runId"), JSON, max_size=3), st.text(min_size=1), st.data()
)
def test_a_run_id_counts_exactly_when_the_cut_leaves_it_whole(
    before: dict[str, Any], run_id: str, data: st.DataObject
) -> None:
    body = to_json({**before, "runId": run_id, "status": "running"})
    whole_from = len(to_json({**before, "runId": run_id})) - 1
    cut = data.draw(st.integers(0, len(body)))
    verdict = judge(Seen(status=500, body=body[:cut], whole=False, fault=Fault.BROKEN), Context(NOW))
    assert (verdict.run_id == run_id) is (cut >= whole_from and bool(run_id.strip()))
    assert (verdict.event is Event.RUNNING) is (verdict.run_id is not None)


@usual
@given(st.binary(max_size=60), st.integers(100, 700), st.booleans(), st.sampled_from([None, *Fault]), st.booleans())
def test_whatever_comes_back_a_row_is_sent_again_only_where_the_table_proves_it(
    body: bytes, status: int, whole: bool, fault: Fault | None, accepted: bool
) -> None:
    seen = Seen(status=status, body=body, whole=whole, fault=fault, left=True)
    verdict = judge(seen, Context(NOW, accepted_before=accepted))
    if verdict.event is Event.NOT_RECEIVED:
        assert 400 <= status < 500
        assert verdict.effect in (Effect.SLOWS, Effect.STOPS)
    assert may(State.SENDING, verdict.event)


@usual
@given(st.binary(max_size=200))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    assert isinstance(leading_members(body), dict)
    parse(body)


DATE_PARTS = st.text(alphabet="0123456789 :,+-GMTOctThu", max_size=40)


@usual
@given(DATE_PARTS | st.text(max_size=30), DATE_PARTS)
def test_retry_after_is_none_or_within_its_cap_whatever_the_header_says(header: str, date: str) -> None:
    seconds = retry_after(Seen(status=429, headers={"retry-after": header, "date": date}), NOW)
    assert seconds is None or 0 <= seconds <= RETRY_AFTER_CAP


@usual
@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_however_events_come_a_row_moves_only_along_the_table(events: list[Event]) -> None:
    state = State.READY
    for event in events:
        if not may(state, event):
            continue
        before, state = state, step(state, event)
        assert STEPS[before, event] is state
        if before in (State.COMPLETED, State.INVALID, State.DUPLICATE):
            raise AssertionError("an end was left")
        if before in ENDED:
            assert event is Event.RETRY
        if state is State.SENDING:
            assert before is State.READY
        if before is State.IN_DOUBT:
            assert event is Event.NOT_RUN or event in API_EVENTS


@usual
@given(DECIMALS)
def test_a_number_written_plainly_is_read_exactly(value: Decimal) -> None:
    assert as_number(format(value, "f"), PLAIN) == value


@usual
@given(st.integers(-(10**14), 10**14), st.integers(0, 12))
def test_a_whole_number_cell_is_text_with_the_zeros_that_it_shows(value: int, width: int) -> None:
    text = number_text(Number(Decimal(value), width))
    assert int(text) == value
    assert len(text.lstrip("-")) >= width
    assert as_text(Number(Decimal(value), width), PLAIN) == text


@usual
@given(st.text(max_size=40))
def test_text_is_kept_or_refused_but_never_changed(text: str) -> None:
    value = as_text(text, PLAIN)
    assert value == text or isinstance(value, CellFault)
    assert (damage_in(text) is not None) <= isinstance(value, CellFault)


@usual
@given(st.text(alphabet="0123456789.,-+eE 'Nan٣", max_size=12), st.sampled_from([".", ","]))
def test_what_is_read_as_a_number_has_the_digits_of_its_text(text: str, decimal: str) -> None:
    value = as_number(text, Reading(decimal=decimal))
    if not isinstance(value, CellFault):
        assert format(value, "f") == format(Decimal(text.replace(decimal, ".")), "f")
        assert all(sign in "0123456789-" + decimal for sign in text)


@usual
@given(st.integers())
def test_an_integer_of_any_length_is_sent_digit_for_digit(value: int) -> None:
    assert to_json([as_integer(str(value), PLAIN)]) == f"[{value}]".encode()


@usual
@given(DECIMALS, DECIMALS)
def test_expressions_reckon_exactly(one: Decimal, other: Decimal) -> None:
    places, cells = {"A": 0, "B": 1}, [Number(one), Number(other)]
    assert Expression("row.A + row.B").value(places, cells, {}) == one + other
    assert Expression("row.A - row.B").value(places, cells, {}) == one - other


@usual
@given(st.lists(st.tuples(st.sampled_from(list(State)), st.none() | DECIMALS), max_size=30))
def test_totals_by_state_add_up_to_the_input(rows: list[tuple[State, Decimal | None]]) -> None:
    totals = Totals(["A"])
    for state, amount in rows:
        totals.add(state, [amount])
    (control,) = totals.controls()
    exact = sum((amount for _, amount in rows if amount is not None), Decimal(0))
    assert control.input == exact == sum(control.by_state.values())
    assert Decimal(amount_text(control.input, control.decimals)) == exact
    assert control.unreadable == sum(amount is None for _, amount in rows)


@usual
@given(st.lists(st.tuples(st.text(max_size=2), st.text(max_size=2)), max_size=20))
def test_a_key_is_repeated_exactly_where_the_same_key_comes_again(keys: list[tuple[str, str]]) -> None:
    index = KeyIndex()
    index.add(keys)
    groups = {row: tuple(other for other, same in enumerate(keys) if same == key) for row, key in enumerate(keys)}
    assert same_keys(index.suspects(), enumerate(keys)) == {
        row: group for row, group in groups.items() if len(group) > 1
    }


@usual
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 10)), min_size=1, max_size=6), st.integers(1, 70))
def test_a_row_is_selected_exactly_when_a_range_holds_it(pairs: list[tuple[int, int]], row: int) -> None:
    ranges = parse_rows(",".join(f"{first}-{first + more}" for first, more in pairs))
    assert selects(ranges, row) is any(first <= row <= first + more for first, more in pairs)


STEP = st.sampled_from(["a", "b", "c", "[0]", "[2]"])


@usual
@given(st.lists(st.lists(STEP, max_size=3), min_size=1, max_size=8), st.data())
def test_targets_that_do_not_clash_all_arrive_and_lead_back(texts: list[list[str]], data: st.DataObject) -> None:
    paths = list(dict.fromkeys(parse_target("x" + "".join(s if s[0] == "[" else "." + s for s in t)) for t in texts))
    kept: list[Any] = []
    for path in paths:
        if not clashes([*kept, path]):
            kept.append(path)
    laid: dict[str, Any] = {}
    for number, path in enumerate(kept):
        place(laid, path, number)
    arrived = dict(_leaves(close_up(laid), ()))
    assert sorted(arrived.values()) == list(range(len(kept)))
    assert all(before_closing(laid, path) == kept[number] for path, number in arrived.items())


def _leaves(value: Any, path: tuple[Any, ...]) -> Any:
    if isinstance(value, dict | list):
        for step_, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(child, (*path, step_))
    else:
        yield path, value


KEYS = st.text(max_size=80)  # YAML allows a key 1024 characters, and JSON's escape may take twelve for one
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@usual
@given(st.dictionaries(KEYS, PLAIN_JSON, max_size=4), st.booleans())
def test_json_is_yaml(value: dict[str, Any], ascii_only: bool) -> None:
    document = yaml_text.load(json.dumps(value, ensure_ascii=ascii_only))
    assert document.faults or document.data == value
    # What YAML cannot hold raw (some control characters) can always be written with escapes.
    assert not (ascii_only and document.faults and "\x7f" not in json.dumps(value))


@usual
@given(st.text(max_size=60))
def test_no_text_breaks_the_reader_of_yaml(text: str) -> None:
    document = yaml_text.load(text)
    assert all(1 <= line <= text.count("\n") + text.count("\r") + 3 for line, _ in document.faults)


KEYS = st.sampled_from(["job", "procedure", "source", "key", "schema", "data", "rate", "results", "params", "x"])
PARTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "a", "5/s", "sync"]) | st.just(Decimal("1.5")),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["id", "file", "column", "value", "mode", "totals", "map", "a"]), inner, max_size=3
        )
    ),
)


@usual
@given(st.dictionaries(KEYS, PARTS, max_size=8))
def test_any_document_gives_a_model_or_faults_and_never_breaks(document: dict[str, Any]) -> None:
    made, faults = build(document)
    assert made is not None or faults
    assert len(set(faults)) == len(faults)
