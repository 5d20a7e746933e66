"""The verbs of `import batchrun`, as a notebook uses them: inside a running loop too."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

import batchrun
from batchrun import check, load_job, open_batch, run
from batchrun.errors import BadSpec

ROOT = Path(__file__).parents[2]


def test_a_job_is_checked_run_and_read_as_a_data_frame(tmp_path: Path) -> None:
    job = load_job(ROOT / "jobs" / "refunds.yaml", limit=5, journal=tmp_path / "journal.db")
    assert check(job, expect_rows=5).problems == []
    batch = run(job, simulate=True, rate="100/s", output=tmp_path / "refunds.xlsx")
    assert batch.counts == {"awaiting_review": 1, "completed": 4}
    assert batch.exit_code == 4
    assert batch.workbook == tmp_path / "refunds.xlsx"
    results = open_batch(journal=tmp_path / "journal.db").results()
    assert list(results["_row"]) == [2, 3, 4, 5, 6]
    assert results["Card Ending"][0] == "0131"
    assert results["_output.approved"][0] is True


def test_it_works_where_a_loop_runs_already(tmp_path: Path) -> None:
    async def cell() -> str:
        job = load_job(ROOT / "jobs" / "refunds.yaml", limit=2, journal=tmp_path / "journal.db")
        return run(job, simulate=True, rate="100/s", output=tmp_path / "refunds.xlsx").name

    assert asyncio.run(cell()) == "refunds-001"


def test_what_is_wrong_is_raised(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("job: x\nprocedure: {id: p}\n", encoding="utf-8")
    with pytest.raises(BadSpec, match='the key "source" is missing'):
        load_job(tmp_path / "job.yaml")
    with pytest.raises(AttributeError):
        _ = batchrun.nothing_of_that_name


def test_a_canary_stops_where_nobody_can_answer(tmp_path: Path) -> None:
    job = load_job(ROOT / "jobs" / "refunds.yaml", limit=4, journal=tmp_path / "journal.db")
    batch = run(job, simulate=True, canary=2, yes=True, rate="100/s", output=tmp_path / "refunds.xlsx")
    assert (batch.exit_code, batch.counts) == (3, {"ready": 2, "completed": 2})
    assert batch.outcome.next == "batchrun resume refunds-001 --confirm"


def test_a_notebook_completes_the_verbs_before_one_was_asked_for() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import batchrun; print(*dir(batchrun))"], capture_output=True, text=True, check=True
    )
    assert {"Batch", "Job", "check", "load_job", "open_batch", "run"} <= set(told.stdout.split())
