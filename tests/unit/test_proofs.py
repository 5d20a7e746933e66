"""What was read is somewhere: rows and amounts, line by line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.proofs import LINES, as_read, disproof, proof_of, with_correction
from batchrun.core.totals import Totals
from batchrun.model import Amount, ControlTotal, SplitAmount, State, Summed


def totals(*rows: tuple[State, str | None], entry: str | Summed = "Amount") -> tuple[ControlTotal, ...]:
    """Add up rows, each a state and an amount: `5 EUR` for a split total."""
    made = Totals([entry])
    for state, text in rows:
        number, _, value = (text or "").partition(" ")
        amount: Amount = Decimal(number) if number else None
        made.add(state, [amount if isinstance(entry, str) else SplitAmount(amount, value)])
    return made.controls()


def counts(*rows: tuple[State, str | None]) -> dict[State, int]:
    states = [state for state, _ in rows]
    return {state: states.count(state) for state in states}


ROWS: list[tuple[State, str | None]] = [
    (State.COMPLETED, "10.00"),
    (State.RUNNING, "1.10"),
    (State.SENDING, "0.01"),
    (State.READY, "5"),
    (State.INVALID, None),
]
READ = {"rows": 5, "totals": {"Amount": "16.11"}, "unreadable": {"Amount": 1}}


def test_every_state_is_on_just_one_line() -> None:
    assert sorted(state for states in LINES.values() for state in states) == sorted(State)


def test_what_was_read_is_kept_as_texts() -> None:
    assert as_read(5, totals(*ROWS)) == READ


def test_open_rows_and_rows_not_sent_are_lines_of_their_own() -> None:
    proof = proof_of(counts(*ROWS), totals(*ROWS), {"read": READ})
    assert {line.label: (line.rows, str(line.amounts[0])) for line in proof.lines if line.rows} == {
        "completed": (1, "10.00"),
        "open": (2, "1.11"),
        "not sent": (1, "5"),
        "invalid": (1, "0"),
        "Sum": (5, "16.11"),
        "Input": (5, "16.11"),
    }
    assert [line.label for line in proof.lines] == [*LINES, "Sum", "Input"]
    assert (proof.holds, proof.unreadable, disproof(proof, "b-001")) == (True, (1,), None)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"rows": 6}, "6 rows were read, and the journal holds 5"),
        ({"totals": {"Amount": "16.12"}}, "Amount was 16.12 when it was read, and is 16.11 now"),
        ({"unreadable": {}}, "not as many amounts of Amount can be read as before"),
        ({"totals": {"Amount": "16.11", "Fee": "3"}}, "Fee was 3 when it was read, and is 0 now"),
    ],
)
def test_whatever_is_missing_is_told(change: dict[str, Any], told: str) -> None:
    proof = proof_of(counts(*ROWS), totals(*ROWS), {"read": READ | change})
    assert not proof.holds
    assert f"b-001 DOES NOT ADD UP: {told}." in str(disproof(proof, "b-001"))


def test_a_batch_from_before_this_was_kept_is_held_against_itself() -> None:
    assert proof_of(counts(*ROWS), totals(*ROWS), {}).holds
    settings = with_correction({}, totals((State.READY, "5")), totals((State.READY, "6")))
    assert proof_of(counts(*ROWS), totals(*ROWS), settings).holds


def test_corrections_stand_beside_what_was_read() -> None:
    before: list[tuple[State, str | None]] = [(State.REFUSED, "5.00 EUR"), (State.COMPLETED, "1 USD")]
    after: list[tuple[State, str | None]] = [(State.READY, "7.5 CHF"), (State.COMPLETED, "1 USD")]
    entry = Summed("Amount", "Currency")
    settings: dict[str, Any] = {"read": as_read(2, totals(*before, entry=entry))}
    first = totals((State.REFUSED, "6 CHF"), entry=entry)
    settings = with_correction(settings, totals(*before[:1], entry=entry), first)
    settings = with_correction(settings, first, totals(*after[:1], entry=entry))
    assert settings["corrected"]["totals"] == {"Amount EUR": "-5.00", "Amount CHF": "7.5"}
    proof = proof_of(counts(*after), totals(*after, entry=entry), settings)
    assert proof.holds and [total.column for total in proof.totals] == ["Amount CHF", "Amount USD", "Amount EUR"]
    assert [str(amount) for amount in proof.lines[-1].amounts] == ["7.5", "0", "-5.00"]
    assert proof.lines[-1].label == "Corrected later"
    assert [total.decimals for total in proof.totals] == [1, 0, 2]


def test_a_correction_that_makes_an_amount_readable_adds_up() -> None:
    settings = {"read": as_read(1, totals((State.REFUSED, None)))}
    settings = with_correction(settings, totals((State.REFUSED, None)), totals((State.READY, "5")))
    assert proof_of({State.READY: 1}, totals((State.READY, "5")), settings).holds


def test_a_difference_survives_amounts_of_more_than_28_digits() -> None:
    huge = "12345678901234567890123456789012345678.01"
    settings = with_correction(
        {"read": as_read(1, totals((State.REFUSED, huge)))},
        totals((State.REFUSED, huge)),
        totals((State.READY, "0.02")),
    )
    assert proof_of({State.READY: 1}, totals((State.READY, "0.02")), settings).holds
