"""Text from outside stays that text in YAML, for our reader and for PyYAML's own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from batchrun.core import yaml_words
from batchrun.io import yaml_text

WORDS = [
    *("Invoice No", "Yes", "no", "1", "a: b", "#x", "a #b", 'say "hi"', "it's", "null", "~", "🙂", "- a", "{a}", "[a]"),
    *(
        "a,b",
        "true",
        "2026-10-31",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "a\\b",
        "a\nb",
        "\u2028",
        "\ufeffa",
        "a\x07",
        "",
    ),
    *(" a ", "../in.csv", "./a", "12:30", "0777", "1e5", "inf", "<<", "?", "|", ">", "=", "a\tb", "\x85", "x\r\ny"),
]


@pytest.mark.parametrize("word", WORDS)
def test_a_text_is_read_back_as_that_text(word: str) -> None:
    for line in (f"{yaml_words.text(word)}: 1", f"{yaml_words.key(word)}: 1", f"{{{yaml_words.text(word)}: 1}}"):
        assert yaml_text.load(line).data == {word: 1}
    assert yaml.safe_load(f"a: {yaml_words.text(word)}") == {"a": word}
    assert yaml.safe_load(f"[{yaml_words.text(word)}]") == [word]


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_any_text_is_read_back_as_that_text(word: str) -> None:
    assert yaml_text.load(f"{{a: {yaml_words.text(word)}}}").data == {"a": word}
    assert "\n" not in yaml_words.comment(word)
    assert yaml_text.load(yaml_words.comment(word)).data is None


@pytest.mark.parametrize(
    "value", [True, False, None, 3, Decimal("19.90"), Decimal("100"), "x", ["a", "b: c"], {"Y": True, "n: o": [1]}]
)
def test_a_value_is_read_back_as_that_value(value: Any) -> None:
    assert yaml_text.load(f"a: {yaml_words.value(value)}").data == {"a": value}


def test_plain_words_and_places_of_lists_need_no_quotes() -> None:
    assert yaml_words.text("Cost Centre (EUR)") == "Cost Centre (EUR)"
    assert yaml_words.key("lines[0].sku") == "lines[0].sku"
    assert yaml_words.key("a b[0]") == "'a b[0]'"
