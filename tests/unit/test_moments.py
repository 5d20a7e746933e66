"""How the journal's times read for people."""

from __future__ import annotations

from batchrun.core.moments import to_the_minute, to_the_second


def test_a_time_is_written_without_its_fractions() -> None:
    assert to_the_second("2026-10-31T09:12:44.105000Z") == "2026-10-31 09:12:44"
    assert to_the_minute("2026-10-31T09:12:44.105000Z") == "2026-10-31 09:12"
