"""Loads a job: spec, params, schema and sheet together, and tells every fault of the spec at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from batchrun.core import selection, spec_checks, total_checks
from batchrun.core.prepare import Preparer, compile_preparer
from batchrun.core.spec import JobSpec
from batchrun.core.spec_faults import SpecFault
from batchrun.errors import BadCommandLine, BadInput, BadSchema, BadSpec, NotFound
from batchrun.flows.other_files import refuse_no_job
from batchrun.io import spec_file
from batchrun.io.source import Source, SourceOptions, open_source
from batchrun.io.spec_file import SchemaFile, SpecFile
from batchrun.model import Environment

DEFAULT_SIZE = SourceOptions(Path()).max_size


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line chooses of a job."""

    environment: Environment = "sandbox"
    params: Mapping[str, str] = field(default_factory=dict)
    input: Path | None = None
    limit: int | None = None
    rows: str | None = None
    skip_invalid: bool = False
    expect_rows: int | None = None
    expect_totals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """A job without faults, with its sheet open."""

    file: SpecFile
    spec: JobSpec
    params: Mapping[str, str]
    schema: SchemaFile
    source: Source
    input: Path
    preparer: Preparer
    choice: Choice
    outputs: SchemaFile | None = None  # of reviews

    @property
    def handed_in(self) -> Path:
        """The file whose bytes are the input's: what came by standard input lies in a temporary one meanwhile."""
        return self.source.file.path if self.input == Path("-") else self.input


@contextlib.contextmanager
def loaded(path: Path, choice: Choice) -> Iterator[LoadedJob]:
    """Load a job and open its sheet; raise BadSpec with every fault, or what is wrong with sheet or schema."""
    refuse_no_job(path)
    file = spec_file.read_spec(path)
    if file.spec is None:
        raise BadSpec(file.tell(file.faults))
    spec = file.spec
    params, faults = spec_checks.param_values(spec, choice.params)
    faults = [*file.faults, *faults, *_own_faults(spec, params)]
    schema, schema_error = _schema(file, spec.schema_file)
    outputs, outputs_error = _schema(file, spec.review.outputs) if spec.review.outputs else (None, None)
    source, source_error = _source(file, spec, params, choice)
    if schema is not None:
        faults += spec_checks.schema_faults(spec, schema.schema.document, params)
    if source is not None:
        faults += spec_checks.column_faults(spec, source.info.header)
    with contextlib.ExitStack() as stack:
        if source is not None:
            stack.enter_context(source)
        _raise_what_was_found(
            file, faults, [error for error in (schema_error, outputs_error, source_error) if error is not None]
        )
        assert schema is not None and source is not None  # noqa: S101  # else one of the errors was raised
        rows = _rows(choice)
        preparer = compile_preparer(spec, source.info, schema.schema, params, rows)
        place = input_path(file, spec, params, choice)
        yield LoadedJob(file, spec, params, schema, source, place, preparer, choice, outputs)


def _own_faults(spec: JobSpec, params: Mapping[str, str]) -> Iterator[SpecFault]:
    yield from spec_checks.file_faults(spec, params)
    yield from spec_checks.param_faults(spec)
    yield from spec_checks.target_faults(spec)
    yield from spec_checks.expression_faults(spec)
    yield from total_checks.total_faults(spec)


def _raise_what_was_found(file: SpecFile, faults: Sequence[SpecFault], errors: Sequence[Exception]) -> None:
    if faults:
        raise BadSpec([*file.tell(faults), *(str(error) for error in errors)])
    if errors:
        raise errors[0]


def _schema(file: SpecFile, relative: str) -> tuple[SchemaFile | None, Exception | None]:
    try:
        return spec_file.read_schema(file.near(relative)), None
    except (BadSchema, NotFound) as error:
        return None, error


def _source(
    file: SpecFile, spec: JobSpec, params: Mapping[str, str], choice: Choice
) -> tuple[Source | None, BadInput | NotFound | None]:
    source = spec.source
    options = SourceOptions(
        path=input_path(file, spec, params, choice),
        sheet=source.sheet,
        header_row=source.header_row,
        encoding=source.encoding,
        delimiter=source.delimiter,
        hidden_rows=source.hidden_rows,
        double_read=source.double_read,
        max_size=source.max_bytes or DEFAULT_SIZE,
        columns_needed=spec_checks.columns_needed(spec),
    )
    try:
        return open_source(options), None
    except (BadInput, NotFound) as error:
        return None, error


def input_path(file: SpecFile, spec: JobSpec, params: Mapping[str, str], choice: Choice) -> Path:
    """Give the sheet's place: what the command line names, else the spec's file with its params filled in."""
    if choice.input is not None:
        return choice.input
    return file.near(spec_checks.fill_params(spec.source.file, params))


def _rows(choice: Choice) -> tuple[range, ...]:
    try:
        return selection.parse_rows(choice.rows) if choice.rows else ()
    except ValueError as error:
        raise BadCommandLine(f"--rows: {error}") from None
