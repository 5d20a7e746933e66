"""Look at a workbook's package before any reader opens it: kind, size, encryption, and where its parts lie."""

from __future__ import annotations

import mmap
import posixpath
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal
from xml.etree import ElementTree

from batchrun.errors import BadInput
from batchrun.io.excel_choice import SheetEntry

Kind = Literal["xlsx", "xlsb", "ods", "xls"]


class DamagedXmlError(Exception):
    """A part of the package is not the XML that it should be."""


# What Python's own zip and XML modules raise over a damaged package.
DAMAGE = (
    DamagedXmlError,
    ElementTree.ParseError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    LookupError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    ValueError,
    struct.error,
)

_MOST_ENTRIES = 10_000
_STRICT = "http://purl.oclc.org/ooxml/"
_ENDINGS: dict[Kind, tuple[str, ...]] = {
    "xlsx": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "xlsb": (".xlsb",),
    "ods": (".ods",),
    "xls": (".xls",),
}
_DAMAGED = "is cut off or damaged; fetch it once more, or open it in Excel, let it be repaired and save it."


@dataclass(frozen=True, slots=True)
class Package:
    """An open .xlsx package and the places of its parts."""

    archive: zipfile.ZipFile
    file_name: str
    sheets: tuple[SheetEntry, ...]
    strings: str | None
    styles: str | None
    since_1904: bool
    computed_on_opening: bool
    external_links: int


def workbook_kind(path: Path, name: str, max_size: int) -> Kind:
    """Tell by content what kind of workbook this is; raise BadInput for what is none, or is too large to unpack."""
    with path.open("rb") as stream:
        kind = _ole_kind(stream, name) if stream.read(2) != b"PK" else _zip_kind(path, name, max_size)
    _refuse_other_ending(name, kind)
    return kind


def _ole_kind(stream: IO[bytes], name: str) -> Kind:
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if content.find("EncryptedPackage".encode("utf-16-le")) >= 0:
            raise protected(name)
        if content.find("Workbook".encode("utf-16-le")) < 0 and content.find("Book".encode("utf-16-le")) < 0:
            raise BadInput(f"{name} is an Office file, but no workbook; save the table as .xlsx.")
    return "xls"


def _zip_kind(path: Path, name: str, max_size: int) -> Kind:
    with opened_zip(path, name) as archive:
        entries = archive.infolist()
        _refuse_too_large(name, entries, max_size)
        if any(entry.flag_bits & 1 for entry in entries):
            raise BadInput(f"{name} is protected by a password; save it without one.")
        names = _distinct_names(entries, name)
        if "mimetype" in names and b"opendocument.spreadsheet" in archive.read("mimetype"):
            return "ods"
        if "xl/workbook.bin" in names:
            return "xlsb"
        if "[content_types].xml" in names and _is_workbook(archive, names):
            return "xlsx"
    raise BadInput(f"{name} is a zip archive or another kind of document, but no workbook; save the table as .xlsx.")


def _distinct_names(entries: list[zipfile.ZipInfo], name: str) -> set[str]:
    names = {_plain(entry.filename) for entry in entries}
    if len(names) < len(entries):
        raise BadInput(
            f"{name} holds two parts of one name, so programs may read different values from it; "
            "open it in Excel, let it be repaired and save it."
        )
    return names


def _is_workbook(archive: zipfile.ZipFile, names: set[str]) -> bool:
    return "xl/workbook.xml" in names or b"spreadsheetml" in archive.read(actual_paths(archive)["[content_types].xml"])


def opened_zip(path: Path, name: str) -> zipfile.ZipFile:
    """Open the zip, or say that it is damaged."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise damaged(name) from None


def damaged(name: str) -> BadInput:
    """Say that the file is damaged, and what to do."""
    return BadInput(f"{name} {_DAMAGED}")


def protected(name: str) -> BadInput:
    """Say that the file is encrypted, and what to do."""
    return BadInput(f"{name} is protected by a password; open it in Excel and save it without one.")


def _refuse_too_large(name: str, entries: list[zipfile.ZipInfo], max_size: int) -> None:
    size = sum(entry.file_size for entry in entries)
    if size > max_size:
        raise BadInput(
            f"{name} unpacks to {size // 1_048_576:,} MB, more than the limit of {max_size // 1_048_576:,} MB; "
            "split it, or save it as CSV."
        )
    if len(entries) > _MOST_ENTRIES:
        raise BadInput(f"{name} has {len(entries):,} parts, more than a workbook should; save the table anew as .xlsx.")


def _refuse_other_ending(name: str, kind: Kind) -> None:
    ending = posixpath.splitext(name.lower())[1]
    known = {other for endings in _ENDINGS.values() for other in endings}
    if ending in known and ending not in _ENDINGS[kind]:
        raise BadInput(
            f"{name} is named {ending} but is really a {_ENDINGS[kind][0]} file; "
            "open it in Excel and save it as .xlsx, or correct its name."
        )


def _plain(path: str) -> str:
    return path.replace("\\", "/").lstrip("/").lower()


def actual_paths(archive: zipfile.ZipFile) -> dict[str, str]:
    """Map lower-case paths to those in the zip: some programs write other cases and backslashes."""
    return {_plain(entry.filename): entry.filename for entry in archive.infolist()}


def open_package(path: Path, name: str) -> Package:
    """Read the workbook's list of sheets; raise BadInput where it is damaged or is Strict Open XML."""
    archive = opened_zip(path, name)
    try:
        return _package(archive, name)
    except DAMAGE:
        raise damaged(name) from None


def _package(archive: zipfile.ZipFile, name: str) -> Package:
    actual = actual_paths(archive)
    root = {kind: target for _, kind, target in relations(archive, actual, "")}
    workbook_path = root.get("officeDocument", "xl/workbook.xml")
    related = list(relations(archive, actual, workbook_path))
    workbook = _parsed(archive, actual[_plain(workbook_path)])
    if _STRICT in workbook.tag:
        raise BadInput(
            f'{name} is saved as "Strict Open XML", which not all readers understand; '
            'save it from Excel as "Excel Workbook (.xlsx)".'
        )
    by_kind = {kind: actual.get(_plain(target)) for _, kind, target in related}
    properties = _child(workbook, "workbookPr")
    calculation = _child(workbook, "calcPr")
    return Package(
        archive=archive,
        file_name=name,
        sheets=tuple(_sheets(workbook, {number: (kind, target) for number, kind, target in related}, actual)),
        strings=by_kind.get("sharedStrings"),
        styles=by_kind.get("styles"),
        since_1904=_is_true(properties, "date1904"),
        computed_on_opening=_is_true(calculation, "fullCalcOnLoad"),
        external_links=sum(kind == "externalLink" for _, kind, _ in related),
    )


def _sheets(
    workbook: ElementTree.Element, related: dict[str, tuple[str, str]], actual: dict[str, str]
) -> Iterator[SheetEntry]:
    for sheet in _child(workbook, "sheets"):
        number = next((value for key, value in sheet.attrib.items() if key.endswith("}id")), "")
        kind, target = related.get(number, ("", ""))
        path = actual.get(_plain(target)) if kind == "worksheet" else None
        is_visible = sheet.get("state", "visible") == "visible"
        yield SheetEntry(sheet.get("name", ""), is_visible, path is not None, path or "")


def relations(archive: zipfile.ZipFile, actual: dict[str, str], part: str) -> Iterator[tuple[str, str, str]]:
    """Give what a part refers to: the relation's id, its kind, and the other part's path."""
    folder, base = posixpath.split(part)
    path = actual.get(_plain(posixpath.join(folder, "_rels", f"{base}.rels")))
    if path is None:
        return
    for relation in _parsed(archive, path):
        target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "").replace("\\", "/")))
        yield relation.get("Id", ""), relation.get("Type", "").rpartition("/")[2], target.lstrip("/")


def _parsed(archive: zipfile.ZipFile, path: str) -> ElementTree.Element:
    content = archive.read(path)
    if b"<!DOCTYPE" in content:
        raise DamagedXmlError
    return ElementTree.fromstring(content)  # noqa: S314  no document type, so no entities; expat caps the rest


def _child(element: ElementTree.Element, name: str) -> ElementTree.Element:
    found = next((child for child in element if child.tag.rpartition("}")[2] == name), None)
    return ElementTree.Element(name) if found is None else found


def _is_true(element: ElementTree.Element, name: str) -> bool:
    return element.get(name, "0").lower() in ("1", "true", "on")
