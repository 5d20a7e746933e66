"""What is said of duplicates: the first ones by name, the others by number."""

from __future__ import annotations

from batchrun.core.duplicates import SHOWN, Taken, told

ONE = Taken(21, ("INV-59", "2026"), "the key is taken by row 62 of payouts-001")


def test_a_duplicate_is_named_with_what_took_its_key() -> None:
    assert list(told([ONE], 1)) == ["row 21 (INV-59, 2026) is a duplicate: the key is taken by row 62 of payouts-001"]
    assert list(told([], 0)) == []


def test_beyond_the_first_ones_duplicates_are_counted() -> None:
    assert list(told([ONE] * SHOWN, SHOWN + 1))[SHOWN:] == ["and 1 more duplicate"]
    assert list(told([ONE] * (SHOWN + 5), 1000))[SHOWN:] == ["and 997 more duplicates"]
