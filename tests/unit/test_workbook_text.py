"""Text that any spreadsheet opens."""

from decimal import Decimal

import pytest

from batchrun.io.workbook_text import LONGEST, compact_json, escaped, number_text, safe_text, text_xml
from batchrun.model import Number


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("bell\x07", "bell\\x07"),
        ("\x00", "\\x00"),
        ("\x7f\x85", "\\x7f\\x85"),
        ("half \ud800 pair", "half \\ud800 pair"),
        ("\ufffe\uffff", "\\ufffe\\uffff"),
        ("lone\rreturn", "lone\\x0dreturn"),
    ],
)
def test_what_no_cell_can_hold_is_escaped_visibly(raw: str, shown: str) -> None:
    assert safe_text(raw) == shown


@pytest.mark.parametrize(
    "text", ["", "=1+1", "#N/A", "00123", " padded ", "tab\tand\nline", "Müller & Søn 🧾", "\\x07"]
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert safe_text(text) == text


def test_a_windows_line_break_becomes_the_line_feed_that_a_cell_holds() -> None:
    assert safe_text("a\r\nb") == "a\nb"


def test_text_of_the_greatest_length_is_kept_whole() -> None:
    assert safe_text("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize("letter", ["x", "ü", "🧾", "\x07"])
def test_longer_text_is_cut_and_says_how_long_it_was(letter: str) -> None:
    cut = safe_text(letter * 40_000)

    assert cut.endswith("… [cut: 40,000 characters in all]")
    assert LONGEST - 4 <= len(cut.encode("utf-16-le")) // 2 <= LONGEST


def test_sixteen_thousand_emoji_fit_and_a_few_more_do_not() -> None:
    assert safe_text("🧾" * 16_383) == "🧾" * 16_383
    assert "[cut: 16,384 characters in all]" in safe_text("🧾" * 16_384)


def test_what_looks_like_an_escape_is_escaped_itself() -> None:
    assert escaped("a_x000D_x000a_b") == "a_x005F_x000D_x005F_x000a_b"
    assert escaped("plain_x00_") == "plain_x00_"


def test_xml_is_escaped_and_spaces_are_kept() -> None:
    assert text_xml("a<b> & c") == "<t>a&lt;b&gt; &amp; c</t>"
    assert text_xml(" a") == '<t xml:space="preserve"> a</t>'
    assert text_xml("_x000D_") == "<t>_x005F_x000D_</t>"
    assert text_xml("plain") == "<t>plain</t>"


@pytest.mark.parametrize(
    ("value", "width", "shown"),
    [
        ("42", 5, "00042"),
        ("-42", 5, "-00042"),
        ("123456", 5, "123456"),
        ("19.9", 0, "19.9"),
        ("1E+3", 0, "1000"),
        ("4.5", 3, "4.5"),
    ],
)
def test_a_number_is_written_as_the_sheet_shows_it(value: str, width: int, shown: str) -> None:
    assert number_text(Number(Decimal(value), width)) == shown


def test_json_is_compact_and_its_decimals_exact() -> None:
    value = {"a": [Decimal("19.90"), None, True, "ü"], "b": {}, "c": (1,), 'q"': Decimal("1E+2")}

    assert compact_json(value) == '{"a":[19.90,null,true,"ü"],"b":{},"c":[1],"q\\"":100}'
