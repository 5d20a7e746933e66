"""Drafts a job spec as commented YAML, by hand: each comment says why its line is there or what is to be done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from batchrun.core import cells, column_names, yaml_words
from batchrun.core.column_samples import Column, Sample
from batchrun.core.fitting import CHANGE_ME
from batchrun.core.matching import Match, Matching
from batchrun.core.schema_leaves import Leaf
from batchrun.core.spec import DEFAULT_RATE, JobSpec
from batchrun.core.totals import counted

PROCEDURE_ID = f"proc_{CHANGE_ME}"
WIDTH = 120
_TYPES = {"string": "text", "number": "a number", "integer": "a whole number", "boolean": "true or false"}
_TYPES |= {"array": "a list", "object": "an object"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a draft says besides its data: names, paths relative to the job, and how the sheet is read."""

    job: str
    sheet_name: str
    file: str
    schema: str
    schema_is_draft: bool
    source: Mapping[str, Any] = field(default_factory=dict)
    hints: tuple[tuple[str, str], ...] = ()


def is_unfinished(spec: JobSpec) -> bool:
    """Tell whether a drafted job still lacks its procedure's id."""
    return spec.procedure.id == PROCEDURE_ID


def key_column(sample: Sample, matching: Matching | None) -> Column | None:
    """Choose the column that names a row: filled and different in each, by its name if several are."""
    used = {pair.column.name: pair for pair in matching.matched} if matching else {}
    known = [column for column in sample.columns if column.names_rows and _may_name_rows(column, used)]
    return min(known, key=lambda one: (not column_names.names_a_row(one.name), one.name not in used), default=None)


def _may_name_rows(column: Column, used: Mapping[str, Match]) -> bool:
    if column_names.names_a_row(column.name):
        return True
    wanted = used[column.name].leaf.wanted if column.name in used else None
    is_text = wanted is None or (wanted.value_types == {"string"} and not wanted.formats & {"date", "date-time"})
    return is_text and not column_names.is_amount([column.name]) and all(isinstance(one, str) for one in column.cells)


def total_columns(matching: Matching) -> tuple[str, ...]:
    """Name the columns that hold money: their sums are what a ledger is compared with."""
    return tuple(
        pair.column.name
        for pair in matching.matched
        if pair.leaf.wanted.value_types & {"number", "integer"}
        and column_names.is_amount([pair.column.name, *(step for step in pair.leaf.path if isinstance(step, str))])
    )


def draft(heading: Heading, sample: Sample, matching: Matching, key: Column | None) -> str:
    """Write the whole job."""
    totals = total_columns(matching)
    lines = [
        yaml_words.comment(f"Drafted by batchrun init from {heading.sheet_name}, {_looked_at(sample)}."),
        "# Read every line before the first run. What stands behind a # is not read by batchrun.",
        f"job: {yaml_words.text(heading.job)}",
        "",
        "procedure:",
        _line(2, f"id: {PROCEDURE_ID}", "FILL IN: the id of the procedure that each row starts"),
        "  # version: v1             # pin the published version before a live run",
        "",
        *_source(heading),
        "",
        _key(sample, key),
        _line(0, f"schema: {yaml_words.text(heading.schema)}", _of_schema(heading)),
        "",
        _line(0, "data:", "field of the procedure's input: column of the sheet"),
        *(_matched(pair, sample) for pair in matching.matched),
        *_fixed(matching),
        *_open(matching),
        *_unused(matching),
        "",
        _line(0, f"rate: {DEFAULT_RATE}", "how many rows are sent, at most"),
        *_results(totals),
    ]
    return "\n".join(lines) + "\n"


def _line(indent: int, text: str, said: str = "", *, off: bool = False) -> str:
    """Give a line with its comment behind it, or above it where both would be too long."""
    start = " " * indent + ("# " if off else "") + text
    if not said:
        return start
    remark = yaml_words.comment(said)
    if max(len(start), 26) + 2 + len(remark) <= WIDTH:
        return f"{start:<26}  {remark}"
    return f"{' ' * indent}{remark}\n{start}"


def _looked_at(sample: Sample) -> str:
    return f"{counted(sample.rows, 'row')} looked at"


def _source(heading: Heading) -> Iterator[str]:
    yield "source:"
    yield _line(2, f"file: {yaml_words.text(heading.file)}", "from this job's folder; another file: --input FILE")
    for name, value in heading.source.items():
        yield _line(2, f"{name}: {yaml_words.value(value)}")
    for line, said in heading.hints:
        yield _line(2, line, said, off=True)


def _of_schema(heading: Heading) -> str:
    if heading.schema_is_draft:
        return "a DRAFT made from the sheet: put the procedure's own input schema in its place"
    return "what the procedure accepts"


def _key(sample: Sample, key: Column | None) -> str:
    if key is None:
        said = "FILL IN: the column, or [columns], that name a row; "
        return _line(0, f"key: {CHANGE_ME}", said + why_no_key(sample))
    several = f"filled, and different in each of the {counted(sample.rows, 'row')} looked at"
    said = f"names a row: {'filled in the 1 row looked at' if sample.rows == 1 else several}"
    if not column_names.names_a_row(key.name):
        said += "; look whether it is the right one"
    return _line(0, f"key: {yaml_words.text(key.name)}", said)


def why_no_key(sample: Sample) -> str:
    """Say that no column names a row, and which look as if they should."""
    said = "none is filled, readable and different in each row"
    named = [f'"{column.name}"' for column in sample.columns if column_names.names_a_row(column.name)]
    return f"{said}, not even {' or '.join(named)}" if named else said


def _target(pair: Match) -> str:
    target, options = yaml_words.key(pair.fit.target), pair.fit.options
    if not options:
        return f"{target}: {yaml_words.text(pair.column.name)}"
    source = {} if "expr" in options else {"column": pair.column.name}
    return f"{target}: {yaml_words.value({**source, **options})}"


def _matched(pair: Match, sample: Sample) -> str:
    return _line(2, _target(pair), "; ".join(said for said in (pair.fit.note, *told_of(pair, sample)) if said))


def told_of(pair: Match, sample: Sample) -> tuple[str, ...]:
    """Say what a person should look at in a match that was made."""
    empty = ""
    if pair.leaf.required and pair.column.blank:
        rows = f"{pair.column.blank:,} of {counted(sample.rows, 'row')}"
        empty = f"empty in {rows}, and required: fill in, or add a `default:`"
    unsure = "" if pair.score >= _CERTAIN else "a near match: look whether it is meant"
    return tuple(said for said in (pair.fit.amiss, empty, unsure) if said)


_CERTAIN = 0.85


def _fixed(matching: Matching) -> Iterator[str]:
    for leaf in matching.open_leaves:
        if is_fixed(leaf, matching):
            text = f"{yaml_words.key(leaf.target)}: {yaml_words.value({'value': leaf.words[0]})}"
            yield _line(2, text, "required, and the schema allows nothing else")


def is_fixed(leaf: Leaf, matching: Matching) -> bool:
    """Tell whether a field without a column can hold one value only, and must."""
    simple = all(isinstance(word, str | int) for word in leaf.words)
    return leaf.required and len(leaf.words) == 1 and simple and leaf.target not in matching.near


def open_targets(matching: Matching) -> tuple[str, ...]:
    """Name the fields that nothing feeds yet; of a list's objects, those of the first."""
    return tuple(leaf.target for leaf in _left_open(matching))


def _left_open(matching: Matching) -> Iterator[Leaf]:
    for leaf in matching.open_leaves:
        further = any(isinstance(step, int) and step > 0 for step in leaf.path)
        if not is_fixed(leaf, matching) and (not further or leaf.target in matching.near):
            yield leaf


def _open(matching: Matching) -> Iterator[str]:
    left = list(_left_open(matching))
    if left:
        yield ""
        yield "  # Fields of the schema that nothing feeds yet: name a column, or write {value: …}, and take # away."
    for leaf in left:
        near = matching.near.get(leaf.target)
        text = _target(near) if near else f"{yaml_words.key(leaf.target)}:"
        yield _line(2, text, "; ".join(_asked(leaf, matching, near)), off=True)


def _asked(leaf: Leaf, matching: Matching, near: Match | None) -> Iterator[str]:
    if leaf.required:
        yield "required"
    if near:
        yield near.fit.amiss
        return
    yield wanted_in_words(leaf)
    rivals = matching.rivals("field", leaf.target)
    if rivals:
        yield f"{rivals} may be meant; the names alone do not tell, so nothing was chosen"
    elif leaf.description:
        yield cells.cut(leaf.description)


def wanted_in_words(leaf: Leaf) -> str:
    """Say what a field wants: text, a date, one of some words."""
    if len(leaf.words) == 1:
        return f"only {leaf.words[0]}"
    if leaf.words:
        return "one of " + ", ".join(str(word) for word in leaf.words[:8])
    formats = sorted(leaf.wanted.formats & {"date", "date-time"})
    types = [word for name, word in _TYPES.items() if name in leaf.wanted.value_types]
    if formats or not types:
        return formats[0] if formats else "nothing but null"
    return "anything" if len(types) > 3 else " or ".join(types)


def _unused(matching: Matching) -> Iterator[str]:
    near = {pair.column.name for pair in matching.near.values()}
    names = [column.name for column in matching.unused if column.name not in near]
    if names:
        yield ""
        yield "  # Columns that feed nothing; they stay in the results:"
    for name in names:
        rivals = matching.rivals("column", name)
        yield _line(4, yaml_words.text(name), f"could be {rivals}: nothing was chosen" if rivals else "", off=True)


def _results(totals: Sequence[str]) -> Iterator[str]:
    if totals:
        yield ""
        yield "results:"
        yield _line(2, f"totals: {yaml_words.value(totals)}", "the sums that a ledger is compared with")
