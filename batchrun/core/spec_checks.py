"""What can only be checked with the sheet, the schema and the params at hand: names that must meet."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from batchrun.core import cells, mapping, schema_types, targets, total_checks
from batchrun.core.cell_dates import WAY_ON
from batchrun.core.expressions import Expression, ExpressionError
from batchrun.core.spec import SAFE_PARAM, JobSpec, Target
from batchrun.core.spec_faults import Place, SpecFault
from batchrun.core.suggestions import did_you_mean

_BRACES = re.compile(r"\{([^{}]*)\}")


def fill_params(text: str, params: Mapping[str, str]) -> str:
    """Put params into a file name or path; those that are not known stay as they stand."""
    return _BRACES.sub(lambda match: params.get(match[1], match[0]), text)


def params_in(text: str) -> list[str]:
    """Give the names in braces."""
    return _BRACES.findall(text)


def param_values(spec: JobSpec, given: Mapping[str, str]) -> tuple[dict[str, str], list[SpecFault]]:
    """Give each param's value, and what is wrong with what was given."""
    faults = [
        SpecFault(("params",), f"--param {name}: the job has no such param{did_you_mean(name, spec.params)}")
        for name in given
        if name not in spec.params
    ]
    values = {}
    for name, param in spec.params.items():
        value = given.get(name, param.default)
        if value is None:
            faults.append(SpecFault(("params", name), f"the param is not given; add --param {name}=VALUE"))
        elif param.pattern is not None and not re.fullmatch(param.pattern, value):
            faults.append(
                SpecFault(("params", name), f'"{cells.cut(value)}" does not match the pattern {param.pattern}')
            )
        else:
            values[name] = value
    return values, faults


def file_faults(spec: JobSpec, params: Mapping[str, str]) -> Iterator[SpecFault]:
    """Check the params that stand in file names: known, and safe as part of a path."""
    for place, text in ((("source", "file"), spec.source.file), (("results", "file"), spec.results.file)):
        for name in params_in(text or ""):
            if name not in spec.params:
                yield SpecFault(place, f"{{{name}}} is no param of the job{did_you_mean(name, spec.params)}")
            elif name in params and (not SAFE_PARAM.fullmatch(params[name]) or ".." in params[name]):
                yield SpecFault(
                    place, f'the param {name} may only hold letters, digits, ".", "_" and "-" in a file name'
                )


def param_faults(spec: JobSpec) -> Iterator[SpecFault]:
    """Check that every param that is named is declared."""
    for text, target in spec.data.items():
        for name in [target.param] if target.param else []:
            if name not in spec.params:
                yield SpecFault(("data", text), f'"{name}" is no param of the job{did_you_mean(name, spec.params)}')
    for name in spec.once_per:
        if name not in spec.params:
            yield SpecFault(("once_per",), f'"{name}" is no param of the job{did_you_mean(name, spec.params)}')


def target_faults(spec: JobSpec) -> Iterator[SpecFault]:
    """Check the targets for themselves: well written, none inside another, options that can be used."""
    paths: dict[targets.Path, str] = {}
    for text, target in spec.data.items():
        try:
            path = targets.parse(text)
        except ValueError as error:
            yield SpecFault(("data", text), str(error))
            continue
        if path in paths:
            yield SpecFault(("data", text), f'is the same target as "{paths[path]}"')
        else:
            paths[path] = text
        yield from _option_faults(text, target)
        yield from _each_faults(spec, text, path)
    for first, second in targets.clashes(paths):
        yield SpecFault(("data", paths[second]), f'does not go together with the target "{paths[first]}"')
    yield from _group_faults(spec, paths)


def _each_faults(spec: JobSpec, text: str, path: targets.Path) -> Iterator[SpecFault]:
    if targets.EACH in path and not spec.group_by:
        yield SpecFault(("data", text), "[] takes an item of each row of a group, so the job needs `group_by:`")
    if path.count(targets.EACH) > 1:
        yield SpecFault(("data", text), "only one [] can stand in a target: a row is an item of one list")


def _group_faults(spec: JobSpec, paths: Mapping[targets.Path, str]) -> Iterator[SpecFault]:
    """Check that the rows of a group have somewhere to go, and that a list is filled in one way."""
    lists = {path[: path.index(targets.EACH)] for path in paths if targets.EACH in path}
    if spec.group_by and not lists:
        yield SpecFault(
            ("group_by",), "no target has [], so the rows of a group would have nothing to add; write one: lines[].sku"
        )
    for path, text in paths.items():
        if any(path[: len(one)] == one and path[len(one) : len(one) + 1] not in ((), (targets.EACH,)) for one in lists):
            yield SpecFault(("data", text), "the list takes an item of each row ([]), so none of its places can be set")


def _option_faults(text: str, target: Target) -> Iterator[SpecFault]:
    if target.timezone is not None:
        try:
            ZoneInfo(target.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield SpecFault(
                ("data", text, "timezone"), f'"{target.timezone}" is no time zone; write one as Europe/Berlin'
            )
    if target.date_format is not None and not _names_a_day(target.date_format):
        yield SpecFault(
            ("data", text, "date_format"),
            f'"{target.date_format}" is no form of dates with day, month and year; write one as %d/%m/%Y',
        )


def _names_a_day(date_format: str) -> bool:
    """Tell whether a form of dates can be read, and holds day, month and year: nothing is guessed."""
    day = datetime(2026, 10, 31)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn about forms without a year
            return datetime.strptime(day.strftime(date_format), date_format).date() == day.date()
    except (ValueError, re.error):
        return False


def column_faults(spec: JobSpec, header: Sequence[str]) -> Iterator[SpecFault]:
    """Check every column that the spec names against the sheet's header."""
    for place, name in _columns_named(spec):
        if name not in header:
            yield SpecFault(place, f'unknown column "{cells.cut(name)}"{did_you_mean(name, header)}')


def _columns_named(spec: JobSpec) -> Iterator[tuple[Place, str]]:
    for name in spec.key:
        yield ("key",), name
    for name in spec.group_by:
        yield ("group_by",), name
    yield from total_checks.columns_of_totals(spec)
    for text, target in spec.data.items():
        if target.column is not None:
            yield (("data", text, "column") if len(target.model_fields_set) > 1 else ("data", text)), target.column
    for place, expression in _expressions(spec):
        if isinstance(expression, Expression):
            yield from ((place, name) for name in expression.columns)


def columns_needed(spec: JobSpec) -> tuple[str, ...]:
    """Give the names of all columns that the spec uses."""
    return tuple(dict.fromkeys(name for _, name in _columns_named(spec)))


def expression_faults(spec: JobSpec) -> Iterator[SpecFault]:
    """Check that each expression can be understood, and that the params in it are known."""
    for place, expression in _expressions(spec):
        if isinstance(expression, ExpressionError):
            yield SpecFault(place, str(expression))
            continue
        for name in expression.params:
            if name not in spec.params:
                yield SpecFault(place, f'"{name}" is no param of the job{did_you_mean(name, spec.params)}')


def _expressions(spec: JobSpec) -> Iterator[tuple[Place, Expression | ExpressionError]]:
    texts: list[tuple[Place, str]] = [
        (("data", text, "expr"), target.expr) for text, target in spec.data.items() if target.expr is not None
    ]
    if spec.source.where is not None:
        texts.append((("source", "where"), spec.source.where))
    for place, text in texts:
        try:
            yield place, Expression(text)
        except ExpressionError as error:
            yield place, error


def schema_faults(spec: JobSpec, schema: Mapping[str, Any], params: Mapping[str, str]) -> Iterator[SpecFault]:
    """Check every target against the schema: known there, and of a type that a cell can answer."""
    for text, target in spec.data.items():
        try:
            path = targets.parse(text)
        except ValueError:
            continue
        wanted = schema_types.wanted_at(schema, path)
        if not wanted.known:
            if not (target.type is not None and wanted.open):
                yield SpecFault(
                    ("data", text), _unknown(schema, path, is_open=wanted.open and target.source == "column")
                )
            continue
        yield from _type_faults(text, target, wanted)
        yield from _param_type_faults(text, target, wanted, params)


def _unknown(schema: Mapping[str, Any], path: targets.Path, *, is_open: bool) -> str:
    lengths = range(1, len(path) + 1)
    length = next(length for length in lengths if not schema_types.wanted_at(schema, path[:length]).known)
    step, known = path[length - 1], schema_types.names_at(schema, path[: length - 1])
    if step == targets.EACH:
        said, near = f"the schema says nothing of the items of {targets.pointer(path[: length - 1])}", ""
    else:
        said = f'the schema does not know "{step}" at {targets.pointer(path[:length])}'
        near = did_you_mean(str(step), known)
    return said + (
        near or ("; where it belongs there all the same, say its type, as in type: string" if is_open else "")
    )


def _type_faults(text: str, target: Target, wanted: schema_types.Wanted) -> Iterator[SpecFault]:
    types = wanted.value_types
    if target.source != "column" or target.type is not None or target.map is not None or not types:
        return
    if types == {"object"}:
        yield SpecFault(("data", text), "the schema asks for an object here; map its parts, as in payee.name")
    elif types == {"array"} and target.split is None:
        yield SpecFault(
            ("data", text), "the schema asks for a list here; add `split:` or map its places, as in tags[0]"
        )
    elif target.split is not None and "array" not in types:
        yield SpecFault(("data", text), "split makes a list, and the schema asks for none here")


def _param_type_faults(
    text: str, target: Target, wanted: schema_types.Wanted, params: Mapping[str, str]
) -> Iterator[SpecFault]:
    if target.param is None or target.param not in params:
        return
    coerce = cells.COERCERS[mapping.asked_type(target, wanted)]
    value = coerce(params[target.param], cells.Reading())
    if isinstance(value, cells.Fault):
        # A param has no cell to correct, and its form is not declared.
        yield SpecFault(("data", text), f"the param {target.param}: {value.message.partition(WAY_ON)[0]}")


def key_is_in_payload(spec: JobSpec) -> bool:
    """Tell whether every part of the key goes into the payload: without it no run can be proved to be a row's."""
    mapped = {target.column for target in spec.data.values() if target.column is not None}
    for place, expression in _expressions(spec):
        if place[0] == "data" and isinstance(expression, Expression):
            mapped |= set(expression.columns)
    return set(spec.key) <= mapped
