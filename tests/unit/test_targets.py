"""Target paths: how they are written, what they build, and which do not go together."""

from __future__ import annotations

from typing import Any

import pytest

from batchrun.core.targets import (
    EACH,
    Path,
    before_closing,
    clashes,
    close_up,
    lay_out,
    parse,
    place,
    pointer,
    shape_of,
)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("amount", ("amount",)),
        ("payee.iban", ("payee", "iban")),
        ("lines[0].sku", ("lines", 0, "sku")),
        ("grid[1][2]", ("grid", 1, 2)),
        ("lines[9999]", ("lines", 9999)),
        (r"a\.b.c", ("a.b", "c")),
        (r"a\[0\]", ("a[0]",)),
        (r"a\\b", ("a\\b",)),
        ("Straße 1", ("Straße 1",)),
        ("0", ("0",)),
    ],
)
def test_a_target_is_names_and_places(text: str, path: Path) -> None:
    assert parse(text) == path


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a..b", "[0]", "a[-1]", "a[x]", "a[0", "a]", "a[0]b", "a.[0]", "a\\", "a[00001]"],
)
def test_anything_else_is_no_target(text: str) -> None:
    with pytest.raises(ValueError, match="is not a target; write names with dots"):
        parse(text)


def test_a_path_is_named_as_a_json_pointer() -> None:
    assert pointer(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"
    assert pointer(()) == ""


def built(**values: Any) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for text, value in values.items():
        place(root, parse(text), value)
    return root


def test_values_build_the_objects_and_lists_around_them() -> None:
    root = built(**{"a.b": 1, "a.c": 2, "d[1].e": 3, "d[0].e": 4, "d[0].g": 6, "f[0][0]": 5})
    assert root == {"a": {"b": 1, "c": 2}, "d": [{"e": 4, "g": 6}, {"e": 3}], "f": [[5]]}


def test_places_of_a_list_that_nothing_filled_close_up_at_every_depth() -> None:
    root = built(**{"a[2]": "x", "a[5].b[3]": "y"})
    assert close_up(root) == {"a": ["x", {"b": ["y"]}]}


def test_a_path_in_the_closed_up_data_leads_back_to_its_target() -> None:
    root = built(**{"a[2].b": "x", "a[5].c[3]": ["y", "z"], "d": "w"})
    assert before_closing(root, ("a", 0, "b")) == ("a", 2, "b")
    assert before_closing(root, ("a", 1, "c", 0, 1)) == ("a", 5, "c", 3, 1)
    assert before_closing(root, ("a", 0, "missing")) == ("a", 2, "missing")
    assert before_closing(root, ("d",)) == ("d",)
    assert before_closing(root, ()) == ()


@pytest.mark.parametrize(
    ("texts", "pairs"),
    [
        (["a", "b", "c.d", "c.e", "f[0]", "f[1].g", "f[1].h"], []),
        (["a", "a.b"], [("a", "a.b")]),
        (["a.b", "a"], [("a.b", "a")]),
        (["a.b.c", "a.b"], [("a.b.c", "a.b")]),
        (["a[0]", "a.b"], [("a[0]", "a.b")]),
        (["a.b", "a[0]"], [("a.b", "a[0]")]),
        (["a[0]", "a"], [("a[0]", "a")]),
        (["a[0].b", "a[0][0]"], [("a[0].b", "a[0][0]")]),
        (["a", "a.b", "a.c"], [("a", "a.b"), ("a", "a.c")]),
    ],
)
def test_a_target_inside_another_clashes_and_so_does_a_list_with_an_object(
    texts: list[str], pairs: list[tuple[str, str]]
) -> None:
    assert clashes(map(parse, texts)) == [(parse(first), parse(second)) for first, second in pairs]


def test_empty_brackets_take_an_item_of_each_row() -> None:
    assert parse("lines[].sku") == ("lines", EACH, "sku")
    assert pointer(parse("lines[].sku")) == "/lines/*/sku"


def test_objects_without_lists_are_laid_out_for_many_rows_at_once() -> None:
    paths = [parse(text) for text in ("payee.name", "amount", "payee.bank.iban", "due")]
    rows = [("Ada", 1, "DE1", "x"), ("Bob", 2, "DE2", "y")]
    shape = shape_of(paths)
    assert shape is not None
    placed: list[dict[str, Any]] = [{}, {}]
    for data, values in zip(placed, rows, strict=True):
        for path, value in zip(paths, values, strict=True):
            place(data, path, value)
    assert repr(lay_out(shape, list(zip(*rows, strict=True)))) == repr(placed)


def test_a_list_has_no_shape_nor_has_nothing() -> None:
    assert shape_of([parse("a"), parse("lines[0].sku")]) is None
    assert shape_of([parse("lines[].sku")]) is None
    assert shape_of([]) is None
