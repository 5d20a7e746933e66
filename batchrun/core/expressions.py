"""Expressions over a row, in Jinja2's sandbox and with exact numbers.

`row["Amount"]` gives a cell: text as text, an Excel number as a Decimal, an Excel date as a date, an empty cell as
the empty text. Decimal fractions written in an expression are Decimals too, so that `19.99 * 100` is 1999.00.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchrun.core.cells import Fault, cut, damage_in, plain, shown
from batchrun.model import Cell, Number, Unreadable

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
LONGEST = 100_000


class ExpressionError(ValueError):
    """An expression that cannot be understood; the message says where."""


class UnreadableCellError(Exception):
    """An expression asked for a cell that cannot be read."""

    def __init__(self, name: str, cell: Unreadable) -> None:
        super().__init__(name)
        self.name = name
        self.cell = cell


class Row(Mapping[str, Any]):
    """The cells of one row by column name, as an expression sees them."""

    def __init__(self, places: Mapping[str, int], cells: Sequence[Cell]) -> None:
        self._places = places
        self._cells = cells

    def __getitem__(self, name: str) -> Any:
        cell = self._cells[self._places[name]]
        if isinstance(cell, Unreadable):
            raise UnreadableCellError(name, cell)
        return _value_of(cell)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _value_of(cell: Cell) -> Any:
    if cell is None:
        return ""
    if isinstance(cell, Number):
        return shown(cell) if cell.width else cell.value
    if isinstance(cell, datetime):
        return cell.date() if shown(cell) == cell.date().isoformat() else cell
    return cell


class Expression:
    """One compiled expression, and the columns that it names."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            tree = environment().parse("{{(" + text + ")}}")
            self._run = environment().compile_expression(text, undefined_to_none=False)
        except TemplateError as error:
            raise ExpressionError(f"the expression {cut(text)!r} cannot be understood: {error.message}") from None
        self.columns, self.names_all = _columns_in(tree)
        self.params = _params_in(tree)

    def value(self, places: Mapping[str, int], cells: Sequence[Cell], params: Mapping[str, str]) -> Any:
        """Compute the expression for a row; a Fault where it fails."""
        try:
            return _sendable(self._run(row=Row(places, cells), params=params))
        except UnreadableCellError as error:
            return Fault(error.cell.code, error.cell.message)
        except SecurityError:
            return Fault("expression-failed", f"the expression {cut(self.text)!r} does what expressions may not do")
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
            said = str(error) if not isinstance(error, InvalidOperation) else "not a number"
            return Fault("expression-failed", f"the expression {cut(self.text)!r} fails here: {cut(said)}")


def _sendable(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _sendable_number(value)
    return _sendable_text(value) if isinstance(value, str) else _sendable_parts(value)


def _sendable_number(value: float | Decimal) -> Any:
    if isinstance(value, float):
        return Fault("expression-failed", "the expression gives a number that is not exact; use the `number` filter")
    return value if value.is_finite() else Fault("expression-failed", "the expression gives no finite number")


def _sendable_text(value: str) -> Any:
    if len(value) > LONGEST:
        return Fault("expression-failed", "the expression gives a text of more than 100,000 characters")
    return damage_in(value) or str(value)


def _sendable_parts(value: Any) -> Any:
    if isinstance(value, list | tuple):
        items = [_sendable(item) for item in value]
        return next((item for item in items if isinstance(item, Fault)), items)
    if isinstance(value, dict):
        members = {str(name): _sendable(member) for name, member in value.items()}
        return next((member for member in members.values() if isinstance(member, Fault)), members)
    return Fault("expression-failed", "the expression gives nothing that can be sent")


def number(value: Any) -> Decimal:
    """Filter: read a text such as `19.90` as an exact number."""
    if isinstance(value, bool):
        raise TypeError("TRUE/FALSE is not a number")
    if isinstance(value, int | Decimal):
        return Decimal(value)
    text = str(value).strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError(f'"{cut(text)}" is not a number')
    return Decimal(text)


def whole(value: Any) -> int:
    """Filter: read a text as a whole number; refuse one that is not."""
    exact = number(value)
    if exact != exact.to_integral_value():
        raise ValueError(f"{plain(exact)} is not a whole number")
    return int(exact)


def matches(value: Any, pattern: str) -> bool:
    """Test: the whole text matches a regular expression."""
    return re.fullmatch(pattern, str(value)) is not None


class _ExactEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which decimal fractions are Decimals."""

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        for constant in list(source.find_all(nodes.Const)):
            if isinstance(constant.value, float):
                _make_exact(constant)
        return super()._generate(source, *args, **options)


def _make_exact(constant: nodes.Const) -> None:
    # The node is turned into the call `number("0.2")` in place; repr gives the digits that were written.
    text = plain(Decimal(repr(constant.value)))
    call = nodes.Call(nodes.Name("number", "load"), [nodes.Const(text)], [], None, None, lineno=constant.lineno)
    constant.__class__ = nodes.Call  # type: ignore[assignment]  # Jinja2's nodes know no replacement in place
    constant.__dict__.update(call.__dict__)


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Make the sandbox in which expressions are compiled."""
    made = _ExactEnvironment(undefined=StrictUndefined, autoescape=False, extensions=())
    made.globals.clear()
    made.globals["number"] = number
    for name in ("pprint", "tojson", "random", "xmlattr", "urlize", "filesizeformat", "wordwrap", "indent", "center"):
        made.filters.pop(name, None)
    made.filters.update(number=number, float=number, decimal=number, int=whole)
    made.tests["matching"] = matches
    return made


def _columns_in(tree: nodes.Template) -> tuple[tuple[str, ...], bool]:
    """Give the columns that are named, and whether `row` is used in another way, so that any may be meant."""
    named = [column for column in map(_constant, _lookups(tree, "row")) if column is not None]
    uses = sum(1 for name in tree.find_all(nodes.Name) if name.name == "row")
    return tuple(dict.fromkeys(named)), uses > len(named)


def _params_in(tree: nodes.Template) -> tuple[str, ...]:
    return tuple(name for name in map(_constant, _lookups(tree, "params")) if name is not None)


def _lookups(tree: nodes.Template, name: str) -> Iterator[nodes.Getitem | nodes.Getattr]:
    for item in tree.find_all((nodes.Getitem, nodes.Getattr)):
        if (
            isinstance(item, nodes.Getitem | nodes.Getattr)
            and isinstance(item.node, nodes.Name)
            and item.node.name == name
        ):
            yield item


def _constant(item: nodes.Getitem | nodes.Getattr) -> str | None:
    if isinstance(item, nodes.Getattr):
        return item.attr
    return item.arg.value if isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str) else None
