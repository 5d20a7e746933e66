"""`init`: looks at a sheet, and drafts the job that maps it to a schema (or to one that it drafts as well)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from batchrun.core import drafting, schema_draft, spec_checks, spec_faults
from batchrun.core.column_samples import Column, Sample, sample_of
from batchrun.core.drafting import Heading
from batchrun.core.matching import Matching, match
from batchrun.core.naming import slug
from batchrun.core.prepare import compile_preparer, prepare
from batchrun.core.schema import Schema
from batchrun.core.schema_leaves import leaves
from batchrun.errors import BadCommandLine, BadInput, CouldNotStart
from batchrun.io import spec_file, yaml_text
from batchrun.io.source import TEXT_ENDINGS, WORKBOOK_ENDINGS, SourceOptions, open_source
from batchrun.io.whole_file import write_new
from batchrun.model import Problem, SheetInfo, SourceRow

LOOKED_AT = 1_000
_MOST_PLACES = 9
_FLAGS = {
    "source.sheet": "--sheet NAME",
    "source.header_row": "--header-row N",
    "source.encoding": "--encoding NAME",
    "source.delimiter": "--delimiter SIGN",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    sheet_file: Path
    schema: Path | None = None
    output: Path | None = None
    sheet: str | None = None
    header_row: int | None = None
    encoding: str | None = None
    delimiter: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of the sheet."""

    info: SheetInfo
    rows: tuple[SourceRow, ...]
    sample: Sample
    hidden_rows: bool


@dataclass(frozen=True, slots=True)
class Trying:
    """How the rows that were looked at fare by the draft; `faults` are those of the draft itself."""

    valid: int
    problems: tuple[Problem, ...] = ()
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drafted:
    """What was written, and what a person is to know of it. `trying` is None where no row could be tried."""

    job: Path
    schema: Path
    schema_is_draft: bool
    look: Look
    matching: Matching
    key: Column | None
    trying: Trying | None

    def as_json(self) -> dict[str, object]:
        """Give the document of `init --json`."""
        matched = [{"column": pair.column.name, "path": pair.fit.target} for pair in self.matching.matched]
        return {
            "version": 1,
            "job": str(self.job.resolve()),
            "schema": str(self.schema.resolve()),
            "matched": matched,
            "unmatched_columns": [column.name for column in self.matching.unused],
            "unmatched_paths": list(drafting.open_targets(self.matching)),
            "error": None,
        }


def init(wish: Wish) -> Drafted:
    """Draft a job, and a schema where none is given; both are written whole, or neither, and nothing is replaced."""
    name = _name_of(wish.sheet_file)
    job = wish.output or Path(f"{name}.yaml")
    schema_path = wish.schema or job.with_name(f"{job.stem}.schema.json")
    _refuse_existing(job, None if wish.schema else schema_path)
    given = spec_file.read_schema(wish.schema).schema if wish.schema else None
    look = _look(wish)
    key, schema, matching = _matched(look, given, name)
    heading = _heading(wish, look, name, job, schema_path)
    text = drafting.draft(heading, look.sample, matching, key)
    drafted = Drafted(job, schema_path, given is None, look, matching, key, _tried(text, look, schema, key))
    _write(job, text, None if given else (schema_path, schema.document))
    return drafted


def _name_of(file: Path) -> str:
    if str(file) == "-":
        raise BadCommandLine("init needs the file's name, because the job names it; save the rows as a file first")
    if "{" in file.name or "}" in file.name:
        raise BadCommandLine(f"{file.name}: braces in a file's name stand for params in a job; rename the file")
    ending = next((one for one in (*TEXT_ENDINGS[::-1], *WORKBOOK_ENDINGS) if file.name.lower().endswith(one)), "")
    return slug(file.name.removesuffix(file.name[len(file.name) - len(ending) :]) if ending else file.stem) or "job"


def _refuse_existing(job: Path, schema: Path | None) -> None:
    for path in (job, schema):
        if path is not None and os.path.lexists(path):
            raise _exists(path)


def _exists(path: Path) -> BadCommandLine:
    return BadCommandLine(f"{path} exists already and stays as it is; choose another name for the job with -o")


def _look(wish: Wish) -> Look:
    options = SourceOptions(
        path=wish.sheet_file,
        sheet=wish.sheet,
        header_row=wish.header_row,
        encoding=wish.encoding,
        delimiter=wish.delimiter,
        hidden_rows="include",
    )
    try:
        with open_source(options) as source:
            hidden = any("hidden row" in note for note in source.notes())
            rows = tuple(islice(source.rows(), LOOKED_AT))
            info = source.info
    except BadInput as error:
        raise _in_words_of_init(error) from None
    sample = sample_of(info, rows)
    if rows and not sample.rows:
        fault = rows[0].faults[0].message.rstrip(".")
        raise BadInput(
            f"{info.row_address(rows[0].number)}: {fault}. All rows looked at are like that; "
            "if the headers stand in another row, say which by --header-row N"
        )
    return Look(info, rows, sample, hidden)


def _in_words_of_init(error: BadInput) -> BadInput:
    """Name the option, where the sentence names the line of a job that is only to be written."""
    flags = [flag for name, flag in _FLAGS.items() if name in error.message]
    if not flags:
        return error
    return BadInput(f"{error.message.rstrip('.')} (for init: {' or '.join(flags)})", next=error.next)


def _matched(look: Look, given: Schema | None, name: str) -> tuple[Column | None, Schema, Matching]:
    if given is not None:
        matching = match(look.sample, leaves(given.document, _places(look.info.header)), given)
        return drafting.key_column(look.sample, matching), given, matching
    key = drafting.key_column(look.sample, None)
    schema = schema_draft.draft_schema(look.sample, key.name if key else None, name, look.info.file_name)
    return key, schema, schema_draft.matched_by_draft(look.sample, schema)


def _places(header: Sequence[str]) -> int:
    """Say how many places of a list the headers may speak of, as in `SKU 1` and `SKU 2`."""
    ends = [name[-1] for name in header if name[-1:] in "123456789" and not name[-2:-1].isdigit()]
    return min(max(map(int, ends), default=1), _MOST_PLACES)


def _heading(wish: Wish, look: Look, name: str, job: Path, schema: Path) -> Heading:
    source: dict[str, Any] = {
        "sheet": look.info.sheet if wish.sheet is not None else None,
        "header_row": wish.header_row,
        "encoding": wish.encoding,
        "delimiter": wish.delimiter,
    }
    hidden = ("hidden_rows: skip", "the sheet has hidden rows: say skip or include, and take # away")
    return Heading(
        job=name,
        sheet_name=look.info.file_name if look.info.sheet is None else f"{look.info.file_name}, {look.info.sheet}",
        file=_from(job, wish.sheet_file),
        schema=_from(job, schema),
        schema_is_draft=wish.schema is None,
        source={option: value for option, value in source.items() if value is not None},
        hints=(hidden,) if look.hidden_rows else (),
    )


def _from(job: Path, file: Path) -> str:
    """Give a file's path as the job says it: relative to the job's folder, with / on every system."""
    try:
        return Path(os.path.relpath(file.resolve(), job.resolve().parent)).as_posix()
    except ValueError:  # on another drive of Windows
        return file.resolve().as_posix()


def _tried(text: str, look: Look, schema: Schema, key: Column | None) -> Trying | None:
    """Prepare the rows that were looked at by the draft, as `check` will prepare all."""
    spec, faults = spec_faults.build(yaml_text.load(text).data)
    if spec is None or key is None or not look.sample.rows:
        return None
    faults += [*spec_checks.target_faults(spec), *spec_checks.schema_faults(spec, schema.document, {})]
    if faults:
        return Trying(0, faults=tuple(fault.message for fault in faults))
    preparer = compile_preparer(spec, look.info, schema, {})
    made = [one for row in look.rows if (one := prepare(preparer, row)) is not None]
    problems = tuple(problem for one in made for problem in one.problems)
    return Trying(sum(one.payload is not None for one in made), problems)


def _write(job: Path, text: str, schema: tuple[Path, Mapping[str, Any]] | None) -> None:
    if schema is None:
        _write_file(job, text)
        return
    path, document = schema
    _write_file(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
    try:
        _write_file(job, text)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _write_file(path: Path, text: str) -> None:
    try:
        write_new(path, text.encode())
    except OSError as error:
        if os.path.lexists(path):
            raise _exists(path) from None
        raise CouldNotStart(f"{path} cannot be written ({error.strerror}); nothing was written") from None
