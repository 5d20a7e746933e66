"""Copies an .xlsx package part by part, and edits only the parts that marks need: the sheet, its comments, styles."""

from __future__ import annotations

import posixpath
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, BinaryIO
from xml.parsers import expat

from batchrun.errors import Stopped
from batchrun.io.excel_package import DAMAGE, actual_paths, relations
from batchrun.io.excel_parts import local_name, parse_in_blocks
from batchrun.io.marked_comments import CommentsPlan, comments_wanted, plan_comments
from batchrun.io.marked_scan import scan_sheet
from batchrun.io.marked_shapes import write_shapes
from batchrun.io.marked_sheet import Edited, SheetEdits, edit_sheet
from batchrun.io.marked_styles import MarkedStyles
from batchrun.io.marks import Marks
from batchrun.io.xml_spans import CannotEditError, appended, spans

MOST_COMMENTS = 10_000
"""Excel draws a box for each comment; with many more than these it takes minutes to open a sheet."""

_TYPES, _SIGNATURES = "[Content_Types].xml", "_xmlsignatures/"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_RELATIONS_PART = f'<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="{_PACKAGE}/relationships"/>'.encode()
_COMMENTS_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.comments+xml"
_SHAPES_TYPE = "application/vnd.openxmlformats-officedocument.vmlDrawing"
_MOST_BYTES = 64 * 1024 * 1024  # of a part that is edited in memory
_CHUNK = 1 << 20
_A_LINE = 34  # characters in a comment's box


@dataclass(frozen=True, slots=True)
class SheetPlace:
    """Where the table lies: the sheet's and the styles' parts, the header row, and the `_problems` column.

    `column` is where that column stands already, or the first place right of the table.
    """

    part: str
    styles: str
    header_row: int
    column: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class Copied:
    """What was marked: cells, and how many of those have their words in a comment too."""

    cells: int
    comments: int


def mark_package(archive: zipfile.ZipFile, place: SheetPlace, marks: Marks, sink: BinaryIO) -> Copied:
    """Write a marked copy of a package; raise CannotEditError where that cannot be done without a risk."""
    try:
        return _Copy(archive, place, marks).write(sink)
    except DAMAGE:
        raise CannotEditError("a part of it is not as it should be") from None


class _Copy:
    def __init__(self, archive: zipfile.ZipFile, place: SheetPlace, marks: Marks) -> None:
        _refuse_unsafe(archive)
        self._archive, self._place, self._marks = archive, place, marks
        self._actual = actual_paths(archive)
        with archive.open(place.part) as sheet:
            scan = scan_sheet(sheet)
        self._styles = MarkedStyles(self._small(place.styles))
        wanted = dict(comments_wanted({row: one.cells for row, one in marks.items()}, MOST_COMMENTS))
        self._links = _Links(archive, self._actual, place.part, scan.legacy_drawing)
        self._comments = plan_comments(self._optional(self._links.comments), wanted)
        self._commented = len(wanted)
        self._cells = sum(len(one.cells) for one in marks.values())
        column = scan.free_column(place.column, place.header_row) if place.is_new else place.column
        self._is_commented = bool(wanted or self._comments.removed)
        link = self._links.shapes_id if self._is_commented and scan.legacy_drawing is None else None
        self._edits = SheetEdits(marks, place.header_row, column, place.is_new, link)

    def write(self, sink: BinaryIO) -> Copied:
        changed = self._links.changed_parts(self._is_commented)
        later = [self._place.styles, *(self._links.own_parts if self._is_commented else ())]
        edited = Edited()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as target:
            for entry in self._archive.infolist():
                if entry.filename == self._place.part:
                    edited = self._write_sheet(entry, target)
                elif entry.filename in changed:
                    target.writestr(_same(entry), changed.pop(entry.filename))
                elif entry.filename not in later:
                    _copy(self._archive, entry, target)
            for name, content in changed.items():
                target.writestr(_new(name), content)
            self._write_rest(target)
        _verify(sink, self._place.part, edited, later)
        return Copied(self._cells, self._commented)

    def _write_sheet(self, entry: zipfile.ZipInfo, target: zipfile.ZipFile) -> Edited:
        part = _same(entry)
        part.compress_type = zipfile.ZIP_DEFLATED
        with self._archive.open(entry) as source, target.open(part, "w", force_zip64=True) as sink:
            return edit_sheet(source, self._edits, self._styles, sink)

    def _write_rest(self, target: zipfile.ZipFile) -> None:
        target.writestr(_new(self._place.styles), self._styles.content())
        if not self._is_commented:
            return
        plan = self._comments
        with target.open(_new(self._links.comments_part), "w", force_zip64=True) as sink:
            plan.write(sink)
        shapes = self._optional(self._links.shapes)
        with target.open(_new(self._links.shapes_part), "w", force_zip64=True) as sink:
            write_shapes(shapes, plan.places, plan.removed, _heights(plan), sink)

    def _optional(self, part: str | None) -> bytes | None:
        return None if part is None else self._small(part)

    def _small(self, part: str) -> bytes:
        if self._archive.getinfo(part).file_size > _MOST_BYTES:
            raise CannotEditError(f"its part {part} is too large")
        return self._archive.read(part)


class _Links:
    """The sheet's comments and their shapes: where they lie, or shall lie, and what must name them."""

    def __init__(
        self, archive: zipfile.ZipFile, actual: Mapping[str, str], sheet: str, legacy_drawing: str | None
    ) -> None:
        self._archive, self._actual, self._sheet = archive, actual, sheet
        found = list(relations(archive, dict(actual), sheet))
        self._ids = {number for number, _, _ in found}
        self.comments = next((self._part(target) for _, kind, target in found if kind == "comments"), None)
        self.shapes = next((self._part(target) for number, _, target in found if number == legacy_drawing), None)
        if legacy_drawing is not None and self.shapes is None:
            raise CannotEditError("the boxes of its comments are missing")
        self.comments_part = self.comments or self._free("xl/comments{}.xml")
        self.shapes_part = self.shapes or self._free("xl/drawings/vmlDrawing{}.vml")
        self.shapes_id, self._comments_id = self._new_id("rIdShapes"), self._new_id("rIdComments")

    @property
    def own_parts(self) -> Sequence[str]:
        """Name the parts that comments are made of."""
        return self.comments_part, self.shapes_part

    def changed_parts(self, is_commented: bool) -> dict[str, bytes]:
        """Give the sheet's relations and the list of content types, where they change."""
        if not is_commented or (self.comments and self.shapes):
            return {}
        return dict((self._relations(), self._types()))

    def _relations(self) -> tuple[str, bytes]:
        folder, base = posixpath.split(self._sheet)
        name = posixpath.join(folder, "_rels", f"{base}.rels")
        known = self._actual.get(name.lower())
        content = self._archive.read(known) if known else _RELATIONS_PART
        for number, kind, part in self._missing():
            new = f'Id="{number}" Type="{_OFFICE}/{kind}" Target="/{part}"'
            new = f'<Relationship xmlns="{_PACKAGE}/relationships" {new}/>'
            content = appended(content, "Relationships", new.encode())
        return known or name, content

    def _missing(self) -> list[tuple[str, str, str]]:
        comments = [(self._comments_id, "comments", self.comments_part)] if self.comments is None else []
        return comments + ([(self.shapes_id, "vmlDrawing", self.shapes_part)] if self.shapes is None else [])

    def _types(self) -> tuple[str, bytes]:
        name = self._actual[_TYPES.lower()]
        content = self._archive.read(name)
        declared = f'xmlns="{_PACKAGE}/content-types"'
        extensions = {span.attributes.get("Extension", "").lower() for span in spans(content, {"Default"})}
        if self.comments is None:
            override = f'<Override {declared} PartName="/{self.comments_part}" ContentType="{_COMMENTS_TYPE}"/>'
            content = appended(content, "Types", override.encode())
        if "vml" not in extensions and self.shapes is None:
            default = f'<Default {declared} Extension="vml" ContentType="{_SHAPES_TYPE}"/>'
            content = appended(content, "Types", default.encode())
        return name, content

    def _part(self, target: str) -> str | None:
        return self._actual.get(target.lower())

    def _free(self, pattern: str) -> str:
        numbers = range(1, len(self._actual) + 2)
        return next(name for number in numbers if (name := pattern.format(number)).lower() not in self._actual)

    def _new_id(self, wanted: str) -> str:
        while wanted in self._ids:
            wanted += "x"
        self._ids.add(wanted)
        return wanted


def _refuse_unsafe(archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if any(name.lstrip("/").startswith(_SIGNATURES) for name in names):
        raise CannotEditError("it bears a digital signature, which any change breaks")
    if len({name.lower() for name in names}) < len(names) or any("\\" in name for name in names):
        raise CannotEditError("its parts are named in a way that other programs read differently")


def _same(entry: zipfile.ZipInfo) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(entry.filename, entry.date_time)
    part.external_attr = entry.external_attr
    is_stored = entry.compress_type == zipfile.ZIP_STORED
    part.compress_type = zipfile.ZIP_STORED if is_stored else zipfile.ZIP_DEFLATED
    return part


def _new(name: str) -> zipfile.ZipInfo:
    part = zipfile.ZipInfo(name)
    part.compress_type = zipfile.ZIP_DEFLATED
    return part


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: zipfile.ZipFile) -> None:
    part = _same(entry)
    if entry.is_dir():
        target.writestr(part, b"")
        return
    part.file_size = entry.file_size  # tells whether the entry needs the large format
    with archive.open(entry) as source, target.open(part, "w") as sink:
        shutil.copyfileobj(source, sink, _CHUNK)


def _heights(plan: CommentsPlan) -> list[int]:
    return [min(2 + len(words) // _A_LINE + words.count("\n"), 12) for words in plan.words.values()]


def _verify(sink: BinaryIO, sheet: str, edited: Edited, parts: Sequence[str]) -> None:
    """Read the changed parts back: sound XML, and as many rows and cells as there must be."""
    with zipfile.ZipFile(sink) as archive:
        found = Edited()
        with archive.open(sheet) as stream:
            _count(stream, found)
        if found != edited:
            raise Stopped("the report could not be read back as it was written", code="workbook-incomplete")
        for part in (*parts, _TYPES):
            if not part.endswith(".vml"):
                with archive.open(part) as stream:
                    _count(stream, Edited())


def _count(stream: IO[bytes], found: Edited) -> None:
    parser = expat.ParserCreate()

    is_over = False

    def start(tag: str, _: object) -> None:
        name = local_name(tag)
        if name == "c" and not is_over:
            found.cells += 1
        elif name == "row" and not is_over:
            found.rows += 1

    def end(tag: str) -> None:
        nonlocal is_over
        is_over = is_over or local_name(tag) == "sheetData"

    parser.StartElementHandler, parser.EndElementHandler = start, end
    for _ in parse_in_blocks(parser, stream):
        pass
