"""Find a CSV file's header row and choose its delimiter, from what the spec names and never from statistics."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from batchrun.errors import BadInput
from batchrun.io.csv_text import physical_lines
from batchrun.io.local_file import LocalFile
from batchrun.io.sheet_header import header_name

_CANDIDATES = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=(.)\1*"? *', re.IGNORECASE | re.DOTALL)
_NOTHING_BUT_DELIMITERS = " \t\r\n,;|"
_HEADER_LINES = 100  # a header row with quoted line breaks may go on for some lines


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the header begins (a physical line, from 1), its cells, and what separates them."""

    header_line: int
    delimiter: str
    headers: tuple[str, ...]


def read_layout(
    file: LocalFile, encoding: str, header_row: int | None, delimiter: str | None, needed: Sequence[str]
) -> Layout:
    """Read the header row; raise BadInput where there is none or where its delimiter cannot be told."""
    with physical_lines(file, encoding) as lines:
        separator, line, header = _header_lines(file.name, lines, header_row)
    chosen = _given(delimiter) or separator or _chosen(file, line, header, needed)
    return Layout(line, chosen, tuple(_first_record(file.name, line, header, chosen)))


def _given(delimiter: str | None) -> str | None:
    if delimiter in ("tab", "\\t"):
        return "\t"
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n'):
        raise BadInput('source.delimiter must be one character, such as ";" or "," or tab.')
    return delimiter


def _header_lines(name: str, lines: Iterator[str], header_row: int | None) -> tuple[str | None, int, list[str]]:
    separator: str | None = None
    for number, line in enumerate(lines, 1):
        found = _SEPARATOR_LINE.fullmatch(line.rstrip("\r\n")) if number == 1 else None
        if found:
            separator = found[1]
        elif number == header_row or (header_row is None and line.strip(_NOTHING_BUT_DELIMITERS)):
            return separator, number, [line, *islice(lines, _HEADER_LINES)]
    if header_row is None:
        raise BadInput(f"{name} holds no text; the file must have a header row and rows below it.")
    raise BadInput(f"{name} has no line {header_row}, which source.header_row says holds the headers; correct it.")


def _first_record(name: str, line: int, header: Sequence[str], delimiter: str) -> list[str]:
    try:
        return next(csv.reader(header, delimiter=delimiter, strict=True), [])
    except csv.Error as error:
        if "field larger" in str(error):
            raise BadInput(
                f"{name}!{line}: a header is longer than {csv.field_size_limit():,} characters, so this is no header "
                "row; write the number of the row that holds the headers as source.header_row."
            ) from None
        raise BadInput(
            f"{name}!{line}: the quotation marks of the header row do not match; "
            "every cell that begins with a quotation mark must end with one."
        ) from None


def _chosen(file: LocalFile, line: int, header: Sequence[str], needed: Sequence[str]) -> str:
    wanted = {header_name(name) for name in needed}
    scores = {delimiter: _score(header, delimiter, wanted) for delimiter in _CANDIDATES}
    best = max(scores.values())
    ties = [delimiter for delimiter in _CANDIDATES if scores[delimiter] == best]
    if len(ties) == 1 or best[1] <= 1:
        return "\t" if best[1] <= 1 and file.name.lower().endswith((".tsv", ".tab")) else ties[0]
    raise BadInput(
        f"{file.name}!{line}: the headers can be told apart by more than one sign ({' and '.join(map(repr, ties))}); "
        f'write the right one as source.delimiter, such as "{ties[0]}".'
    )


def _score(header: Sequence[str], delimiter: str, wanted: set[str]) -> tuple[int, int]:
    try:
        cells = next(csv.reader(header, delimiter=delimiter, strict=True), [])
    except csv.Error:
        return (-1, 0)
    names = {header_name(cell) for cell in cells}
    return len(wanted & names), len(cells)
