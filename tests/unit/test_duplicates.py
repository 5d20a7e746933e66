"""What is said of duplicates: the first ones by name, the others by number."""

from __future__ import annotations

from batchrun.core.duplicates import SHOWN, Taken, told, told_of_sheet

ONE = Taken(21, ("INV-59", "2026"), "the key is taken by row 62 of payouts-001")


def test_a_duplicate_is_named_with_what_took_its_key() -> None:
    assert list(told([ONE], 1)) == ["row 21 (INV-59, 2026) is a duplicate: the key is taken by row 62 of payouts-001"]
    assert list(told([], 0)) == []


def test_beyond_the_first_ones_duplicates_are_counted() -> None:
    assert list(told([ONE] * SHOWN, SHOWN + 1))[SHOWN:] == ["and 1 more duplicate"]
    assert list(told([ONE] * (SHOWN + 5), 1000))[SHOWN:] == ["and 997 more duplicates"]


def test_a_sheet_that_was_sent_before_is_told_with_its_batch_its_params_and_its_date() -> None:
    said = told_of_sheet("payouts-001", {"month": "2026-09", "house": "north"}, "2026-10-01")
    assert "was sent on 2026-10-01 as payouts-001 (with month 2026-09, house north)" in said
    assert "as payouts-001 (with no params)" in told_of_sheet("payouts-001", {}, "2026-10-01")
