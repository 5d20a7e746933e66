"""The fields in which two rows with one key differ: places of the payload, and columns that are not sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import takewhile
from typing import Any, NamedTuple

from batchrun.core import cells, leading_json, payloads, targets
from batchrun.core.comparing import Value
from batchrun.core.mapping import OMIT, RowMapper, columns_named
from batchrun.core.settling import same_value
from batchrun.model import Cell, Number


class Watched(NamedTuple):
    """One place of the payload that rows may say otherwise: the steps to it, and the columns that feed it."""

    path: tuple[str, ...]
    pointer: str
    columns: str | None


@dataclass(frozen=True, slots=True)
class Watch:
    """What is looked at of two rows with one key.

    `sent` are the places of the payload that columns feed. What a param or the job itself puts into every payload is
    no difference of a row, so it is not among them. `unsent` are columns that both sheets have and no payload takes:
    name, place now, place then.
    """

    sent: tuple[Watched, ...]
    unsent: tuple[tuple[str, int, int], ...]


def watch(mapper: RowMapper, before: Sequence[str], *, grouped: bool) -> Watch:
    """Say what to look at of a job's rows; `before` is the header of the sheet then. A list is one place.

    The rows of a group may stand in another order, so of those only what is sent is looked at.
    """
    fed: dict[tuple[str, ...], list[int]] = {}
    for one in mapper.fields:
        names = tuple(takewhile(lambda step: isinstance(step, str), one.path))
        fed.setdefault(tuple(map(str, names)), []).extend(one.columns)
    sent = tuple(
        Watched(path, targets.pointer(path), columns_named(mapper.info, columns))
        for path, columns in fed.items()
        if columns
    )
    taken = {column for columns in fed.values() for column in columns}
    then = {name: place for place, name in enumerate(before)}
    free = ((name, now, then[name]) for now, name in enumerate(mapper.info.header) if name in then and now not in taken)
    return Watch(sent, () if grouped else tuple(free))


class Content(NamedTuple):
    """What a row says: the JSON of its payload, and its cells."""

    payload: bytes | None
    cells: Sequence[Cell]


def changes(look: Watch, old: Content, new: Content) -> Iterator[tuple[str | None, str | None, Value, Value]]:
    """Give column, path, old and new of the fields in which a row differs.

    Numbers are compared by value, so that 19.90 is 19.9; a cell that is not sent, as it is shown.
    """
    if old.payload is not None and new.payload is not None and old.payload != new.payload:
        before, now = leading_json.parse(old.payload), leading_json.parse(new.payload)
        for place in look.sent:
            was, is_now = _at(before, place.path), _at(now, place.path)
            if not same_value(was, is_now):
                yield place.columns, place.pointer, _of_payload(was), _of_payload(is_now)
    for name, here, there in look.unsent:
        was, is_now = _of_cell(old.cells, there), _of_cell(new.cells, here)
        if was != is_now:
            yield name, None, was, is_now


def text_of(value: Value) -> str | None:
    """Write what a change says of a field, then or now; None where it says nothing."""
    if isinstance(value, Decimal):
        return cells.plain(value)
    return None if value is None else cells.shown(value)


def _at(value: Any, path: Iterable[str]) -> Any:
    for step in path:
        value = value.get(step, OMIT) if isinstance(value, dict) else OMIT
    return value


def _of_payload(value: Any) -> Value:
    """Give a payload's value as a cell can show it; lists and objects, and null, as JSON."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if value is OMIT:
        return None
    return value if isinstance(value, str | bool | Decimal) else payloads.to_json(value).decode()


def _of_cell(row: Sequence[Cell], place: int) -> Value:
    """Give a cell as it is shown, without the blanks around it; a number stays one."""
    cell = row[place] if place < len(row) else None
    if isinstance(cell, Number) and not cell.width:
        return cell.value
    return cell if isinstance(cell, bool) else cells.shown(cell).strip() or None
