"""The sandbox in which expressions run: Jinja2's, with exact numbers, and nothing that grows beyond measure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from functools import cache
from typing import Any

from jinja2 import StrictUndefined, filters, nodes, pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from batchrun.core.cells import cut, plain

LONGEST = 100_000
MOST_BITS = 1400  # a number of some 420 digits
WIDEST = 1000
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_WIDE_PERCENT = re.compile(r"%(?:\([^)]*\))?[-+ #0]*(?:\d{0,4}\.)?(?:\d{5,}|\*)")
_WIDE_BRACES = re.compile(r"\{[^{}]*:[^}]*(?:\d{5,}|\{)")
_PADDING = frozenset({"ljust", "rjust", "center", "zfill", "expandtabs"})
_ROUNDING = {"common": ROUND_HALF_EVEN, "ceil": ROUND_CEILING, "floor": ROUND_FLOOR}
# A list of lists is not repeated: repeated again and again it would grow without measure.
_NESTED: Mapping[type, int] = dict.fromkeys((list, tuple, dict), LONGEST + 1)
_NOT_OFFERED = (
    *("pprint", "tojson", "random", "xmlattr", "urlize", "filesizeformat", "wordwrap", "indent", "center"),
    *("batch", "slice"),
)


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


def rounded(value: Any, precision: int = 0, method: str = "common") -> Decimal:
    """Filter: round to so many decimals, exactly; halves go to the even digit, as Jinja2's own filter has it."""
    if method not in _ROUNDING:
        raise ValueError("the method of rounding is common, ceil or floor")
    return number(value).quantize(Decimal(1).scaleb(-whole(precision)), rounding=_ROUNDING[method])


def matches(value: Any, pattern: str) -> bool:
    """Test: the whole text matches a regular expression."""
    return re.fullmatch(pattern, str(value)) is not None


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's sandbox, in which decimal fractions are Decimals and long results are refused before they are made."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        for constant in list(source.find_all(nodes.Const)):
            if isinstance(constant.value, float):
                _make_exact(constant)
        return super()._generate(source, *args, **options)

    def make_globals(self, given: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        # Jinja2's own is a ChainMap, which each use of an expression would copy, key by key.
        return {**self.globals, **(given or {})}

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        _GROWTH[operator](left, right)
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Any, __obj: Any, *args: Any, **options: Any) -> Any:  # noqa: N805  # Jinja2's own form
        owner = getattr(__obj, "__self__", None)
        if isinstance(owner, str | int):
            _refuse_long_text(str(owner), str(getattr(__obj, "__name__", "")), args)
        return super().call(__context, __obj, *args, **options)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        owner = getattr(value, "__self__", None)
        if isinstance(owner, str) and value.__name__ in ("format", "format_map"):
            _refuse(bool(_WIDE_BRACES.search(owner)))
        return super().wrap_str_format(value)


def _make_exact(constant: nodes.Const) -> None:
    # The node is turned into the call `number("0.2")` in place; repr gives the digits that were written.
    text = plain(Decimal(repr(constant.value)))
    call = nodes.Call(nodes.Name("number", "load"), [nodes.Const(text)], [], None, None, lineno=constant.lineno)
    constant.__class__ = nodes.Call  # type: ignore[assignment]  # Jinja2's nodes know no replacement in place
    constant.__dict__.update(call.__dict__)


def _refuse(too_long: bool) -> None:
    if too_long:
        raise ValueError("the result would be too long")


def _times(left: Any, right: Any) -> None:
    for many, count in ((left, right), (right, left)):
        if isinstance(many, str | list | tuple) and isinstance(count, int):
            _refuse(_weight(many) * count > LONGEST)
    if isinstance(left, int) and isinstance(right, int):
        _refuse(left.bit_length() + right.bit_length() > MOST_BITS)


def _weight(many: str | list[Any] | tuple[Any, ...]) -> int:
    if isinstance(many, str):
        return len(many)
    return sum(len(item) if isinstance(item, str) else _NESTED.get(type(item), 1) for item in many)


def _power(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _refuse(left.bit_length() * abs(right) > MOST_BITS)


def _percent(left: Any, _right: Any) -> None:
    _refuse(isinstance(left, str) and bool(_WIDE_PERCENT.search(left)))


def _refuse_long_text(text: str, method: str, args: tuple[Any, ...]) -> None:
    if method in _PADDING:
        _refuse(any(isinstance(arg, int) and arg > WIDEST for arg in args))
    elif method == "join" and args and isinstance(args[0], list | tuple):
        _refuse(_joined_length(text, args[0]) > LONGEST)
    elif method == "replace" and len(args) > 1:
        _refuse(len(text) + text.count(str(args[0])) * len(str(args[1])) > LONGEST)
    else:
        _refuse(method in ("translate", "to_bytes"))


def _joined_length(mark: str, parts: Iterable[Any]) -> int:
    return sum(len(mark) + len(str(part)) for part in parts)


@pass_eval_context
def _replace(context: EvalContext, text: Any, old: str, new: str, count: int | None = None) -> str:
    _refuse_long_text(str(text), "replace", (old, new))
    return filters.do_replace(context, str(text), str(old), str(new), count)


@pass_eval_context
def _join(context: EvalContext, parts: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    listed = list(parts)
    _refuse(_joined_length(str(d), listed) > LONGEST)
    return str(filters.do_join(context, listed, d, attribute))


def _format(text: str, *args: Any, **options: Any) -> str:
    _percent(text, args)
    return filters.do_format(text, *args, **options)


_GROWTH: Mapping[str, Callable[[Any, Any], None]] = {"*": _times, "**": _power, "%": _percent}


@cache
def environment() -> ImmutableSandboxedEnvironment:
    """Make the sandbox in which expressions are compiled."""
    made = _Sandbox(undefined=StrictUndefined, autoescape=False, extensions=())
    made.globals.clear()
    made.globals["number"] = number
    for name in _NOT_OFFERED:
        made.filters.pop(name)
    made.filters.update(number=number, float=number, decimal=number, int=whole, round=rounded)
    made.filters.update(replace=_replace, join=_join, format=_format)
    made.tests["matching"] = matches
    return made
