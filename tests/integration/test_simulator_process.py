"""The simulator as a process: what it prints, and how it ends."""

from __future__ import annotations

import json
import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from simulator_process import PATIENCE, launched, simulator, until

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def test_it_says_where_it_listens_in_one_line_of_json_and_nothing_else() -> None:
    with launched("--port", "0", "--machine", "--exit-with-stdin") as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        assert line == {"listening": line["listening"], "pid": process.pid}
        assert httpx.get(f"{line['listening']}/healthz", trust_env=False, verify=False).status_code == 200
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == ("", "", 0)


def test_it_says_it_to_people_in_a_sentence() -> None:
    with launched("--port", "0", "--exit-with-stdin") as process:
        out, err = process.communicate(timeout=PATIENCE)
    assert out.startswith("The simulator listens on http://127.0.0.1:")
    assert (out.count("\n"), err, process.returncode) == (1, "", 0)


def test_it_ends_when_its_stdin_ends() -> None:
    with simulator("--exit-with-stdin") as api:
        api.run_id({})
        assert api.process.stdin is not None
        api.process.stdin.close()
        assert api.process.wait(PATIENCE) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process by force")
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_cleanly(number: int) -> None:
    with simulator() as api:
        api.run_id({})
        api.process.send_signal(number)
        out, err = api.process.communicate(timeout=PATIENCE)
        assert (out, err, api.process.returncode) == ("", "", 0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process by force")
def test_a_caller_that_waits_is_left_without_an_answer_when_it_stops() -> None:
    with simulator(knobs={"run-time": "1h"}) as api, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(api.start, {}, control={"executionMode": "sync"})
        until(api.runs, bool)
        api.process.send_signal(signal.SIGTERM)
        with pytest.raises(httpx.RemoteProtocolError):
            waiting.result(PATIENCE)
        assert api.process.wait(PATIENCE) == 0


def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with launched("--port", str(port)) as process:
            out, err = process.communicate(timeout=PATIENCE)
    assert (out, process.returncode) == ("", 2)
    assert err == f"The simulator cannot listen on 127.0.0.1:{port}: another program does. Choose another --port.\n"
