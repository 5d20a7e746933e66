"""How batches and worlds are named."""

from __future__ import annotations

import pytest

from batchrun.core.naming import batch_name, batch_stem, slug, world_name


@pytest.mark.parametrize(
    ("text", "made"), [("Vendor Payouts", "vendor-payouts"), ("Ärger & Co.", "arger-co"), ("--", ""), ("東京", "")]
)
def test_a_slug_holds_letters_digits_and_dashes(text: str, made: str) -> None:
    assert slug(text) == made


def test_a_batch_is_named_by_job_params_and_number() -> None:
    stem = batch_stem("vendor-payouts", {"period": "2026-10", "city": "東京"})
    assert batch_name(stem, 1) == "vendor-payouts-2026-10-001"
    assert batch_name(stem, 1234) == "vendor-payouts-2026-10-1234"
    assert len(batch_stem("j" * 200, {})) == 80


def test_a_world_is_procedure_environment_and_origin() -> None:
    assert world_name("p", "live", "https://x") == "https://x/v1/procedures/p/live"
