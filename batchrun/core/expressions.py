"""Expressions over a row, in Jinja2's sandbox and with exact numbers.

`row["Amount"]` gives a cell: text as text, an Excel number as a Decimal, an Excel date as a date, an empty cell as
the empty text. Decimal fractions written in an expression are Decimals too, so that `19.99 * 100` is 1999.00.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from jinja2 import TemplateError, Undefined, nodes
from jinja2.exceptions import SecurityError

from batchrun.core.cells import Fault, cut, damage_in, shown
from batchrun.core.sandbox import LONGEST, MOST_BITS, environment
from batchrun.model import Cell, Number, Unreadable


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
            self._run = environment().compile_expression(text, undefined_to_none=False)
            tree = environment().parse("{{(" + text + ")}}")
        except TemplateError as error:
            raise ExpressionError(f"the expression {cut(text)!r} cannot be understood: {error.message}") from None
        except (RecursionError, SyntaxError):
            raise ExpressionError(f"the expression {cut(text)!r} is nested too deeply") from None
        _refuse_rounded_numbers(text)
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


def _refuse_rounded_numbers(text: str) -> None:
    """Refuse a fraction whose digits Jinja2 would lose on the way, as it reads it as a float."""
    for _, kind, written in environment().lex("{{(" + text + ")}}"):
        if kind == "float" and Decimal(written) != Decimal(repr(float(written))):
            raise ExpressionError(f'{cut(written)} has too many digits; write it as "{cut(written)}"|number')


def _sendable(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _sendable_number(value)
    return _sendable_text(value) if isinstance(value, str) else _sendable_parts(value)


def _sendable_number(value: int | float | Decimal) -> Any:
    if isinstance(value, float):
        return Fault("expression-failed", "the expression gives a number that is not exact; use the `number` filter")
    return Fault("expression-failed", "the expression gives a number that is too long") if _is_long(value) else value


def _is_long(value: int | Decimal) -> bool:
    if isinstance(value, int):
        return value.bit_length() > MOST_BITS
    return not value.is_finite() or abs(value.adjusted()) > MOST_BITS


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
    if isinstance(value, Undefined):
        str(value)  # raises what is not defined
    return Fault("expression-failed", "the expression gives nothing that can be sent")


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
        return None if hasattr(Row, item.attr) else item.attr  # row.get, row.values: any column may be meant
    return item.arg.value if isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str) else None
