"""Open a table of rows, whatever file it lies in: the one door to CSV and spreadsheet input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

from batchrun.errors import BadInput
from batchrun.io.local_file import LocalFile, local_file
from batchrun.io.sheet_header import Columns
from batchrun.model import SheetInfo, SourceRow

HiddenRows = Literal["include", "skip", "refuse"]

ZIP_MAGIC, OLE_MAGIC, PDF_MAGIC = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"%PDF"
WORKBOOK_ENDINGS = (".xlsx", ".xlsm", ".xltx", ".xltm", ".xls", ".xlsb", ".ods")
TEXT_ENDINGS = (".csv", ".tsv", ".tab", ".txt", ".csv.gz", ".tsv.gz", ".tab.gz", ".txt.gz")
_MARKUP = (b"<!doctype", b"<html", b"<head", b"<body", b"<table", b"<meta", b"<style", b"<?xml")


@dataclass(frozen=True)
class SourceOptions:
    """What the job spec says of its source.

    `path` may be `-` for standard input. `sheet` is a name or a number that begins at 1, `header_row` the sheet's own
    row number (in CSV: the physical line). `hidden_rows` None means: refuse when there are any. `max_size` caps what
    is unpacked, in bytes. `columns_needed` are the headers that the spec names; a CSV's delimiter is chosen by them.
    """

    path: Path
    sheet: str | int | None = None
    header_row: int | None = None
    encoding: str | None = None
    delimiter: str | None = None
    hidden_rows: HiddenRows | None = None
    double_read: bool = True
    max_size: int = 300 * 1024 * 1024
    columns_needed: tuple[str, ...] = ()


class Source(Protocol):
    """A table of rows. Every call of `rows` reads from the first data row on."""

    @property
    def info(self) -> SheetInfo:
        """Say where the rows come from; known once the source is open."""

    @property
    def file(self) -> LocalFile:
        """Give the file that is read: a temporary one where it had to be unpacked."""

    @property
    def columns(self) -> Columns:
        """Say what became of the header row's columns."""

    @property
    def is_slow(self) -> bool:
        """Tell whether reading the rows once more takes long."""

    def rows(self) -> Iterator[SourceRow]:
        """Stream the data rows in the sheet's order, blank ones left out; raise BadInput where the file is broken."""

    def notes(self) -> tuple[str, ...]:
        """Say in plain sentences what was done; complete once the rows are exhausted."""

    def close(self) -> None:
        """Let go of the file and of whatever reads it."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(options: SourceOptions) -> Source:
    """Open the file as what it really is; raise BadInput, in one plain sentence, where that is no table."""
    file = local_file(options.path, options.max_size)
    try:
        return _open_as_found(file, options)
    except BaseException:
        file.release()
        raise


def _open_as_found(file: LocalFile, options: SourceOptions) -> Source:
    head = file.head()
    if head.startswith((ZIP_MAGIC, OLE_MAGIC)):
        from batchrun.io.excel_source import ExcelSource

        _refuse_misnamed_workbook(file.name, head)
        return ExcelSource(file, options)
    from batchrun.io.csv_source import CsvSource

    _refuse_what_is_no_text(file.name, head)
    return CsvSource(file, options)


def _refuse_misnamed_workbook(name: str, head: bytes) -> None:
    if name.lower().endswith(TEXT_ENDINGS):
        ending = ".xlsx" if head.startswith(ZIP_MAGIC) else ".xls"
        raise BadInput(
            f"{name} is named like a text file but holds an Excel workbook; "
            f"rename it so that it ends in {ending}, or save it from Excel as CSV."
        )


def _refuse_what_is_no_text(name: str, head: bytes) -> None:
    if not head:
        raise BadInput(f"{name} is empty; the file must have a header row and rows below it.")
    if head.startswith(PDF_MAGIC):
        raise BadInput(f"{name} is a PDF, not a table; export the table as .xlsx or .csv.")
    beginning = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"mso-application" in beginning[:400] or b"urn:schemas-microsoft-com:office:spreadsheet" in beginning[:2000]:
        raise BadInput(f"{name} is in the old Excel 2003 XML format; open it in Excel and save it as .xlsx.")
    if beginning.startswith(_MARKUP):
        raise BadInput(
            f"{name} is a web page (HTML or XML) and not a spreadsheet, though its name says otherwise; "
            "open it in Excel and save it as .xlsx."
        )
    if name.lower().endswith(WORKBOOK_ENDINGS):
        raise BadInput(
            f"{name} is named like a workbook but holds something else, such as CSV text or a damaged download; "
            "rename it to .csv if it is text, else save it from Excel once more."
        )
