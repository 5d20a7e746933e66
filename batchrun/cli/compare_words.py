"""How a comparison reads on a screen of 80 columns: the sums first, then what moved furthest, the largest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from batchrun.cli.words import SHOWN, WIDTH, table
from batchrun.core.comparing import Amounts, Change, Changes, Entry, Move, Sum, name_of
from batchrun.core.differences import text_of
from batchrun.core.totals import counted, grouped
from batchrun.io.workbook_text import safe_text

if TYPE_CHECKING:
    from batchrun.flows.compared import Compared

FEW = 5
LONG, SHORT = 28, 16  # characters of a name that stands beside amounts, and beside other names
SHORTEST = 8
Lines = list[list[str]]


class Section(NamedTuple):
    """One table: its heading, how many lines it has in all, and the first of them below their heads."""

    title: str
    in_all: int
    lines: Lines
    numbers: Sequence[int]

    def shown(self, bold: Callable[[str], str], more: str) -> Iterator[str]:
        """Give heading and first lines, and say how many more there are and where; nothing where there are none."""
        if not self.in_all:
            return
        yield ""
        yield bold(self.title)
        yield from (f"  {line}" for line in table(_fitting(self.lines, self.numbers), right=self.numbers))
        left = self.in_all - (len(self.lines) - 1)
        if left:
            yield f"  and {left:,} more ({more})"


def comparison(found: Compared, bold: Callable[[str], str]) -> Iterator[str]:
    """Say what differs, section by section."""
    yield bold(f"{found.job}: {found.input_name} against {found.batch.name}")
    yield from _overview(found)
    yield from _same(found)
    more = "see the workbook" if found.workbook else "see all with -o F.xlsx, or --json"
    for section in _sections(found):
        yield from section.shown(bold, more)


def _sections(found: Compared) -> Iterator[Section]:
    result, decimals = found.comparison, found.comparison.decimals
    beyond = f"moved by more than {found.threshold.normalize():f} %"
    if result.groups is not None:
        by, groups = result.groups.column, result.groups
        yield _moves(f"{by}: {len(groups.moved):,} {beyond}", by, groups.moved, decimals)
        yield _sums(f"{by}: {len(groups.new):,} new", by, groups.new, decimals)
        yield _sums(f"{by}: {len(groups.missing):,} missing", by, groups.missing, decimals)
    yield _moves(f"{counted(len(result.moved), 'amount')} of keys in both {beyond}", "key", result.moved, decimals)
    yield _changes(f"{counted(len(result.changed), 'field')} of keys in both changed", result.changed)
    most = SHOWN if result.groups is None else FEW  # whoever asks for sums looks at sums
    yield _entries(f"{counted(len(result.new), 'new key')} in the sheet", result.new, decimals, most)
    missing = f"{counted(len(result.missing), 'key')} of {found.batch.name} missing"
    yield _entries(missing, result.missing, decimals, most)


def _overview(found: Compared) -> Iterator[str]:
    decimals = found.comparison.decimals
    lines = [["", "then", "now", "difference", ""]]
    lines.append(["rows", f"{found.rows_then:,}", f"{found.rows:,}", _signed(found.rows - found.rows_then), ""])
    if found.invalid or found.invalid_then:
        difference = _signed(found.invalid - found.invalid_then)
        lines.append(["not compared", f"{found.invalid_then:,}", f"{found.invalid:,}", difference, ""])
    for move in found.comparison.totals:
        marked = "  moved" if move.is_beyond(found.threshold) else ""
        lines.append([move.column, *_figures(move, decimals[move.column]), f"{_percent(move)}{marked}"])
    yield from table(lines, right=(1, 2, 3))


def _figures(move: Move, places: int) -> list[str]:
    difference = f"{move.difference:+,.{places}f}" if move.difference else ""
    return [grouped(move.old, places), grouped(move.new, places), difference]


def _percent(move: Move) -> str:
    return f"{move.percent:+,.1f} %" if move.percent else ""


def _signed(count: int) -> str:
    return f"{count:+,}" if count else ""


def _same(found: Compared) -> Iterator[str]:
    keys = [_cut(name_of(entry.key)) for entry in found.comparison.same]
    if 0 < len(keys) <= FEW:
        yield from wrap(f"{counted(len(keys), 'key')} in both: {', '.join(keys)}", WIDTH, subsequent_indent="  ")
    elif keys:
        yield f"{counted(len(keys), 'key')} in both"
    elif found.comparison.groups is None:
        yield "No key is in both. Compare the sums by a column that comes again: --by COLUMN"


def _moves(title: str, name: str, moves: Sequence[Move], decimals: Mapping[str, int]) -> Section:
    several = ["total"] if len(decimals) > 1 else []
    lines = [[name, *several, "then", "now", "difference", "%"]]
    for move in moves[:SHOWN]:
        column = [move.column] if several else []
        percent = "new" if move.percent is None else f"{move.percent:+,.1f}"
        lines.append([_cut(move.name), *column, *_figures(move, decimals[move.column]), percent])
    first = 1 + len(several)
    return Section(title, len(moves), lines, range(first, first + 4))


def _sums(title: str, name: str, sums: Sequence[Sum], decimals: Mapping[str, int]) -> Section:
    shown = ([_cut(one.name), f"{one.rows:,}", *_amounts(one.amounts, decimals)] for one in sums[:SHOWN])
    return Section(title, len(sums), [[name, "keys", *decimals], *shown], range(1, 2 + len(decimals)))


def _entries(title: str, entries: Sequence[Entry], decimals: Mapping[str, int], most: int) -> Section:
    shown = ([f"{one.row}", _cut(name_of(one.key)), *_amounts(one.amounts, decimals)] for one in entries[:most])
    return Section(title, len(entries), [["row", "key", *decimals], *shown], (0, *range(2, 2 + len(decimals))))


def _changes(title: str, changes: Changes) -> Section:
    lines = [["row", "key", "column", "then", "now"]]
    for one in islice(changes, SHOWN):
        texts = (name_of(one.key), one.column or one.path or "", *_then_and_now(one))
        lines.append([f"{one.row}", *(_cut(text, SHORT) for text in texts)])
    return Section(title, len(changes), lines, (0,))


def _then_and_now(change: Change) -> tuple[str, str]:
    return text_of(change.old) or "(nothing)", text_of(change.new) or "(nothing)"


def _fitting(lines: Lines, numbers: Sequence[int]) -> Lines:
    """Shorten the first column of names where a screen is too narrow for the lines."""
    wide = max(map(len, table(lines))) + 2 - WIDTH
    place = next(place for place in range(len(lines[0])) if place not in numbers)
    room = max(SHORTEST, max(len(line[place]) for line in lines) - wide)
    return [[*line[:place], _cut(line[place], room), *line[place + 1 :]] for line in lines] if wide > 0 else lines


def _amounts(amounts: Amounts, decimals: Mapping[str, int]) -> list[str]:
    known: dict[str, Decimal | None] = dict(amounts)
    shown = [
        (known[column], places) if column in known else (Decimal(0), places) for column, places in decimals.items()
    ]
    return ["?" if amount is None else grouped(amount, places) for amount, places in shown]


def _cut(text: str, width: int = LONG) -> str:
    line = " ".join(safe_text(text).split())
    return line if len(line) <= width else f"{line[: width - 1]}…"
