"""A sheet that comes by standard input is checked, run once and kept, as one that lies in a file."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import Desk, Outcome, at_a_desk, invoices


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_a_desk(tmp_path) as one:
        one.sheet(invoices(3))
        one.job(lambda text: "\n".join(line for line in text.splitlines() if "file: results.xlsx" not in line))
        yield one


def piped(desk: Desk, *words: str) -> Outcome:
    """Run a command with the desk's sheet on its standard input."""
    done = subprocess.run(
        [sys.executable, "-m", "batchrun", *words, "--input", "-", "--json", "--base-url", desk.server.origin],
        cwd=desk.folder,
        env=desk.environment,
        input=(desk.folder / "payouts.csv").read_bytes(),
        capture_output=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_what_comes_by_a_pipe_runs_once_and_is_in_the_evidence(desk: Desk) -> None:
    done = piped(desk, "run", "payouts.yaml").ended(0)
    assert done.document["counts"] == {"completed": 3}
    assert Path(done.document["workbook"]).name == "payouts.results.xlsx"
    assert piped(desk, "run", "payouts.yaml").ended(2).document["error"]["code"] == "already-ran"
    assert len(desk.server.starts) == 3
    desk.command("evidence", "payouts-001", "-o", "pack.zip", "--json").ended(0)
    with zipfile.ZipFile(desk.folder / "pack.zip") as pack:
        assert pack.read("input/stdin") == (desk.folder / "payouts.csv").read_bytes()
    desk.command("verify", "pack.zip", "--json").ended(0)


def test_it_is_checked_beside_a_journal_and_its_params(desk: Desk) -> None:
    desk.job(lambda text: text + "\nparams: {period: {default: october}}\nonce_per: [period]\n")
    piped(desk, "run", "payouts.yaml").ended(0)
    said = piped(desk, "check", "payouts.yaml", "--param", "period=november").ended(0)
    assert "this very sheet, byte for byte, was sent" in said.stderr
