"""Rows to payloads: the spec's `data` compiled once into closures, one for each target."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from batchrun.core import cells, columns, schema_types, targets
from batchrun.core.cells import Coercer, Fault, Reading, is_plain_text
from batchrun.core.columns import ColumnReader, Values
from batchrun.core.expressions import Expression
from batchrun.core.spec import Target
from batchrun.core.targets import Path
from batchrun.model import Cell, Number, Problem, SheetInfo, SourceRow


class _Omit:
    """Marks a value that is left out of the payload."""


OMIT: Final = _Omit()
MOST_CELLS = 24
_NOTHING: Final[frozenset[Path]] = frozenset()
Getter = Callable[[Sequence[Cell]], Any]


class Field(NamedTuple):
    """One compiled target: where it goes, how its value is got, and which columns feed it.

    `read` gives the same values as `get` for many rows at once, where a single column feeds the target.
    """

    path: Path
    pointer: str
    get: Getter
    columns: tuple[int, ...]
    read: ColumnReader | None = None


class Mapped(NamedTuple):
    """A row's payload data, and what is wrong with its cells; `bad` holds the targets that have no value.

    `laid` is the data as the targets lay it out, before the places of lists that nothing filled have closed up.
    """

    data: dict[str, Any]
    problems: tuple[Problem, ...]
    bad: frozenset[Path]
    laid: dict[str, Any]


class RowMapper(NamedTuple):
    """All compiled targets of a job over one sheet."""

    info: SheetInfo
    fields: tuple[Field, ...]
    shape: targets.Shape | None = None  # None where a target lies in a list


def compile_mapping(
    data: Mapping[str, Target], info: SheetInfo, schema: Mapping[str, Any], params: Mapping[str, str]
) -> RowMapper:
    """Compile a job's targets for one sheet. The spec's checks have passed: columns, params and paths exist."""
    places = {name: index for index, name in enumerate(info.header)}
    fields = tuple(_compile_field(text, target, places, schema, params) for text, target in data.items())
    shape = targets.shape_of([field.path for field in fields])
    return RowMapper(info, fields, shape)


def map_row(mapping: RowMapper, row: SourceRow) -> Mapped:
    """Build one row's payload data; a cell without a value is a problem, and the rest goes on."""
    return _assembled(mapping, row, [field.get(row.cells) for field in mapping.fields])


def map_rows(mapping: RowMapper, rows: Sequence[SourceRow]) -> list[Mapped]:
    """Give what `map_row` gives for each of some rows, column by column, which takes a third of the time."""
    if not rows:
        return []
    every = [row.cells for row in rows]
    by_column = list(zip(*every, strict=True))
    read = [values_of(field, every, by_column) for field in mapping.fields]
    if mapping.shape is None:
        return [_assembled(mapping, row, [one.values[at] for one in read]) for at, row in enumerate(rows)]
    made = [Mapped(data, (), _NOTHING, data) for data in targets.lay_out(mapping.shape, [one.values for one in read])]
    for at in _odd_rows(read):
        made[at] = _assembled(mapping, rows[at], [one.values[at] for one in read])
    return made


def values_of(field: Field, every: Sequence[Sequence[Cell]], by_column: Sequence[Sequence[Cell]]) -> Values:
    """Give a target's values of many rows, whose cells are given both by row and by column."""
    values = None if field.read is None else field.read(by_column[field.columns[0]])
    return values or Values([field.get(cells) for cells in every], whole=False)


def _odd_rows(read: Sequence[Values]) -> set[int]:
    """Give the places of rows of which a value is left out or faulty."""
    odd: set[int] = set()
    for one in read:
        if not one.whole:
            odd.update([at for at, value in enumerate(one.values) if value is OMIT or type(value) is Fault])
    return odd


def _assembled(mapping: RowMapper, row: SourceRow, values: Sequence[Any]) -> Mapped:
    data: dict[str, Any] = {}
    faulty: list[tuple[Field, Fault]] = []
    for field, value in zip(mapping.fields, values, strict=True):
        if value is OMIT:
            continue
        if type(value) is Fault:
            faulty.append((field, value))
        elif len(field.path) == 1:
            data[str(field.path[0])] = value
        else:
            targets.place(data, field.path, value)
    laid = data
    if mapping.shape is None:
        data = targets.close_up(data)
    if not faulty:
        return Mapped(data, (), _NOTHING, laid)
    problems = tuple(_problem(mapping.info, row, field, fault) for field, fault in faulty)
    return Mapped(data, problems, frozenset(field.path for field, _ in faulty), laid)


def _problem(info: SheetInfo, row: SourceRow, field: Field, fault: Fault) -> Problem:
    return Problem(
        row=row.number,
        cell=cells_named(info, row.number, field.columns),
        column=columns_named(info, field.columns),
        path=field.pointer,
        value=cells.cut(", ".join(cells.shown(row.cells[column]) for column in field.columns)) or None,
        code=fault.code,
        message=fault.message,
    )


def columns_fed(mapping: RowMapper) -> tuple[int, ...]:
    """Give the columns that feed the payload, each once, in the job's order."""
    return tuple(dict.fromkeys(column for field in mapping.fields for column in field.columns))


def cells_named(info: SheetInfo, number: int, columns: Sequence[int]) -> str:
    """Name the cells that fed a value; the whole row where none did."""
    named = ", ".join(info.cell_address(number, column) for column in columns[:MOST_CELLS])
    more = f" and {len(columns) - MOST_CELLS} more" if len(columns) > MOST_CELLS else ""
    return named + more or info.row_address(number)


def columns_named(info: SheetInfo, columns: Sequence[int]) -> str | None:
    """Name the columns that fed a value."""
    return ", ".join(dict.fromkeys(info.header[column] for column in columns)) or None


def asked_type(target: Target, wanted: schema_types.Wanted) -> str:
    """Say which coercer a target's cells go through: what `type:` says, else what the schema asks."""
    if target.type is not None:
        return target.type
    types = wanted.value_types
    if types == {"string"}:
        return _text_type(target, wanted)
    return next(iter(types)) if len(types) == 1 and types <= cells.COERCERS.keys() else "any"


def _text_type(target: Target, wanted: schema_types.Wanted) -> str:
    for name in ("date-time", "date"):
        if name in wanted.formats:
            return name
    if target.timezone is not None:
        return "date-time"
    return "date" if target.date_format is not None else "string"


def reading_of(target: Target) -> Reading:
    """Give how a target's column is read."""
    return Reading(
        decimal=target.decimal or ".",
        thousands=target.thousands,
        date_format=target.date_format,
        zone=ZoneInfo(target.timezone) if target.timezone else None,
        blanks=frozenset(target.blank_values),
    )


def _compile_field(
    text: str, target: Target, places: Mapping[str, int], schema: Mapping[str, Any], params: Mapping[str, str]
) -> Field:
    path = targets.parse(text)
    pointer = targets.pointer(path)
    item = (0,) if target.split is not None else ()
    wanted = schema_types.wanted_at(schema, path + item)
    reading = reading_of(target)
    coerce = cells.COERCERS[asked_type(target, wanted)]
    if target.source == "value":
        return Field(path, pointer, lambda _: target.value, ())
    if target.source == "param":
        value = coerce(params[str(target.param)], reading)
        return Field(path, pointer, lambda _: value, ())
    if target.source == "expr":
        expression = Expression(str(target.expr))
        used = tuple(places) if expression.names_all else expression.columns
        compute = _from_expression(expression, places, params, _from_cell(target, coerce, reading))
        return Field(path, pointer, compute, tuple(places[name] for name in used))
    column = places[str(target.column)]
    read = columns.column_reader(_converter(target, coerce), reading, _when_blank(target), OMIT)
    return Field(path, pointer, _from_column(column, target, coerce, reading), (column,), read)


def _when_blank(target: Target) -> Any:
    if target.has_default:
        return target.default
    if target.blank == "error":
        return Fault("blank", "the cell is empty, and the job asks for a value")
    return None if target.blank == "null" else OMIT


def _from_expression(
    expression: Expression, places: Mapping[str, int], params: Mapping[str, str], convert: Callable[[Cell], Any]
) -> Getter:
    def get(row: Sequence[Cell]) -> Any:
        value = expression.value(places, row, params)
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = Number(Decimal(value))
        # A list, an object or a Fault is what it is; the rest goes the way of a cell, to the type that is asked for.
        return value if isinstance(value, list | dict | Fault) else convert(value)

    return get


def _from_column(column: int, target: Target, coerce: Coercer, reading: Reading) -> Getter:
    convert = _from_cell(target, coerce, reading)
    if coerce is cells.as_text and target.split is None and target.map is None:
        return _from_text_column(column, convert, reading.blanks)
    return lambda row: convert(row[column])


def _from_text_column(column: int, convert: Callable[[Cell], Any], blanks: frozenset[str]) -> Getter:
    """Take most texts as they stand: a third of a check's time went into proving each of them good by regex."""

    def get(row: Sequence[Cell]) -> Any:
        cell = row[column]
        if type(cell) is str and cell and is_plain_text(cell) and cell not in blanks:
            return cell
        return convert(cell)

    return get


def _from_cell(target: Target, coerce: Coercer, reading: Reading) -> Callable[[Cell], Any]:
    blank = _when_blank(target)
    convert = _converter(target, coerce)
    blanks = reading.blanks

    def value_of(cell: Cell) -> Any:
        if cell is None or cell == "" or (blanks and cell in blanks):
            return blank
        return convert(cell, reading)

    return value_of


def _converter(target: Target, coerce: Coercer) -> Coercer:
    words = target.map
    if target.split is not None:
        mark = target.split
        one = coerce if words is None else lambda cell, _: _mapped(cells.shown(cell), words)
        return lambda cell, reading: _split(cell, mark, one, reading)
    if words is not None:
        return lambda cell, _: _mapped_cell(cell, words)
    return coerce


def _mapped_cell(cell: Cell, words: Mapping[str, Any]) -> Any:
    readable = cells.as_it_is(cell, Reading()) if not isinstance(cell, str) else cell
    return readable if isinstance(readable, Fault) else _mapped(cells.shown(cell), words)


def _mapped(text: str, words: Mapping[str, Any]) -> Any:
    if text in words:
        return words[text]
    known = ", ".join(list(words)[:8])
    return Fault("not-in-map", f"not among the words that the job maps ({known})")


def _split(cell: Cell, mark: str, coerce: Coercer, reading: Reading) -> Any:
    text = cell if isinstance(cell, str) else cells.as_text(cell, reading)
    if isinstance(text, Fault):
        return text
    pieces = [piece.strip() for piece in text.split(mark)]
    if pieces[-1] == "":  # one mark at the end is how many systems write lists
        pieces.pop()
    if "" in pieces:
        return Fault("empty-item", f'there is nothing between two "{mark}"; take one of them out')
    values = [coerce(piece, reading) for piece in pieces]
    return next((value for value in values if isinstance(value, Fault)), values)
