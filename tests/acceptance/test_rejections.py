"""What a reviewer has rejected is never sent again: not by `retry`, and not by another sheet with its key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = "rsk_sandbox_rejections"


@pytest.fixture
def origin() -> Iterator[str]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "batchrun.simulator", "--port", "0", "--machine", "--exit-with-stdin"),
            *("--knob", "review-over=amount=500", "--knob", "run-time=0"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())["listening"]
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(20)


def batchrun(folder: Path, *words: str) -> tuple[int, dict[str, object], str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAPIDFOLIO")}
    done = subprocess.run(
        [sys.executable, "-m", "batchrun", *words, "--json"],
        env=kept | {"BATCHRUN_JOURNAL": str(folder / "journal.db"), "RAPIDFOLIO_API_KEY": KEY},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


def reject(origin: str, run_id: str) -> None:
    body = {"approved": False, "rejectionReason": "not ours", "idempotencyKey": str(uuid.uuid4())}
    request = urllib.request.Request(
        f"{origin}/api/runner-proxy/review/{run_id}",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_a_rejected_row_is_never_sent_again_by_itself(origin: str, tmp_path: Path) -> None:
    job = str(ROOT / "jobs" / "refunds.yaml")
    run = ("run", job, "--base-url", origin, "--limit", "5", "--rate", "100/s", "-o", str(tmp_path / "refunds.xlsx"))
    code, document, _ = batchrun(tmp_path, *run)
    assert (code, document["counts"]) == (4, {"awaiting_review": 1, "completed": 4})
    _, row, _ = batchrun(tmp_path, "show", "last", "--row", "5")
    reject(origin, str(row["run_id"]))

    code, document, _ = batchrun(tmp_path, "refresh", "last")
    assert (code, document["counts"]) == (1, {"completed": 4, "failed": 1})
    code, document, words = batchrun(tmp_path, "retry", "last", "--status", "failed")
    assert code == 2
    assert "what a reviewer has rejected is never sent again" in words

    code, document, _ = batchrun(tmp_path, *run, "--again")
    assert (code, document["counts"]) == (1, {"duplicate": 5})
