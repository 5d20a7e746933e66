"""Choose a workbook's sheet: by name, by number, or the only visible one with data; never the first one silently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batchrun.errors import BadInput
from batchrun.io.sheet_header import header_name

_NAMED_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class SheetEntry:
    """A sheet as the workbook lists it; `path` is its part in an .xlsx package, and `has_rows` is false for charts."""

    name: str
    visible: bool = True
    has_rows: bool = True
    path: str = ""


def choose_sheet(
    sheets: Sequence[SheetEntry], wanted: str | int | None, file_name: str, holds_values: Callable[[SheetEntry], bool]
) -> SheetEntry:
    """Give the sheet to read; raise BadInput, naming the sheets and the spec line to write, where that is not plain."""
    if not any(sheet.has_rows for sheet in sheets):
        raise BadInput(f"{file_name} holds no sheet with rows, only charts or nothing; save the table in a worksheet.")
    if wanted is None:
        return _only_one_with_data(sheets, file_name, holds_values)
    chosen = _by_number(sheets, wanted, file_name) if isinstance(wanted, int) else _by_name(sheets, wanted, file_name)
    if not chosen.has_rows:
        raise BadInput(f'the sheet "{chosen.name}" of {file_name} is a chart or a macro sheet; name one that has rows.')
    return chosen


def _only_one_with_data(
    sheets: Sequence[SheetEntry], file_name: str, holds_values: Callable[[SheetEntry], bool]
) -> SheetEntry:
    filled = [sheet for sheet in sheets if sheet.visible and sheet.has_rows and holds_values(sheet)]
    if len(filled) == 1:
        return filled[0]
    if not filled:
        raise BadInput(f"{file_name} has no visible sheet with data; its sheets are {_named(sheets)}.")
    raise BadInput(
        f"{file_name} has {len(filled)} sheets with data ({_named(filled)}); "
        f"write which one to read in the job spec, for instance source.sheet: {filled[0].name}"
    )


def _by_name(sheets: Sequence[SheetEntry], wanted: str, file_name: str) -> SheetEntry:
    found = [sheet for sheet in sheets if header_name(sheet.name) == header_name(wanted)]
    if len(found) == 1:
        return found[0]
    raise BadInput(
        f'{file_name} has no sheet named "{wanted}"; its sheets are {_named(sheets)}; correct source.sheet in the spec.'
    )


def _by_number(sheets: Sequence[SheetEntry], wanted: int, file_name: str) -> SheetEntry:
    if not 1 <= wanted <= len(sheets):
        raise BadInput(f"{file_name} has no sheet number {wanted}; its sheets are {_named(sheets)}.")
    if not all(sheet.visible for sheet in sheets[:wanted]):
        raise BadInput(
            f"{file_name} has hidden sheets among its first {wanted}, so that sheet number {wanted} may mean either "
            f"of two; name the sheet in source.sheet instead: {_named(sheets)}."
        )
    return sheets[wanted - 1]


def _named(sheets: Sequence[SheetEntry]) -> str:
    named = ", ".join(
        f'"{sheet.name}"' if sheet.visible else f'"{sheet.name}" (hidden)' for sheet in sheets[:_NAMED_AT_MOST]
    )
    more = len(sheets) - _NAMED_AT_MOST
    return f"{named} and {more} more" if more > 0 else named or "none"
