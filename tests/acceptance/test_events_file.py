"""`--events`: whoever looks on from a file costs the batch nothing, not even where that file's disk is full."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from finance_desk import at_a_desk, in_the_background, invoices

FULL = Path("/dev/full")  # every write to it fails as on a full disk


@pytest.mark.skipif(not FULL.exists(), reason="this system has no file that is always full")
def test_an_events_file_on_a_full_disk_is_told_once_and_costs_no_row(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, run_seconds=0.05) as desk:
        desk.job(in_the_background)
        desk.sheet(invoices(12))
        outcome = desk.run("--events", str(FULL)).ended(0)
        assert len(desk.server.starts) == 12
    assert outcome.document["counts"] == {"completed": 12}
    assert outcome.stderr.count("the events file /dev/full cannot be written any more") == 1


def test_each_step_is_a_line_and_another_run_adds_its_own(tmp_path: Path) -> None:
    with at_a_desk(tmp_path, run_seconds=0.05) as desk:
        desk.job(in_the_background)
        desk.sheet(invoices(3))
        desk.run("--events", "events.jsonl").ended(0)
        desk.run("--events", "events.jsonl", "--again", "--allow-duplicates").ended(0)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    ended = [(line["batch"], line["position"]) for line in lines if line.get("after") == "completed"]
    assert sorted(ended) == [(batch, row) for batch in ("payouts-001", "payouts-002") for row in range(3)]
