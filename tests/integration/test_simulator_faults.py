"""What keeps the simulator from starting: one plain sentence each, and exit code 2."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from batchrun.simulator.__main__ import main
from batchrun.simulator.knobs import KNOBS
from batchrun.simulator.state_file import StateFile

Output = pytest.CaptureFixture[str]


def refused(capsys: Output, *options: str) -> str:
    """Run the command line, which must refuse to start, and give what it says."""
    assert main(["--port", "0", *options]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    return said.err


def test_all_faults_of_knobs_are_told_at_once(capsys: Output) -> None:
    err = refused(capsys, "--knob", "failurs=2%", "--knob", "latency=fast")
    assert "did you mean failures?" in err
    assert "latency: 'fast'" in err


@pytest.mark.parametrize(
    ("knob", "content", "told"),
    [
        ("schema", '{"type": 7}', "cannot be used"),
        ("schema", "not json", "cannot be used"),
        ("schema", '{"$ref": "https://example.com/schema.json"}', "cannot be used"),
        ("output", "[1]", "must be a JSON object"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(
    capsys: Output, tmp_path: Path, knob: str, content: str, told: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    err = refused(capsys, "--knob", f"{knob}={path}")
    assert told in err
    assert str(path) in err


def test_webhooks_without_a_secret_do_not_start(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAPIDFOLIO_WEBHOOK_SECRET", raising=False)
    assert "RAPIDFOLIO_WEBHOOK_SECRET" in refused(capsys, "--knob", "webhook-url=http://127.0.0.1:9/hooks")


def test_a_host_and_a_port_that_do_not_exist_are_told(capsys: Output) -> None:
    assert refused(capsys, "--host", "192.0.2.1").startswith("The simulator cannot listen on 192.0.2.1:0: ")
    assert "99999" in refused(capsys, "--port", "99999")


def test_a_state_file_serves_one_simulator_at_a_time(capsys: Output, tmp_path: Path) -> None:
    state = tmp_path / "runs.db"
    held = StateFile(state)
    try:
        err = refused(capsys, "--state", str(state))
    finally:
        held.close()
    assert err == f"The state file {state} cannot be used: database is locked.\n"


def test_another_programs_file_is_left_alone(capsys: Output, tmp_path: Path) -> None:
    text, database = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("these are my notes, " * 200)
    other = sqlite3.connect(database)
    other.execute("CREATE TABLE accounts (id)")
    other.close()
    for path, reason in ((text, "not a database"), (database, "no state file")):
        before = path.read_bytes()
        assert reason in refused(capsys, "--state", str(path))
        assert path.read_bytes() == before


def test_a_state_file_in_a_place_that_cannot_be_is_told(capsys: Output, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(capsys, "--state", str(tmp_path / "file" / "runs.db"))


def test_help_tells_every_knob(capsys: Output) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(f"  {knob.name} " in out for knob in KNOBS)
