"""Starts the simulator as a process, and speaks to it over real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
SANDBOX_KEY = "rsk_sandbox_Zq8wK2"
LIVE_KEY = "rsk_live_Zq8wK2"
PATIENCE = 10.0
MEASURED = bool({"COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG"} & set(os.environ))


class Simulator:
    """A simulator that listens. Every call returns the httpx answer."""

    def __init__(self, process: subprocess.Popen[str], origin: str) -> None:
        self.process = process
        self.origin = origin
        self.http = httpx.Client(
            base_url=origin, timeout=PATIENCE, trust_env=False, verify=False
        )  # no TLS here: quicker

    def start(
        self, data: object, *, procedure: str = "proc_pay", environment: str = "sandbox", **parts: Any
    ) -> httpx.Response:
        """Start a run; `parts` are the body's other fields."""
        return self.post_start(
            json.dumps({"data": data, **parts}).encode(), procedure=procedure, environment=environment
        )

    def post_start(
        self,
        body: bytes,
        *,
        procedure: str = "proc_pay",
        environment: str = "sandbox",
        key: str | None = SANDBOX_KEY,
        content_type: str | None = "application/json",
    ) -> httpx.Response:
        """Post a start's raw body."""
        headers = {**_authorization(key), **({"Content-Type": content_type} if content_type else {})}
        return self.http.post(f"/v1/procedures/{procedure}/{environment}", content=body, headers=headers)

    def run_id(self, data: object, **parts: Any) -> str:
        """Start a run that must be accepted, and give its id."""
        answer = self.start(data, **parts)
        assert answer.status_code in (200, 202, 504), answer.text
        return str(answer.json()["runId"])

    def read(self, run_id: str, key: str | None = SANDBOX_KEY) -> httpx.Response:
        """Read a run."""
        return self.http.get(f"/runs/{run_id}", headers=_authorization(key))

    def cancel(self, run_id: str, key: str | None = SANDBOX_KEY) -> httpx.Response:
        """Cancel a run."""
        return self.http.post(f"/runs/{run_id}/cancel", headers=_authorization(key))

    def review(self, run_id: str, body: Mapping[str, Any], key: str | None = SANDBOX_KEY) -> httpx.Response:
        """Decide a review."""
        return self.http.post(f"/api/runner-proxy/review/{run_id}", json=body, headers=_authorization(key))

    def wait_for(self, run_id: str, status: str) -> dict[str, Any]:
        """Poll until the run has this status."""
        return until(lambda: self.read(run_id).json(), lambda run: run["status"] == status)

    def runs(self) -> list[dict[str, Any]]:
        """Give the ledger."""
        return list(self.http.get("/_simulator/runs").json()["runs"])

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait(PATIENCE)


@contextmanager
def simulator(
    *options: str, knobs: Mapping[str, object] | None = None, secret: str | None = None
) -> Iterator[Simulator]:
    """Run a simulator on a free port; by default its runs take no time."""
    process = launched(
        "--port", "0", "--machine", *options, *knob_options({"run-time": 0, **(knobs or {})}), secret=secret
    )
    with process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        running = Simulator(process, json.loads(line)["listening"])
        try:
            with running.http:
                yield running
        finally:
            # A kill is quickest; only a process that ends by itself leaves its coverage behind.
            (process.terminate if MEASURED else process.kill)()


def launched(*options: str, secret: str | None = None) -> subprocess.Popen[str]:
    """Start the process with its three streams as pipes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}
    environment.pop("RAPIDFOLIO_WEBHOOK_SECRET", None)
    if secret is not None:
        environment["RAPIDFOLIO_WEBHOOK_SECRET"] = secret
    command = [sys.executable, "-m", "batchrun.simulator", *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def knob_options(knobs: Mapping[str, object]) -> list[str]:
    """Write knobs as options."""
    return [part for name, value in knobs.items() for part in ("--knob", f"{name}={value}")]


def until(look: Callable[[], T], good: Callable[[T], bool]) -> T:
    """Look again and again until what is seen is good."""
    deadline = time.monotonic() + PATIENCE
    while not good(seen := look()):
        assert time.monotonic() < deadline, f"still {seen!r}"
        time.sleep(0.01)
    return seen


def _authorization(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}
