"""Makes room for the `_problems` column among a sheet's column widths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.xml_spans import namespace

WIDTH = 60


class Column(NamedTuple):
    """One <col> element: the zero-based places of its first and last column, and its other attributes."""

    first: int
    last: int
    attributes: dict[str, str]


def column_of(attributes: dict[str, str]) -> Column:
    """Read a <col> element; raise DamagedXmlError where it names no columns."""
    first, last = attributes.get("min", ""), attributes.get("max", "")
    if not (first.isdigit() and last.isdigit()):
        raise DamagedXmlError
    others = {name: value for name, value in attributes.items() if name not in ("min", "max")}
    return Column(int(first) - 1, int(last) - 1, others)


def style_of_column(columns: Sequence[Column], position: int) -> int:
    """Give the style that the blank cells of a column have."""
    style = next((one.attributes.get("style", "0") for one in columns if one.first <= position <= one.last), "0")
    return int(style) if style.isdigit() else 0


def widened(columns: Sequence[Column], position: int, beside: str) -> str:
    """Write the <cols> element with a wide, visible column at a position; `beside` is the tag of a neighbour.

    A column that somebody has set by itself stays as it is, unless it is hidden.
    """
    own = Column(position, position, {"width": str(WIDTH), "customWidth": "1"})
    kept = [part for one in columns for part in _around(one, position)]
    if not any(one.first == position for one in kept):
        kept = sorted([*kept, own], key=lambda one: one.first)
    return f"<cols{namespace(beside)}>{''.join(_written(one) for one in kept)}</cols>"


def _around(one: Column, position: int) -> Iterator[Column]:
    if not one.first <= position <= one.last or _is_meant(one):
        yield one
        return
    if one.first < position:
        yield one._replace(last=position - 1)
    if one.last > position:
        yield one._replace(first=position + 1)


def _is_meant(one: Column) -> bool:
    return one.first == one.last and one.attributes.get("hidden", "0") not in ("1", "true")


def _written(one: Column) -> str:
    others = "".join(f" {name}={quoteattr(value)}" for name, value in one.attributes.items() if ":" not in name)
    return f'<col min="{one.first + 1}" max="{one.last + 1}"{others}/>'
