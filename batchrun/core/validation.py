"""A payload against its schema: yes fast, and every no explained in words, traced back to the cells that fed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any, NamedTuple

from batchrun.core.cells import cut, plain
from batchrun.core.consequences import follows
from batchrun.core.mapping import Mapped, RowMapper, cells_named, columns_named
from batchrun.core.schema import Schema
from batchrun.core.targets import Path, before_closing, pointer
from batchrun.model import Problem, SourceRow

_TYPE_WORDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "nothing",
}
_UNEXPECTED = ("additionalProperties", "unevaluatedProperties")
# When several rules refuse one value, the one that says most comes first.
_WEIGHT = {
    name: weight
    for weight, name in enumerate(
        ("type", "enum", "const", "format", "minLength", "maxLength", "minimum", "maximum", "multipleOf", "pattern")
    )
}


def problems_of(schema: Schema, mapper: RowMapper, row: SourceRow, mapped: Mapped) -> tuple[Problem, ...]:
    """Give what the schema refuses in a row's payload, less what merely follows from a bad cell."""
    if schema.validator.is_valid(mapped.data):
        return ()
    found: dict[Path, Any] = {}
    for error in _explained(schema.validator.iter_errors(mapped.data)):
        path = before_closing(mapped.laid, _place(error))
        if follows(schema.document, error, path, mapped.bad):
            continue
        known = found.get(path)
        if known is None or _weight(error) < _weight(known):
            found[path] = _Refusal(error.kind, _value_at(mapped.data, error.instance_path), error.message)
    return tuple(_problem(mapper, row, path, error) for path, error in found.items())


class _Refusal(NamedTuple):
    """An error with the value that it is about as the payload has it: the library gives most Decimals as floats."""

    kind: Any
    instance: Any
    message: str


def _value_at(data: Any, path: Iterable[str | int]) -> Any:
    return reduce(lambda value, step: value[step], path, data)


def _explained(errors: Iterable[Any]) -> Iterator[Any]:
    """Replace an error of oneOf or anyOf by those of the branch that was meant."""
    for error in errors:
        branches = getattr(error.kind, "context", None)
        if branches:
            yield from _explained(_choice(branches) or _meant(branches))
        else:
            yield error


class _Options(NamedTuple):
    name: str
    options: list[Any]


class _Choice(NamedTuple):
    """Stands for the const errors of all branches at one place: none of the discriminators matches."""

    kind: _Options
    instance_path: list[Any]
    evaluation_path: list[Any]
    message: str


def _choice(branches: list[list[Any]]) -> list[_Choice]:
    """Say as one error that a value is none of the constants that tell the branches apart."""
    constants = [[error for error in errors if error.kind.name == "const"] for errors in branches]
    places = {tuple(error.instance_path) for errors in constants for error in errors}
    if len(places) != 1 or not all(constants):
        return []
    first = constants[0][0]
    options = [errors[0].kind.expected_value for errors in constants]
    return [_Choice(_Options("enum", options), first.instance_path, first.evaluation_path, first.message)]


def _meant(branches: list[list[Any]]) -> list[Any]:
    """Choose the branch whose discriminator matches: one that no const refuses, or no enum; then the fewest errors."""

    def refused_by(name: str, errors: list[Any]) -> bool:
        return any(error.kind.name == name for error in errors)

    return min(branches, key=lambda errors: (refused_by("const", errors), refused_by("enum", errors), len(errors)))


def _place(error: Any) -> Path:
    path = tuple(error.instance_path)
    if error.kind.name == "required":
        return (*path, error.kind.property)
    return (*path, error.kind.unexpected[0]) if error.kind.name in _UNEXPECTED else path


def _weight(error: Any) -> int:
    return _WEIGHT.get(error.kind.name, len(_WEIGHT))


def _problem(mapper: RowMapper, row: SourceRow, path: Path, error: Any) -> Problem:
    columns = _columns_of(mapper, path)
    name = error.kind.name
    value = None if name == "required" else cut(_value_text(error.instance))
    return Problem(
        row=row.number,
        cell=cells_named(mapper.info, row.number, columns),
        column=columns_named(mapper.info, columns),
        path=pointer(path),
        value=value,
        code=f"schema-{_kebab(name)}",
        message=_words(error, mapper, path, columns),
    )


def _columns_of(mapper: RowMapper, path: Path) -> tuple[int, ...]:
    """Give the columns that fed a place: its own target's, else those of the targets around or below it."""
    exact = [field for field in mapper.fields if field.path == path[: len(field.path)]]
    below = [field for field in mapper.fields if path and field.path[: len(path)] == path]
    return tuple(dict.fromkeys(column for field in (exact or below) for column in field.columns))


def _value_text(value: Any) -> str:
    if isinstance(value, Decimal | float):
        return plain(Decimal(str(value)))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    return str(value)


def _kebab(name: str) -> str:
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)


def _words(error: Any, mapper: RowMapper, path: Path, columns: tuple[int, ...]) -> str:
    if error.kind.name == "required":
        return _missing(error, mapper, path, columns)
    if type(error.kind).__name__.endswith("BacktrackLimitExceeded"):
        return "the schema's pattern takes too long on this value; it was stopped"
    said = _WORDS.get(error.kind.name)
    return said(error) if said else cut(str(error.message))


def _missing(error: Any, mapper: RowMapper, path: Path, columns: tuple[int, ...]) -> str:
    name = error.kind.property
    if not columns:
        return f'the schema requires "{name}", and the job does not map it'
    if any(len(field.path) < len(path) and field.columns == columns for field in mapper.fields):
        return f'the schema requires "{name}", and what {columns_named(mapper.info, columns)} gives does not hold it'
    return f"a value is required here, and {columns_named(mapper.info, columns)} is empty"


def _limit(error: Any) -> str:
    return _value_text(error.kind.limit)


def _length(most: str) -> Callable[[Any], str]:
    return lambda error: f"{most} {_counted(int(error.kind.limit), 'character')}; this has {len(error.instance)}"


def _items(most: str) -> Callable[[Any], str]:
    return lambda error: f"{most} {_counted(int(error.kind.limit), 'item')}; this has {len(error.instance)}"


def _fields(most: str) -> Callable[[Any], str]:
    return lambda error: f"{most} {_counted(int(error.kind.limit), 'field')}; this has {len(error.instance)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _one_of(error: Any) -> str:
    options = error.kind.options
    if len(options) == 1:
        return f"must be {cut(_value_text(options[0]))}"
    said = ", ".join(cut(_value_text(option)) for option in options[:10])
    return f"must be one of {said}" + (f" and {len(options) - 10} more" if len(options) > 10 else "")


def _multiple(error: Any) -> str:
    step = Decimal(str(error.kind.multiple_of))
    exponent = step.as_tuple().exponent
    if step == Decimal(1).scaleb(int(exponent)) and int(exponent) < 0:
        return f"at most {_counted(-int(exponent), 'decimal')}; this is {_value_text(error.instance)}"
    return f"must be a multiple of {plain(step)}; this is {_value_text(error.instance)}"


def _article(noun: str) -> str:
    return "an" if noun[0] in "aei" else "a"


_WORDS: Mapping[str, Callable[[Any], str]] = {
    "type": lambda error: f"{' or '.join(_TYPE_WORDS[name] for name in error.kind.types)} is expected",
    "enum": _one_of,
    "const": lambda error: f"must be {cut(_value_text(error.kind.expected_value))}",
    "format": lambda error: f"not written as {_article(error.kind.format)} {error.kind.format}",
    "pattern": lambda error: f"not written as the schema asks, by the pattern {cut(error.kind.pattern)}",
    "minLength": _length("at least"),
    "maxLength": _length("at most"),
    "minItems": _items("at least"),
    "maxItems": _items("at most"),
    "minProperties": _fields("at least"),
    "maxProperties": _fields("at most"),
    "uniqueItems": lambda _: "an item comes twice",
    "contains": lambda _: "the list does not hold what the schema asks for",
    "not": lambda _: "the schema does not allow this value",
    "falseSchema": lambda _: "the schema allows nothing here",
    "minimum": lambda error: f"must be {_limit(error)} or more",
    "maximum": lambda error: f"must be {_limit(error)} or less",
    "exclusiveMinimum": lambda error: f"must be more than {_limit(error)}",
    "exclusiveMaximum": lambda error: f"must be less than {_limit(error)}",
    "multipleOf": _multiple,
    "additionalProperties": lambda error: f'the schema does not know "{cut(error.kind.unexpected[0])}"',
    "unevaluatedProperties": lambda error: f'the schema does not know "{cut(error.kind.unexpected[0])}"',
}
