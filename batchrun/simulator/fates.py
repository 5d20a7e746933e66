"""Deals each accepted run its fate, from the knobs and the draws."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from batchrun.simulator.chance import Draw, Draws
from batchrun.simulator.exact_json import field_at, write_exactly
from batchrun.simulator.knob_values import Above
from batchrun.simulator.knobs import Knobs
from batchrun.simulator.output import fill
from batchrun.simulator.runs import Fate

_REASONS = (
    "The payment provider declined the transaction",
    "The beneficiary's bank did not answer",
    "A step of the procedure ended with an error",
)
_SHOWN_FIELDS = 4


def deal(knobs: Knobs, template: dict[str, Any], draws: Draws, data: dict[str, Any], run_id: str) -> Fate:
    """Settle what becomes of a run: how long it takes, whether it pauses, how it ends."""
    amount = _amount_over(knobs.review_over, data)
    pauses = 0
    if amount is not None or draws.hits(Draw.REVIEW, knobs.reviews):
        pauses = 1 + draws.hits(Draw.SECOND_REVIEW, knobs.second_review)
    stretch = round(knobs.run_time.at(draws.of(Draw.RUN_TIME)))
    return Fate(
        pending=round(knobs.pending_time.at(draws.of(Draw.PENDING_TIME))),
        stretches=(stretch,) * (pauses + 1),
        error=_error(knobs, draws),
        output=fill(template, data, run_id),
        review_title=_title(amount, data) if pauses else "",
        review_data=_review_data(knobs.review_over, data) if pauses else b"{}",
    )


def _error(knobs: Knobs, draws: Draws) -> str | None:
    if not draws.hits(Draw.FAILURE, knobs.failures):
        return None
    return _REASONS[int(draws.of(Draw.FAILURE) / knobs.failures * len(_REASONS)) % len(_REASONS)]


def _amount_over(limit: Above | None, data: dict[str, Any]) -> Decimal | None:
    amount = _number(field_at(data, limit.path)) if limit else None
    return amount if limit and amount is not None and amount > limit.amount else None


def _number(value: object) -> Decimal | None:
    """Read an amount; payloads carry some of them as text."""
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _title(amount: Decimal | None, data: dict[str, Any]) -> str:
    shown = amount if amount is not None else _number(data.get("amount"))
    return "Approve this run" if shown is None else f"Approve payment of {shown:,.2f}"


def _review_data(limit: Above | None, data: dict[str, Any]) -> bytes:
    """Show the reviewer the first plain fields, and always the one that is over its limit."""
    plain = {name: value for name, value in data.items() if not isinstance(value, dict | list)}
    shown = dict(list(plain.items())[:_SHOWN_FIELDS])
    if limit and (value := field_at(data, limit.path)) is not None:
        shown[".".join(limit.path)] = value
    return write_exactly(shown)
