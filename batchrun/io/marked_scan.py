"""Looks over a sheet's XML for what the marks must not meet: merged cells, and the drawing that comments share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO
from xml.parsers import expat

from batchrun.io.excel_parts import local_name, parse_in_blocks
from batchrun.io.excel_survey import Area, area
from batchrun.io.xml_spans import CannotEditError

_COLUMNS = 16_384


@dataclass(frozen=True, slots=True)
class Scan:
    """What one look over a sheet tells; `legacy_drawing` is the relation to its comments' shapes, if it has any."""

    merged: Sequence[Area]
    legacy_drawing: str | None

    def free_column(self, first: int, header_row: int) -> int:
        """Give the first column from a place on that no merged cells cover from the header row downwards."""
        areas = [(left, right) for _, left, bottom, right in self.merged if bottom >= header_row]
        column = first
        while any(left <= column <= right for left, right in areas):
            column += 1
        if column >= _COLUMNS:
            raise CannotEditError("it has no column left for the problems")
        return column


def scan_sheet(stream: IO[bytes]) -> Scan:
    """Look over a whole sheet."""
    merged: list[Area] = []
    drawings: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if name == "mergeCell":
            merged.append(area(attributes.get("ref", "")))
        elif name == "legacyDrawing":
            drawings.extend(value for key, value in attributes.items() if local_name(key) == "id")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    for _ in parse_in_blocks(parser, stream):
        pass
    return Scan(merged, drawings[0] if drawings else None)
