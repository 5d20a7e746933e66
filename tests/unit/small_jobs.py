"""Small jobs for unit tests: a spec, a header and a schema as plain values, no file anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from batchrun.core.prepare import Prepared, Preparer, compile_preparer, prepare
from batchrun.core.schema import Schema, compile_schema
from batchrun.core.spec import JobSpec
from batchrun.core.spec_faults import build
from batchrun.model import Cell, SheetInfo, SourceRow


def document(data: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Give the plain data of a spec whose key is the column K."""
    parts: dict[str, Any] = {
        "job": "j",
        "procedure": {"id": "p"},
        "source": {"file": "in.csv"},
        "key": "K",
        "schema": "s.json",
        "data": dict(data),
    }
    return {**parts, **more}


def spec_of(data: Mapping[str, Any], **more: Any) -> JobSpec:
    made, faults = build(document(data, **more))
    assert made is not None, faults
    assert faults == []
    return made


def schema_of(plain: Any) -> Schema:
    return compile_schema(json.loads(json.dumps(plain), parse_float=Decimal), "s.json")


def fields(**properties: Any) -> dict[str, Any]:
    """Give the schema of a closed object."""
    return {"type": "object", "properties": properties, "additionalProperties": False}


def sheet(*names: str) -> SheetInfo:
    return SheetInfo("in.csv", None, 1, names, tuple(range(len(names))))


def job(
    data: Mapping[str, Any],
    names: Sequence[str],
    schema: Any,
    params: Mapping[str, str] | None = None,
    rows: tuple[range, ...] = (),
    **more: Any,
) -> Preparer:
    """Compile a job over a sheet whose columns are K and `names`."""
    return compile_preparer(spec_of(data, **more), sheet("K", *names), schema_of(schema), params or {}, rows)


def prepared(preparer: Preparer, *cells: Cell, key: Cell = "k") -> Prepared:
    """Prepare row 2, whose key is "k"."""
    made = prepare(preparer, SourceRow(2, (key, *cells)))
    assert made is not None
    return made


def payload(preparer: Preparer, *cells: Cell) -> Any:
    """Give a valid row's payload."""
    made = prepared(preparer, *cells)
    assert made.problems == ()
    assert made.payload is not None
    return json.loads(made.payload, parse_float=Decimal)


def told(made: Prepared) -> list[tuple[str, str | None, str, str]]:
    """Give where, at which path, by which code and in which words problems are told."""
    return [(problem.cell, problem.path, problem.code, problem.message) for problem in made.problems]


def value_through(target: Any, wanted: Any, cell: Cell) -> Any:
    """Give what one cell of column A becomes at a field of the wanted schema; its one problem where it is none."""
    made = prepared(job({"v": target}, ["A"], fields(v=wanted)), cell)
    if made.payload is None:
        (problem,) = made.problems
        assert problem.cell == "in.csv!B2"
        return f"{problem.code}: {problem.message}"
    return json.loads(made.payload, parse_float=Decimal).get("v", "omitted")
