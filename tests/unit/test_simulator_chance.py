"""Chance, fates and outputs: functions of the seed and of what was sent."""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

import batchrun.simulator
from batchrun.simulator.chance import Draw, Draws, content_of, token
from batchrun.simulator.fates import deal
from batchrun.simulator.knobs import parse_knobs
from batchrun.simulator.output import fill, read_template
from batchrun.simulator.runs import Fate

PACKAGE = Path(batchrun.simulator.__file__).parent


def dealt(data: dict[str, object], *, event: bytes = b"1", **knobs: object) -> Fate:
    named = {name.replace("_", "-"): value for name, value in knobs.items()}
    return deal(parse_knobs(named), read_template(None), Draws(0, event), data, "run_a")


def test_a_draw_repeats_and_another_seed_or_event_draws_another() -> None:
    first = Draws(1, b"a").of(Draw.FAILURE)
    assert Draws(1, b"a").of(Draw.FAILURE) == first
    assert len({first, Draws(2, b"a").of(Draw.FAILURE), Draws(1, b"b").of(Draw.FAILURE)}) == 3


def test_every_draw_has_bytes_of_its_own_and_lies_from_0_to_1() -> None:
    values = [Draws(1, b"a").of(draw) for draw in Draw]
    assert len(set(values)) == len(Draw)
    assert all(0 <= value < 1 for value in values)


def test_a_share_is_met_over_many() -> None:
    hits = sum(Draws(0, b"%d" % number).hits(Draw.FAILURE, 0.1) for number in range(5000))
    assert 430 < hits < 570
    assert all(Draws(0, b"%d" % number).hits(Draw.FAILURE, 1.0) for number in range(100))


def test_contents_that_run_together_differ() -> None:
    assert content_of("ab", "c", b"d") != content_of("a", "bc", b"d")


def test_tokens_are_lower_case_words() -> None:
    assert token(15, b"x") == token(15, b"x") != token(15, b"y")
    assert len(token(15, b"x")) == 24
    assert token(15, b"x").isalnum()


def test_times_lie_in_their_spans() -> None:
    fates = [dealt({}, event=b"%d" % n, run_time="200ms..2s", pending_time="5ms") for n in range(50)]
    stretches = [fate.stretches[0] for fate in fates]
    assert 200 <= min(stretches) < 600 < 1600 < max(stretches) <= 2000
    assert {fate.pending for fate in fates} == {5}


def test_a_failure_has_one_of_a_few_reasons() -> None:
    errors = {dealt({}, event=b"%d" % n, failures=1).error for n in range(50)}
    assert len(errors) == 3
    assert None not in errors


@pytest.mark.parametrize(
    ("amount", "pauses"),
    [
        (Decimal("10000.01"), True),
        ("12500", True),
        (Decimal(10000), False),
        (None, False),
        ("NaN", False),
        ("x", False),
    ],
)
def test_only_a_number_above_the_limit_waits_for_a_review(amount: object, pauses: bool) -> None:
    fate = dealt({"pay": {"amount": amount}}, review_over="pay.amount=10000")
    assert len(fate.stretches) == (2 if pauses else 1)


def test_a_review_names_the_amount_and_shows_a_few_fields() -> None:
    data = {"id": "1", "pay": {"amount": Decimal("12500.50")}, "a": 1, "b": 2, "c": 3, "d": 4}
    fate = dealt(data, review_over="pay.amount=10000", second_review=1)
    assert fate.review_title == "Approve payment of 12,500.50"
    assert fate.review_data == b'{"id":"1","a":1,"b":2,"c":3,"pay.amount":12500.50}'
    assert len(fate.stretches) == 3


def test_a_review_without_an_amount_has_a_plain_title() -> None:
    assert dealt({"id": "1"}, reviews=1).review_title == "Approve this run"
    assert dealt({"amount": Decimal(7)}, reviews=1).review_title == "Approve payment of 7.00"


def test_the_default_output_is_small_and_repeats() -> None:
    output = orjson.loads(dealt({}).output)
    assert output == {"approved": True, "transactionId": f"txn_{token(10, b'run_a')}"}


def test_a_template_is_filled_from_the_input_with_types_kept() -> None:
    template = {"a": "{n}", "b": ["{x.y}", "n={n} {gone} {x} {t}"], "c": {"d": 1}, "e": "{x}", "f": "{gone}"}
    data = {"n": Decimal("1.50"), "x": {"y": True}, "t": "T"}
    assert fill(template, data, "run_a") == (
        b'{"a":1.50,"b":[true,"n=1.50  {\\"y\\":true} T"],"c":{"d":1},"e":{"y":true},"f":null}'
    )


def test_the_simulator_imports_nothing_of_the_rest() -> None:
    names: set[str] = set()
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names.add(node.module or "")
    assert {
        name for name in names if name.startswith("batchrun") and not name.startswith("batchrun.simulator")
    } == set()
