"""Opens a corrected file as what it became in a spreadsheet, and names its columns as the batch's own sheet does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from batchrun.core import spec_checks
from batchrun.core.spec import JobSpec
from batchrun.core.suggestions import did_you_mean
from batchrun.core.trailers import is_trailer
from batchrun.errors import BadCommandLine, BadInput
from batchrun.flows.loading import DEFAULT_SIZE
from batchrun.io.source import SourceOptions, open_source
from batchrun.io.whole_file import sha256_of
from batchrun.model import SheetInfo, SourceRow

REPORT_SHEET = "Rows"  # as `report --only` names it


@dataclass(frozen=True, slots=True)
class CorrectedFile:
    """All rows of a corrected file; `columns` gives, for each column of the batch's sheet, its place in a row here.

    `info` names cells of this file by the columns of the batch's sheet.
    """

    path: Path
    sha256: str
    info: SheetInfo
    columns: tuple[int | None, ...]
    rows: tuple[SourceRow, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name, without its folder."""
        return self.info.file_name


def read_corrected(path: Path, spec: JobSpec, header: tuple[str, ...]) -> CorrectedFile:
    """Read a corrected file, as `report` wrote it or else as the job says; raise BadInput where it is neither."""
    if str(path) == "-":
        raise BadCommandLine("--input: name a file; it is kept in the journal as it was handed in")
    first: BadInput | None = None
    for options in _ways(path, spec):
        try:
            return _read(options, spec, header)
        except BadInput as error:
            first = first or error
    assert first is not None  # noqa: S101  # there is at least one way
    told = first.message
    if "source." in told:
        told = f"{told} (The batch keeps its own copy of the job, so only the file itself can be changed here.)"
    raise BadInput(told)


def _ways(path: Path, spec: JobSpec) -> Iterator[SourceOptions]:
    """Give the ways to read it: headers in the first row, on the only sheet or on the report's; else the job's own."""
    source = spec.source
    as_written = SourceOptions(
        path=path,
        hidden_rows=source.hidden_rows,
        double_read=source.double_read,
        max_size=source.max_bytes or DEFAULT_SIZE,
        columns_needed=spec_checks.columns_needed(spec),
    )
    yield as_written
    yield replace(as_written, sheet=REPORT_SHEET)
    own = replace(
        as_written,
        sheet=source.sheet,
        header_row=source.header_row,
        encoding=source.encoding,
        delimiter=source.delimiter,
    )
    if own != as_written:
        yield own


def _read(options: SourceOptions, spec: JobSpec, header: tuple[str, ...]) -> CorrectedFile:
    sha256 = _fingerprint(options.path)
    with open_source(options) as source:
        found = source.info
        _refuse_missing_columns(found, spec)
        rows = _without_trailer(spec, found, tuple(source.rows()))
        if not rows:
            raise BadInput(f"there are no rows below the header ({found.row_address(found.header_row)})")
        places = {name: place for place, name in enumerate(found.header)}
        columns = tuple(places.get(name) for name in header)
        positions = tuple(-1 if place is None else found.positions[place] for place in columns)
        info = replace(found, header=header, positions=positions)
        notes = (*_notes(source.notes()), *_unused(found, header))
        return CorrectedFile(options.path, sha256, info, columns, rows, notes)


def _without_trailer(spec: JobSpec, found: SheetInfo, rows: tuple[SourceRow, ...]) -> tuple[SourceRow, ...]:
    """Leave out the sheet's trailer: it speaks of all rows of the sheet, and not of those that were corrected."""
    trailer = spec.source.trailer
    return rows[:-1] if trailer is not None and rows and is_trailer(trailer, found, rows[-1]) else rows


def _fingerprint(path: Path) -> str:
    try:
        return sha256_of(path)
    except FileNotFoundError:
        raise BadInput(f"there is no file {path}; check its name and folder.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from None


def _refuse_missing_columns(found: SheetInfo, spec: JobSpec) -> None:
    missing = [name for name in spec_checks.columns_needed(spec) if name not in found.header]
    if missing:
        where = found.row_address(found.header_row)
        named = ", ".join(f'"{name}"{did_you_mean(name, found.header)}' for name in missing[:5])
        raise BadInput(f"the header {where} has no column {named}; the batch's job needs it")


def _notes(said: tuple[str, ...]) -> Iterator[str]:
    yield from (note for note in said if not note.startswith("Columns ignored") and not note.startswith("source."))


def _unused(found: SheetInfo, header: tuple[str, ...]) -> Iterator[str]:
    unknown = [name for name in found.header if name not in header]
    if unknown:
        yield f"Columns that the batch's sheet did not have are not used: {', '.join(unknown)}."
