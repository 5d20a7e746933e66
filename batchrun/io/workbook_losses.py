"""Tells what people put into a results workbook that cannot be taken along when it is written again."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from batchrun.io.excel_choice import SheetEntry
from batchrun.io.excel_package import Package, actual_paths, open_package, relations
from batchrun.io.workbook_opening import plain_damage
from batchrun.io.workbook_results_layout import Table

OWN_TITLES = re.compile(r"(?:Results|Problems)(?: (?:[2-9]|[1-9]\d+))?|Summary|Doubts", re.IGNORECASE)

_DRAWN = "a chart, picture or shape"
# What a sheet has beside its cells, by the kind of the relation to it.
_PARTS = {
    "drawing": _DRAWN,
    "image": "a background picture",
    "pivotTable": "a pivot table",
    "slicer": "a slicer",
    "timeline": "a timeline",
    "queryTable": "a query",
    "oleObject": "an embedded object",
    "package": "an embedded file",
    "control": "a form control",
    "ctrlProp": "a form control",
    "threadedComment": "a conversation in comments",
}
_ONLY_IN_EXTRA = ("threadedComment",)  # elsewhere the comment itself is told
# What a sheet's own XML has for programs newer than the format.
_NEWER = {
    rb"sparklineGroup\b": "a sparkline",
    rb"<x14:dataValidation\b": "a drop-down that takes its list from another sheet",
    rb"<x14:cfRule\b": "a data bar or an icon set",
}
_COMMENT = re.compile(rb'<(?:\w+:)?comment\s[^>]*?\bref="([A-Z]+)(\d+)"')


def losses(path: Path, name: str, tables: Sequence[Table], extra: Collection[str]) -> tuple[str, ...]:
    """Give a sentence for each thing in the Results sheets and the `extra` ones that would be lost."""
    with plain_damage(name):
        package = open_package(path, name)
        with package.archive:
            return tuple(f"{name}!{text}" for text in _losses(package, tables, extra))


def _losses(package: Package, tables: Sequence[Table], extra: Collection[str]) -> Iterator[str]:
    actual = actual_paths(package.archive)
    lines = {table.sheet: table.line for table in tables}
    for sheet in package.sheets:
        if sheet.name in lines:
            yield from _in_results(package, actual, sheet, lines[sheet.name])
        elif sheet.name in extra:
            yield from _in_extra(package, actual, sheet)


def _in_results(package: Package, actual: dict[str, str], sheet: SheetEntry, header: int) -> Iterator[str]:
    for kind, target in _parts(package, actual, sheet):
        if kind in _PARTS and kind not in _ONLY_IN_EXTRA:
            yield f"{sheet.name} holds {_PARTS[kind]}"
        elif kind == "table":
            yield f"{sheet.name} was formatted as a table"
        elif kind == "comments":
            yield from _comments(package.archive.read(target), sheet.name, header)


def _comments(content: bytes, sheet: str, header: int) -> Iterator[str]:
    places = [
        f"{letters.decode()}{line.decode()}" for letters, line in _COMMENT.findall(content) if int(line) != header
    ]
    if places:
        more = f" and {len(places) - 1:,} more cells" if len(places) > 1 else ""
        yield f"{sheet}!{places[0]}{more}: there is a comment by somebody"


def _in_extra(package: Package, actual: dict[str, str], sheet: SheetEntry) -> Iterator[str]:
    if not sheet.has_rows:
        yield f"{sheet.name} is a chart"
        return
    if OWN_TITLES.fullmatch(sheet.name):
        yield f"{sheet.name} is named like a sheet of batchrun's own"
    for kind, _ in _parts(package, actual, sheet):
        if kind in _PARTS:
            yield f"{sheet.name} holds {_PARTS[kind]}"
    content = package.archive.read(sheet.path)
    for mark, words in _NEWER.items():
        if re.search(mark, content):
            yield f"{sheet.name} holds {words}"


def _parts(package: Package, actual: dict[str, str], sheet: SheetEntry) -> Iterator[tuple[str, str]]:
    """Give the kind and the path of each part of a sheet; drawings only where something is drawn on them."""
    for _, kind, target in relations(package.archive, actual, sheet.path):
        path = actual.get(target.lower(), "")
        # LibreOffice gives a blank drawing to each sheet that has comments.
        if kind != "drawing" or (path and b"Anchor" in package.archive.read(path)):
            yield kind, path
