"""How a column's cells answer what the schema asks for at a field: by which options, proved on the sample."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from batchrun.core import cells, mapping, schema_types
from batchrun.core.column_samples import Column
from batchrun.core.schema import Schema
from batchrun.core.schema_leaves import Leaf
from batchrun.core.spec import Target
from batchrun.core.trials import Options, Trial, tried
from batchrun.model import Cell

CHANGE_ME = "CHANGE_ME"
_DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_TIMES = ("%H:%M", "%H:%M:%S")
_MARKS = (".", ",", " ", "'", "’")
_SEPARATORS = (";", "|", "\n", ",")
_YES = frozenset({"y", "yes", "j", "ja", "oui", "si", "sí", "true", "wahr", "vrai", "1", "on"})
_NO = frozenset({"n", "no", "nein", "non", "false", "falsch", "faux", "0", "off"})
_ZERO_GROUP = re.compile(r"-?0\d*[.,'’ \u00a0\u202f]\d{3}(?!\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fit:
    """How far a column fits a field: `share` of its filled cells, with what options, and in words what is amiss.

    `note` says what the options do; `amiss` what a person has to decide or correct, and is empty where all is well.
    """

    target: str
    options: Options
    share: float
    note: str = ""
    amiss: str = ""


def fit(column: Column, leaf: Leaf, schema: Schema) -> Fit:
    """Find how a column's cells become what a field wants; what the sample does not prove is left to a person."""
    if leaf.is_list:
        return _fit_list(column, leaf, schema)
    if leaf.wanted.value_types == {"object"}:
        return Fit(leaf.target, {}, 0.0, amiss="the schema wants an object without naming its fields")
    kind = mapping.asked_type(Target(column=column.name), leaf.wanted)
    trials = [tried(column, leaf.target, options, schema) for options in _ways(kind, column, leaf)]
    if kind == "date-time":
        return _fit_time(column, leaf, schema, trials)
    return _best_text(column, leaf, trials) if kind == "string" else _best(column, trials)


def _ways(kind: str, column: Column, leaf: Leaf) -> list[Options]:
    ways = _WAYS.get(kind)
    return [{}, *(ways(column, leaf) if ways else ())]


def _number_ways(_column: Column, _leaf: Leaf) -> Iterable[Options]:
    for decimal in (".", ","):
        for mark in (None, *_MARKS):
            if mark != decimal and (decimal, mark) != (".", None):
                yield {
                    **({} if decimal == "." else {"decimal": decimal}),
                    **({} if mark is None else {"thousands": mark}),
                }


def _date_ways(_column: Column, _leaf: Leaf) -> Iterable[Options]:
    return ({"date_format": form} for form in _DAYS)


def _boolean_ways(column: Column, _leaf: Leaf) -> Iterable[Options]:
    words = [cells.shown(cell) for cell in column.cells]
    meant = {word: word.casefold() in _YES for word in words if word.casefold() in _YES | _NO}
    return [{"map": meant}] if meant else []


def _text_ways(column: Column, leaf: Leaf) -> Iterable[Options]:
    words = {_bare(word): word for word in leaf.words if isinstance(word, str)}
    shown = [cells.shown(cell) for cell in column.cells]
    if len(words) == len(leaf.words) > 0:
        same = {word: words[_bare(word)] for word in shown if _bare(word) in words}
        return [{"map": same}] if same else []
    if re.search(r'["\\\n]', column.name) or not all(isinstance(cell, str) for cell in column.cells):
        return []
    name = f"row[{json.dumps(column.name, ensure_ascii=False)}]"
    return [{"expr": f'{name} | replace(" ", "")'}, {"expr": f'{name} | replace(" ", "") | upper'}]


def _bare(word: str) -> str:
    return "".join(mark for mark in word.casefold() if mark.isalnum())


_WAYS: Mapping[str, Callable[[Column, Leaf], Iterable[Options]]] = {
    "string": _text_ways,
    "number": _number_ways,
    "integer": _number_ways,
    "boolean": _boolean_ways,
    "date": _date_ways,
}


def _best(column: Column, trials: Sequence[Trial]) -> Fit:
    """Take the way that reads most cells; where two read them differently, nothing but a person can tell."""
    usable = [trial for trial in trials if not ("thousands" in trial.options and _groups_zeros(trial))]
    first = max(usable, key=lambda trial: trial.read)
    for other in usable if first.read else ():
        for cell in first.values:
            if _disagree(first, other, cell):
                return _undecided(first, other, cell)
    return _made(column, first)


def _disagree(first: Trial, other: Trial, cell: Cell) -> bool:
    """Tell whether another way, which reads as many cells, reads one differently; or reads one that the first cannot.

    Where one cell can only be 10/31/2026, nobody knows what the others mean, were there ever so many of 31/10/2026.
    Dates as ISO writes them are not in doubt, whatever stands beside them.
    """
    one, two = first.reading_of(cell), other.reading_of(cell)
    if two is None:
        return False
    if one is None:
        return bool(first.options) or "date_format" not in other.options
    return other.read == first.read and one != two


def _groups_zeros(trial: Trial) -> bool:
    """Tell whether a group of thousands would begin with a zero, as in 0.125: nobody writes that."""
    return any(isinstance(cell, str) and _ZERO_GROUP.match(cell) for cell in trial.values)


def _undecided(one: Trial, other: Trial, cell: Cell) -> Fit:
    first, second, shown = one.reading_of(cell), other.reading_of(cell), f'"{cells.cut(cells.shown(cell))}"'
    said = f"{shown} may mean {_plainly(first)} or {_plainly(second)}; say which, as in {_as_said(other.options)}"
    if first is None:
        said = f"the cells are not all written in one way: {shown} is unlike others"
    return Fit(one.target, other.options, 0.0, amiss=said)


def _as_said(options: Options) -> str:
    return ", ".join(f"{name}: '{value}'" for name, value in options.items() if name != "timezone")


def _best_text(column: Column, leaf: Leaf, trials: Sequence[Trial]) -> Fit:
    """Take the cells as they stand, unless only another way makes what the schema takes."""
    plain, *others = trials
    if plain.taken == column.filled:
        return _made(column, plain)
    if leaf.words:
        best = max(trials, key=lambda trial: trial.taken)
        return _made(column, best, of=leaf.words)
    return _made(column, next((trial for trial in others if trial.taken == column.filled), plain))


def _made(column: Column, trial: Trial, of: Sequence[Any] = ()) -> Fit:
    share = trial.taken / column.filled if column.filled else 1.0
    note = _note(trial) if column.filled else "the column was empty in the rows looked at"
    return Fit(trial.target, trial.options, share, note, _amiss(trial, of))


def _amiss(trial: Trial, of: Sequence[Any]) -> str:
    if not trial.refused:
        return ""
    texts = [cells.shown(cell) for cell in trial.refused]
    shown = ", ".join(f'"{cells.cut(text)}"' if text else "a cell that shows nothing" for text in texts[:3])
    more = f" and {len(texts) - 3} more" if len(texts) > 3 else ""
    why = trial.fault_of(trial.refused[0]) or "the schema does not take it"
    if of:
        words = ", ".join(str(word) for word in of[:8])
        why = f"not among the words of the schema ({words}); say by a `map:` what is meant"
    return f"{shown}{more}: {why.rstrip('.')}"


def _note(trial: Trial) -> str:
    """Say what options do, by an example out of the sheet."""
    if "expr" in trial.options:
        return "the schema takes it only without blanks"
    if "map" in trial.options:
        return "the sheet's words, and what the schema calls them"
    if "split" in trial.options:
        return "one cell holds several values"
    read = [cell for cell in trial.values if trial.fault_of(cell) is None]
    if not trial.options or not read:
        return ""
    cell = max(read, key=lambda cell: len(cells.shown(cell)))
    return f'"{cells.cut(cells.shown(cell))}" is read as {_plainly(trial.values[cell])}'


def _plainly(value: Any) -> str:
    return cells.plain(value) if isinstance(value, Decimal) else str(value)


def _fit_time(column: Column, leaf: Leaf, schema: Schema, trials: Sequence[Trial]) -> Fit:
    """A time without a zone is no moment: the zone is asked for, and the form of the text is found."""
    if trials[0].taken == column.filled:
        return _made(column, trials[0])
    forms = [f"{day} {time}" for day in ("%Y-%m-%d", *_DAYS) for time in _TIMES]
    ways: list[Options] = [{}, *({"date_format": form} for form in forms)]
    zoned = [tried(column, leaf.target, {**way, "timezone": "UTC"}, schema) for way in ways]
    if not any(trial.read for trial in zoned):
        return _made(column, trials[0])
    found = _best(column, zoned)
    said = "the times have no zone; write yours, such as Europe/Berlin"
    amiss = "; ".join(text for text in (found.amiss, said) if text)
    return Fit(leaf.target, {**found.options, "timezone": CHANGE_ME}, 0.0, amiss=amiss)


def _fit_list(column: Column, leaf: Leaf, schema: Schema) -> Fit:
    found = [mark for mark in _SEPARATORS if any(isinstance(cell, str) and mark in cell for cell in column.cells)]
    numeric = schema_types.wanted_at(schema.document, (*leaf.path, 0)).value_types & {"number", "integer"}
    if len(found) > 1 or (numeric and found == [","]):
        said = " and ".join(json.dumps(mark) for mark in found)
        return Fit(leaf.target, {"split": found[0]}, 0.0, amiss=f"{said} may be what separates the values; say which")
    if found:
        return _made(column, tried(column, leaf.target, {"split": found[0]}, schema))
    one = _made(column, tried(column, f"{leaf.target}[0]", {}, schema))
    return Fit(one.target, one.options, one.share, one.note or "a list; each cell here holds one value", one.amiss)
