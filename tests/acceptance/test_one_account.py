"""Batches that are run at once with one API key keep one pace together."""

from __future__ import annotations

from pathlib import Path

import pytest
from finance_desk import PATIENCE, at_a_desk, in_the_background, invoices

RATE = 60


@pytest.mark.slow
def test_two_batches_at_once_never_exceed_the_account_rate_polls_included(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, run_seconds=0.5) as desk:
        paced = f"rate: 200/s\naccount_rate: {RATE}/s"
        for name, first in (("one", 1), ("two", 1001)):
            desk.sheet(invoices(80, first=first), f"{name}.csv")
            job = desk.job(lambda text: in_the_background(text).replace("rate: 200/s", paced))
            text = job.read_text(encoding="utf-8").replace("payouts.csv", f"{name}.csv")
            (tmp_path / f"{name}.yaml").write_text(text.replace("results.xlsx", f"{name}.xlsx"), encoding="utf-8")
        processes = [desk.started("run", f"{name}.yaml", "--json") for name in ("one", "two")]
        for process in processes:
            _, told = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, told
        at = sorted(request.at for request in desk.server.requests)
    assert len(at) >= 320  # each row is one POST and one GET, at the least
    fullest = max(sum(begin <= one < begin + 1 for one in at) for begin in at)
    assert RATE * 0.5 <= fullest <= RATE * 1.02
