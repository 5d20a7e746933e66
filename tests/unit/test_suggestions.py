"""The nearest of what is known."""

from __future__ import annotations

import pytest

from batchrun.core.suggestions import did_you_mean


@pytest.mark.parametrize(
    ("word", "known", "told"),
    [
        ("Amout", ["Amount", "IBAN"], '; did you mean "Amount"?'),
        ("AMOUNT", ["Amount"], '; did you mean "Amount"?'),
        ("zzz", ["Amount", "IBAN", "IBAN"], '; known are "Amount", "IBAN"'),
        ("zzz", [f"column {number}" for number in range(13)], ""),
        ("zzz", [], ""),
    ],
)
def test_the_nearest_name_is_suggested_or_the_short_list_told(word: str, known: list[str], told: str) -> None:
    assert did_you_mean(word, known) == told
