"""Where nobody can hear what is said on the way, or nothing can be said at all, commands do their work all the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import PATIENCE, Desk, Outcome, at_a_desk, invoices, with_cell

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a full disk to order, and a shell")

WAYS = {"closed": "2>&-", "full": "2>/dev/full", "all closed but stdout": "2>&- <&-"}
ROWS = invoices(6)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with at_a_desk(tmp_path) as one:
        one.sheet(ROWS)
        yield one


def unheard(desk: Desk, way: str, *words: str) -> Outcome:
    """Run a command whose words go nowhere."""
    origin = ["--base-url", desk.server.origin] if words[0] in {"run", "check"} and "--simulate" not in words else []
    line = ["sh", "-c", f'exec "$@" {WAYS[way]}', "sh", sys.executable, "-m", "batchrun", *words, *origin]
    done = subprocess.run(
        line, cwd=desk.folder, env=desk.environment, stdout=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
    )
    return Outcome(done.returncode, done.stdout, "")


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_nobody_hears_pays_once_and_answers(desk: Desk, way: str) -> None:
    desk.server.switches.refuse = lambda data: "blocked" if data["invoiceNumber"] == "00003" else None
    done = unheard(desk, way, "run", "payouts.yaml", "--json").ended(1)
    assert done.document["counts"] == {"completed": 5, "refused": 1}
    assert done.document["error"] is None
    assert len(desk.answer(done).rows) == 6
    assert len(desk.server.starts) == 6
    assert unheard(desk, way, "resume", "last", "--json").ended(1).document["counts"] == done.document["counts"]
    told = unheard(desk, way, "status").ended(0)
    assert "payouts-001" in told.stdout


@pytest.mark.parametrize("way", WAYS)
def test_what_keeps_an_unheard_command_from_starting_has_its_code_and_its_document(desk: Desk, way: str) -> None:
    desk.sheet(with_cell(ROWS, 2, Amount="bad"))
    assert unheard(desk, way, "check", "payouts.yaml", "--json").ended(1).document["invalid"] == 1
    assert unheard(desk, way, "run", "payouts.yaml", "--json").ended(2).document["error"]["code"] == "invalid-rows"
    wrong = unheard(desk, way, "run", "payouts.yaml", "--limit", "x", "--json").ended(2)
    assert wrong.document["error"]["code"] == "bad-command-line"
    assert unheard(desk, way, "resume", "nothing", "--json").ended(2).document["error"]["code"] == "not-found"
    assert desk.server.starts == []


@pytest.mark.parametrize("words", [["run", "payouts.yaml", "--json"], ["status"], ["foo", "--json"], ["--help"]])
def test_an_answer_that_cannot_be_written_is_told_in_a_sentence(desk: Desk, words: list[str]) -> None:
    line = ["sh", "-c", 'exec "$@" >/dev/full', "sh", sys.executable, "-m", "batchrun", *words]
    line += ["--base-url", desk.server.origin] if words[0] == "run" else []
    done = subprocess.run(
        line, cwd=desk.folder, env=desk.environment, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert "the answer could not be written (No space left on device)" in done.stderr
    assert "fault of its own" not in done.stderr
    assert len(desk.server.starts) == (6 if words[0] == "run" else 0)


def test_a_rehearsal_that_nobody_hears_runs_too(desk: Desk) -> None:
    done = unheard(desk, "closed", "run", "payouts.yaml", "--simulate", "--json").ended(0)
    assert done.document["counts"] == {"completed": 6}


def test_a_run_goes_on_when_who_listened_has_gone(desk: Desk) -> None:
    line = [sys.executable, "-m", "batchrun", "run", "payouts.yaml", "--json", "--base-url", desk.server.origin]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, cwd=desk.folder, env=desk.environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout is not None
        answer = process.stdout.read()
    assert Outcome(process.returncode, answer, "").ended(0).document["counts"] == {"completed": 6}
