"""Edits one sheet's XML as it streams by: marked cells, a `_problems` column, a place for comments; the rest stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, cast
from xml.parsers import expat

from batchrun.io.excel_package import DamagedXmlError
from batchrun.io.excel_parts import local_name, parse_in_blocks
from batchrun.io.excel_survey import CellPlaces
from batchrun.io.marked_columns import Column, column_of, style_of_column, widened
from batchrun.io.marked_styles import MarkedStyles
from batchrun.io.marks import COLUMN, Marks, RowMarks
from batchrun.io.workbook_text import text_xml
from batchrun.io.xml_spans import CannotEditError, namespace, refuse_other_encodings, start_tag, with_attribute
from batchrun.model import column_letters

_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_BLOCK = 1 << 16
# What may follow <legacyDrawing> in a sheet.
_AFTER_LEGACY_DRAWING = {
    *("legacyDrawingHF", "drawingHF", "picture", "oleObjects", "controls", "AlternateContent"),
    *("webPublishItems", "tableParts", "extLst"),
}
_NOTHING = RowMarks()


@dataclass(frozen=True, slots=True)
class SheetEdits:
    """What is to be done to a sheet.

    `column` is the zero-based place of the `_problems` column; `is_new` is false where an earlier report has made it.
    `legacy_drawing` is the relation by which the sheet is to name its comments' shapes, where it names none yet.
    """

    marks: Marks
    header_row: int
    column: int
    is_new: bool
    legacy_drawing: str | None = None


@dataclass(slots=True)
class Edited:
    """What an edited sheet must hold, so that it can be read back: rows and cells."""

    rows: int = 0
    cells: int = 0


def edit_sheet(source: IO[bytes], edits: SheetEdits, styles: MarkedStyles, sink: IO[bytes]) -> Edited:
    """Copy a sheet from `source` to `sink`, edited; raise CannotEditError where a row to be marked is not there."""
    return _Editor(edits, styles, sink).run(source)


class _Editor:
    """Copies the bytes up to each place where something is to be done, and does it there."""

    def __init__(self, edits: SheetEdits, styles: MarkedStyles, sink: IO[bytes]) -> None:
        self._edits, self._styles, self._sink = edits, styles, sink
        self._window, self._base = bytearray(), 0  # the bytes not yet written, and the place of their first in the part
        self._dropping = self._drops_one_tag = False
        self._places, self._depth = CellPlaces(), 0
        self._in_rows = self._is_edited = False
        self._waiting: dict[int, RowMarks] = dict(edits.marks)
        self._row, self._row_style = _NOTHING, 0
        self._pending: list[int] = []
        self._header_style, self._columns = 0, list[Column]()
        self._has_columns, self._legacy_drawing = False, edits.legacy_drawing
        self._all_rows = styles.has_marks or not edits.is_new
        self._edited = Edited()
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end

    def run(self, source: IO[bytes]) -> Edited:
        for _ in parse_in_blocks(self.parser, cast("IO[bytes]", _Seen(source, self._see))):
            self._write_to(self._base + max(self._window.rfind(b"<"), 0))
        self._write_to(self._base + len(self._window))
        if self._waiting:
            raise CannotEditError(f"its row {min(self._waiting)} is not where the readers saw it")
        return self._edited

    def _see(self, block: bytes) -> None:
        if not self._base and not self._window:
            refuse_other_encodings(block[:200])
        self._window += block

    # Writing

    def _write_to(self, place: int) -> None:
        count = place - self._base
        if not self._dropping:
            self._sink.write(self._window[:count])
        del self._window[:count]
        self._base = place

    def _put(self, text: str) -> None:
        self._sink.write(text.encode())

    def _change_tag(self, **attributes: str) -> bool:
        """Write up to the tag that begins here and the tag itself, changed; tell whether it is an empty element."""
        self._write_to(self.parser.CurrentByteIndex)
        tag = start_tag(self._window, 0)
        changed = tag
        for name, value in attributes.items():
            changed = with_attribute(changed, name, value)
        self._sink.write(changed)
        del self._window[: len(tag)]
        self._base += len(tag)
        return tag.endswith(b"/>")

    # Reading

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local_name(tag)
        if not self._in_rows:
            self._start_outside(name, tag, attributes)
        elif name == "c":
            self._edited.cells += 1
            if self._is_edited:
                self._start_cell(tag, attributes)
        elif name == "row":
            self._start_row(attributes)
        elif name == "f" and self._dropping:
            raise CannotEditError(f"its column {COLUMN} holds formulas")

    def _end(self, tag: str) -> None:
        name = local_name(tag)
        if not self._in_rows or name == "sheetData":
            self._in_rows = False
            self._end_outside(name, tag)
        elif name == "c" and self._dropping:
            self._drop_to_end()
        elif name == "row" and self._is_edited:
            self._write_to(self.parser.CurrentByteIndex)
            self._put_pending(tag)

    def _start_outside(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if name == "sheetData":
            self._in_rows = True
            self._columns_before_rows(tag)
        elif name == "dimension" and attributes.get("ref"):
            self._change_tag(ref=self._dimension(attributes["ref"]))
        elif name == "cols" and self._depth == 2:
            self._has_columns = True
            self._drop()
        elif name == "col" and self._dropping:
            self._columns.append(column_of(attributes))
        elif self._depth == 2 and name in _AFTER_LEGACY_DRAWING:
            self._put_legacy_drawing(tag)

    def _end_outside(self, name: str, tag: str) -> None:
        self._depth -= 1
        if name == "cols" and self._dropping:
            self._drop_to_end()
            self._put(widened(self._columns, self._edits.column, tag))
        elif self._depth == 0:
            self._put_legacy_drawing(tag)

    def _drop(self) -> None:
        """Write up to the element that begins here, and nothing of it."""
        self._write_to(self.parser.CurrentByteIndex)
        self._dropping, self._drops_one_tag = True, start_tag(self._window, 0).endswith(b"/>")

    def _drop_to_end(self) -> None:
        """End the dropping where the element ends that ends here."""
        place = self.parser.CurrentByteIndex
        self._write_to(place)
        if not self._drops_one_tag:
            self._write_to(place + self._window.index(b">") + 1)
        self._dropping = False

    def _columns_before_rows(self, tag: str) -> None:
        if not self._has_columns:
            self._write_to(self.parser.CurrentByteIndex)
            self._put(widened([], self._edits.column, tag))

    def _put_legacy_drawing(self, tag: str) -> None:
        relation, self._legacy_drawing = self._legacy_drawing, None
        if relation is not None:
            self._write_to(self.parser.CurrentByteIndex)
            self._put(f'<legacyDrawing{namespace(tag)} xmlns:r="{_RELATIONS}" r:id="{relation}"/>')

    def _dimension(self, area: str) -> str:
        first, _, last = area.partition(":")
        last = last or first
        letters = last.rstrip("0123456789")
        wider = max(letters, column_letters(self._edits.column), key=lambda name: (len(name), name))
        bottom = max([int(last[len(letters) :] or 1), self._edits.header_row, *self._edits.marks])
        return f"{first}:{wider}{bottom}"

    # Rows and cells

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._places.next_row(attributes)
        number, edits = self._places.row, self._edits
        self._edited.rows += 1
        self._row = self._waiting.pop(number, _NOTHING)
        is_table = number >= edits.header_row
        self._is_edited = self._row is not _NOTHING or number == edits.header_row or (self._all_rows and is_table)
        if not self._is_edited:
            return
        self._row_style = _style(attributes) if attributes.get("customFormat") in ("1", "true") else 0
        has_note = bool(self._row.notes) or (number == edits.header_row and edits.is_new)
        self._pending = sorted({*self._row.cells, *([edits.column] if has_note else [])})
        self._change_row_tag(attributes)

    def _change_row_tag(self, attributes: dict[str, str]) -> None:
        first, _, last = attributes.get("spans", "").partition(":")
        reach = max(self._pending, default=-1) + 1
        wider = {"spans": f"{first}:{reach}"} if last.isdigit() and int(last) < reach else {}
        if self._change_tag(**wider) and self._pending:
            raise CannotEditError(f"its row {self._places.row} is empty")

    def _start_cell(self, tag: str, attributes: dict[str, str]) -> None:
        self._places.next_column(attributes)
        column, style = self._places.column, _style(attributes)
        self._write_to(self.parser.CurrentByteIndex)
        self._put_pending(tag, before=column)
        if column == self._edits.column and self._places.row >= self._edits.header_row:
            self._replace_note(tag, column)
            return
        if self._places.row == self._edits.header_row and column < self._edits.column:
            self._header_style = style
        wanted = self._styles.marked(style) if column in self._row.cells else self._styles.unmarked(style)
        if column in self._pending:
            self._pending.remove(column)
        if wanted != style:
            self._change_tag(s=str(wanted))

    def _replace_note(self, tag: str, column: int) -> None:
        """Put the `_problems` cell in the place of one that stands there, be it blank or of an earlier report."""
        if self._places.row == self._edits.header_row and not self._edits.is_new:
            return
        self._put_pending(tag, before=column + 1)
        self._edited.cells -= 1
        self._drop()

    def _put_pending(self, tag: str, before: int | None = None) -> None:
        while self._pending and (before is None or self._pending[0] < before):
            self._put_cell(self._pending.pop(0), namespace(tag))
            self._edited.cells += 1

    def _put_cell(self, column: int, declared: str) -> None:
        at = f'<c{declared} r="{column_letters(column)}{self._places.row}"'
        if column != self._edits.column:
            own = self._row_style or style_of_column(self._columns, column)
            self._put(f'{at} s="{self._styles.marked(own)}"/>')
            return
        is_header = self._places.row == self._edits.header_row
        style = self._header_style if is_header else self._styles.marked(0) if self._row.whole else 0
        words = COLUMN if is_header else self._row.note
        self._put(f'{at} s="{style}" t="inlineStr"><is>{text_xml(words)}</is></c>')


class _Seen:
    """A stream that shows each block before it is parsed."""

    def __init__(self, stream: IO[bytes], see: Callable[[bytes], None]) -> None:
        self._stream, self._see = stream, see

    def read(self, size: int = _BLOCK) -> bytes:
        block = self._stream.read(size)
        self._see(block)
        return block


def _style(attributes: dict[str, str]) -> int:
    style = attributes.get("s", "0")
    if not style.isdigit():
        raise DamagedXmlError
    return int(style)
