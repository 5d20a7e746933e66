"""`batchrun listen` as a process: deliveries are checked, kept before they are acknowledged, and folded once."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "whsec_listen_test"


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAPIDFOLIO")}
    return kept | {"BATCHRUN_JOURNAL": str(folder / "journal.db"), "RAPIDFOLIO_WEBHOOK_SECRET": SECRET}


class Listener:
    """A listening process and its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "batchrun", "listen", "--port", "0"],
            env=environment(folder),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        self.url = line.split("Listening on ")[1].split(";")[0]
        self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.url.replace("/webhooks/rapidfolio", "/healthz")) as answer:
                    assert answer.status == 200
                    return
            except urllib.error.URLError:
                continue
        raise AssertionError("the listener does not answer")

    def post(self, body: bytes, signature: str | None = "right") -> int:
        headers = {"Content-Type": "application/json"}
        if signature is not None:
            right = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            headers["X-Rapid-Signature"] = right if signature == "right" else signature
        request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def kept(self) -> list[str]:
        with sqlite3.connect(self.folder / "journal.db") as connection:
            found = connection.execute("select event from deliveries order by id").fetchall()
        connection.close()
        return [event for (event,) in found]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    made = Listener(tmp_path)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
            made.process.communicate()


def envelope(number: int, event: str = "run_completed") -> bytes:
    return json.dumps({"id": f"delivery_{number}", "event": event, "data": {"runId": f"run_{number}"}}).encode()


def test_only_genuine_deliveries_are_kept_and_each_once(listener: Listener) -> None:
    assert listener.post(envelope(1), signature=None) == 401
    assert listener.post(envelope(1), signature="sha256=" + "0" * 64) == 401
    assert listener.kept() == []
    assert [listener.post(envelope(1)) for _ in range(3)] == [200, 200, 200]
    assert listener.post(envelope(2, "custom.unheard_of")) == 200
    assert listener.kept() == ["run_completed", "custom.unheard_of"]
    assert listener.post(b"x" * ((1 << 20) + 1)) == 413
    assert listener.post(b"no envelope") == 400
    assert listener.stop() == 0


def test_without_a_secret_it_does_not_start(tmp_path: Path) -> None:
    without = {name: value for name, value in environment(tmp_path).items() if "SECRET" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "batchrun", "listen", "--json"],
        env=without,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["code"] == "bad-key"


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "batchrun", "listen", "--port", str(port)],
            env=environment(tmp_path),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: port {port} on 127.0.0.1 is taken by another program")
    assert "Traceback" not in done.stderr


def test_a_run_with_a_listener_reads_no_run_at_all(listener: Listener, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "batchrun", "run", str(ROOT / "jobs" / "refunds.yaml"), "--simulate", "--json"),
            *("--rate", "100/s", "-o", str(tmp_path / "refunds.xlsx")),
            *("--knob", f"webhook-url={listener.url}", "--knob", "run-time=50ms..300ms"),
        ],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert json.loads(done.stdout)["counts"] == {"awaiting_review": 7, "completed": 33}
    assert listener.stop() == 0
    connection = sqlite3.connect(tmp_path / "journal.db")
    told = connection.execute("select count(*) from events where detail like 'by webhook %'").fetchone()[0]
    ended = connection.execute("select count(*) from events where before = 'running'").fetchone()[0]
    connection.close()
    assert told == ended == 40
