"""What takes its time is begun at once: rehearsals of every job that ships, and an API that is not there."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from finance_desk import ROOT, Outcome, at_a_desk, invoices

JOBS = sorted(path.name for path in (ROOT / "jobs").glob("*.yaml"))


def nobody_there() -> str:
    """Give the origin of a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        return f"http://127.0.0.1:{door.getsockname()[1]}"


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Outcome]]:
    """Rehearse them with nothing but `--simulate --json`, while another run looks for an API that is gone."""
    folder = tmp_path_factory.mktemp("shipped")
    with at_a_desk(folder) as desk:
        for name in ("jobs", "samples"):
            shutil.copytree(ROOT / name, folder / name)

        def rehearsed(job: str) -> Outcome:
            return desk.command("run", f"jobs/{job}", "--simulate", "--json", key="", origin=False)

        desk.sheet(invoices(5))
        with ThreadPoolExecutor(len(JOBS) + 1) as threads:
            gone = threads.submit(
                desk.command, "run", "payouts.yaml", "--json", "--base-url", nobody_there(), origin=False
            )
            outcomes = dict(zip(JOBS, threads.map(rehearsed, JOBS), strict=True))
            yield {**outcomes, "gone": gone.result()}
        assert desk.server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("job", JOBS)
def test_a_shipped_job_rehearses_to_its_end_or_to_its_reviews(rehearsals: dict[str, Outcome], job: str) -> None:
    outcome = rehearsals[job]
    counts = outcome.document["counts"]
    waiting = counts.get("awaiting_review", 0)
    outcome.ended(4 if waiting else 0)
    assert counts.get("completed", 0) + waiting == outcome.document["rows"] > 0
    assert Path(outcome.document["workbook"]).is_file()


@pytest.mark.slow
def test_an_api_that_is_not_there_stops_with_3_and_no_row_is_lost(rehearsals: dict[str, Outcome]) -> None:
    gone = rehearsals["gone"].ended(3).document
    assert gone["counts"] == {"ready": 5}
    assert gone["next"] == f"batchrun resume {gone['batch']}"
    assert gone["stopped"]
