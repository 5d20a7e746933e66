"""Proves that every row and amount that was read is somewhere: counted when it was read, and once more by state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from batchrun.core.cells import plain
from batchrun.core.lifecycle import OPEN
from batchrun.core.totals import amount_text, decimals_of, total_of
from batchrun.model import ControlTotal, Proof, ProofLine, State

SUM, INPUT, CORRECTED = "Sum", "Input", "Corrected later"
LINES: dict[str, frozenset[State]] = {
    "completed": frozenset({State.COMPLETED}),
    "failed": frozenset({State.FAILED}),
    "cancelled": frozenset({State.CANCELLED}),
    "refused": frozenset({State.REFUSED}),
    "invalid": frozenset({State.INVALID}),
    "duplicate": frozenset({State.DUPLICATE}),
    "in doubt": frozenset({State.IN_DOUBT}),
    "open": OPEN | {State.SENDING},
    "not sent": frozenset({State.READY}),
}

Sums = Mapping[str, Decimal]


def as_read(rows: int, controls: Iterable[ControlTotal]) -> dict[str, Any]:
    """Give what was read, as a batch's settings keep it from its beginning."""
    return {"rows": rows, **_amounts_json(list(controls))}


def _amounts_json(controls: Sequence[ControlTotal]) -> dict[str, Any]:
    return {
        "totals": {control.column: plain(control.input) for control in controls},
        "unreadable": {control.column: control.unreadable for control in controls if control.unreadable},
    }


def with_correction(
    settings: Mapping[str, Any], before: Sequence[ControlTotal], after: Sequence[ControlTotal]
) -> dict[str, Any]:
    """Give a batch's settings after rows of it were corrected: the difference stands beside what was read."""
    old, new = _amounts_json(before), _amounts_json(after)
    known = settings.get("corrected", {"totals": {}, "unreadable": {}})
    return {
        **settings,
        "corrected": {
            "totals": {
                name: plain(total_of([_decimal(known, name), _decimal(new, name), _decimal(old, name).copy_negate()]))
                for name in _names(known, old, new)
            },
            "unreadable": {
                name: _unreadable(known, name) + _unreadable(new, name) - _unreadable(old, name)
                for name in _names(known, old, new)
            },
        },
    }


def _names(*parts: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part["totals"]))


def _decimal(part: Mapping[str, Any], name: str) -> Decimal:
    return Decimal(part["totals"].get(name, 0))


def _unreadable(part: Mapping[str, Any], name: str) -> int:
    return int(part["unreadable"].get(name, 0))


def proof_of(counts: Mapping[State, int], controls: Sequence[ControlTotal], settings: Mapping[str, Any]) -> Proof:
    """Hold the rows by state against what was read; a batch from before that was kept is held against itself."""
    if "read" not in settings:
        settings = {"read": as_read(sum(counts.values()), controls)}
    read, corrected = settings["read"], settings.get("corrected", {"totals": {}, "unreadable": {}})
    totals = _with_all_that_was_read(controls, read, corrected)
    names = [total.column for total in totals]
    lines = [_line(label, states, counts, totals) for label, states in LINES.items()]
    added = ProofLine(SUM, sum(counts.values()), tuple(total_of(total.by_state.values()) for total in totals))
    taken = ProofLine(INPUT, int(read["rows"]), tuple(_decimal(read, name) for name in names))
    change = ProofLine(CORRECTED, 0, tuple(_decimal(corrected, name) for name in names))
    verdicts = [added.rows == taken.rows]
    for total, found, *parts in zip(totals, added.amounts, taken.amounts, change.amounts, strict=True):
        unread = _unreadable(read, total.column) + _unreadable(corrected, total.column)
        verdicts.append(found == total_of(parts) and total.unreadable == unread)
    lines += [added, taken, *([change] if any(change.amounts) else [])]
    return Proof(totals, tuple(lines), tuple(total.unreadable for total in totals), tuple(verdicts))


def _with_all_that_was_read(controls: Sequence[ControlTotal], *parts: Mapping[str, Any]) -> tuple[ControlTotal, ...]:
    """Add totals that were read and of which no row is left, so that they are missed."""
    known = {control.column for control in controls}
    gone = [ControlTotal(name, 0, {}, Decimal(0)) for name in _names(*parts) if name not in known]
    return tuple(replace(one, decimals=max(one.decimals, *_decimals(one.column, parts))) for one in (*controls, *gone))


def _decimals(name: str, parts: Iterable[Mapping[str, Any]]) -> list[int]:
    return [decimals_of(_decimal(part, name)) for part in parts]


def _line(
    label: str, states: frozenset[State], counts: Mapping[State, int], totals: Iterable[ControlTotal]
) -> ProofLine:
    rows = sum(counts.get(state, 0) for state in states)
    amounts = (total_of(total.by_state.get(state, Decimal(0)) for state in states) for total in totals)
    return ProofLine(label, rows, tuple(amounts))


def disproof(proof: Proof, batch: str) -> str | None:
    """Say that the rows do not add up to what was read, and where; None where they do."""
    told = differences(proof)
    if not told:
        return None
    return (
        f"{batch} DOES NOT ADD UP: {'; '.join(told)}. Rely on none of its figures before that is explained; "
        f"the proof is on the Summary sheet (batchrun report {batch})."
    )


def differences(proof: Proof) -> list[str]:
    """Say in what the rows do not add up to what was read; nothing where they do."""
    lines = {line.label: line for line in proof.lines}
    added, taken = lines[SUM], lines[INPUT]
    change = lines.get(CORRECTED, ProofLine(CORRECTED, 0, tuple(Decimal(0) for _ in taken.amounts)))
    rows_hold, *hold = proof.verdicts
    told = [] if rows_hold else [f"{taken.rows:,} rows were read, and the journal holds {added.rows:,}"]
    for total, holds, read, changed, now in zip(
        proof.totals, hold, taken.amounts, change.amounts, added.amounts, strict=True
    ):
        if not holds:
            told.append(_off(total, total_of([read, changed]), now))
    return told


def _off(total: ControlTotal, read: Decimal, now: Decimal) -> str:
    if read == now:
        return f"not as many amounts of {total.column} can be read as before"
    before, after = amount_text(read, total.decimals), amount_text(now, total.decimals)
    return f"{total.column} was {before} when it was read, and is {after} now"
