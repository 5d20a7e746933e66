"""The sandbox: no way out of it, and nothing in it that hangs or eats the memory."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from batchrun.core.cells import Fault
from batchrun.core.expressions import Expression, ExpressionError
from batchrun.core.sandbox import number, rounded, whole


def value(text: str, cell: str = "x") -> Any:
    return Expression(text).value({"A": 0}, [cell], {"p": "1"})


@pytest.mark.parametrize(
    "text",
    [
        "''.__class__",
        "''['__class__']",
        "'' | attr('__class__')",
        "['a'] | map(attribute='__class__') | list",
        "row.__class__.__mro__",
        "row['__class__']",
        "row._places",
        "params.__class__",
        "number.__globals__",
        "number.__globals__['re']",
        "'{0.__class__}'.format(1)",
        "'{0._places}'.format(row)",
        "row.keys.__self__",
        "(1).__class__.__base__.__subclasses__()",
        "1.5.__class__",
        "params.update({'p': 2})",
        "[1].append(2)",
        "{'a': 1}.pop('a')",
    ],
)
def test_nothing_leads_out_of_the_sandbox(text: str) -> None:
    found = value(text)
    assert isinstance(found, Fault)
    assert "may not do" in found.message


@pytest.mark.parametrize("name", ["range", "lipsum", "cycler", "joiner", "namespace", "dict", "open", "__import__"])
def test_no_global_is_there_but_number(name: str) -> None:
    assert "undefined" in value(f"{name}(1)").message


@pytest.mark.parametrize("name", ["random", "tojson", "pprint", "batch(9)", "slice(9)", "center(9)", "indent"])
def test_filters_that_guess_grow_or_write_for_the_web_are_not_offered(name: str) -> None:
    with pytest.raises(ExpressionError, match="No filter named"):
        Expression(f"'a' | {name}")


@pytest.mark.parametrize(
    "text",
    [
        "'a' * 1000000000",
        "1000000000 * 'a'",
        "'abc' * 33334",
        "[1] * 10 ** 9",
        "(1, 2) * 100000",
        "['abc'] * 50000",
        "[[1] * 1000] * 1000",
        "[{}] * 2",
        "('a' * 1000) * 1000",
        "10 ** 10000000",
        "2 ** 1000000000",
        "10 ** 300 * 10 ** 300",
        "'%1000000000d' % 5",
        "'%-0100000.2f' % 5",
        "'%.100000f' % 5",
        "'%*d' % (1000000000, 5)",
        "'%(a)100000d' % {'a': 5}",
        "'%1000000000s' | format(5)",
        "'{:1000000000}'.format(5)",
        "'{:.100000f}'.format(5)",
        "'{:{}}'.format(5, 1000000000)",
        "'{a:{b}}'.format(a=5, b=1000000000)",
        "'{a:100000}'.format_map({'a': 5})",
        "'a'.ljust(1000000000)",
        "'a'.rjust(1000000000)",
        "'a'.center(1000000000)",
        "'a'.zfill(1000000000)",
        "'\t'.expandtabs(1000000000)",
        "('a' * 1000).replace('a', 'b' * 1000)",
        "('a' * 1000) | replace('a', 'b' * 1000)",
        "('a' * 1000) | replace('', 'b' * 1000)",
        "('a' * 1000).join(['b'] * 1000)",
        "(['b' * 10] * 9000) | join('c' * 100)",
        "'abc'.translate({97: 'b' * 1000})",
        "(5).to_bytes(1000000000, 'big')",
    ],
)
def test_a_result_that_would_be_too_long_is_refused_before_it_is_made(text: str) -> None:
    found = value(text)
    assert isinstance(found, Fault)
    assert "the result would be too long" in found.message


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("'ab' * 3", "ababab"),
        ("3 * 'ab'", "ababab"),
        ("[1, 'ab'] * 2", [1, "ab", 1, "ab"]),
        ("2 * 3", 6),
        ("2 ** 8", 256),
        ("1.5 ** 2", Decimal("2.25")),
        ("2 * 1.5", Decimal("3.0")),
        ("'%05d' % 42", "00042"),
        ("'INV12345-%s' % 'a'", "INV12345-a"),
        ("'%s-%s' | format(1, 'a')", "1-a"),
        ("'%(a)s' | format(a=1)", "1"),
        ("'{:.2f}'.format(2.675)", "2.68"),
        ("'{:>8}|{a}'.format(5, a=1)", "       5|1"),
        ("'{a:05d}'.format_map({'a': 5})", "00005"),
        ("'5'.zfill(8)", "00000005"),
        ("'a-b'.replace('-', '')", "ab"),
        ("'a-b' | replace('-', '/')", "a/b"),
        ("'aaa' | replace('a', 'b', 1)", "baa"),
        ("'-'.join(['a', 'b'])", "a-b"),
        ("['a', 1] | join('-')", "a-1"),
        ("[{'n': 'a'}, {'n': 'b'}] | join(',', attribute='n')", "a,b"),
        ("' a '.strip()", "a"),
        ("row['A'] is matching('[a-z]')", True),
        ("row['A'] is matching('[a-z][a-z]')", False),
    ],
)
def test_everyday_work_is_not_hindered(text: str, result: object) -> None:
    assert value(text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("19.995 | round(2)", "20.00"),
        ("1.25 | round(1)", "1.2"),
        ("1.35 | round(1)", "1.4"),
        ("19.991 | round(2, 'ceil')", "20.00"),
        ("19.999 | round(2, 'floor')", "19.99"),
        ("-19.991 | round(2, 'floor')", "-20.00"),
        ("3.5 | round", "4"),
        ("'7.125' | round(2)", "7.12"),
        ("(1 / 3) | round(2)", "0.33"),
        ("1250 | round(-2)", "1.2E+3"),
    ],
)
def test_rounding_is_exact(text: str, result: str) -> None:
    assert str(value(text)) == result


@pytest.mark.parametrize("text", ["1.5 | round(1, 'up')", "1.5 | round(1000000000)", "'x' | round", "1.5 | round(0.5)"])
def test_rounding_that_cannot_be_done_is_a_fault(text: str) -> None:
    assert isinstance(value(text), Fault)


@pytest.mark.parametrize(
    ("given", "exact"), [("19.90", "19.90"), (" 5 ", "5"), (7, "7"), (Decimal("1.10"), "1.10"), ("-3", "-3")]
)
def test_a_number_is_read_exactly(given: object, exact: str) -> None:
    assert str(number(given)) == exact


@pytest.mark.parametrize("given", ["", "x", "1e5", "1,5", "٣", "NaN", None])
def test_what_is_no_number_is_refused(given: object) -> None:
    with pytest.raises(ValueError, match="is not a number"):
        number(given)
    with pytest.raises(TypeError, match="TRUE/FALSE"):
        number(True)


def test_a_whole_number_is_never_cut() -> None:
    assert whole("5.00") == 5
    with pytest.raises(ValueError, match=r"5\.5 is not a whole number"):
        whole("5.5")
    assert rounded(5) == Decimal(5)
