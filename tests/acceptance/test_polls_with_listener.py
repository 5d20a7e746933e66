"""With a listener runs are told, not asked for: ten thousand of them cost fewer than a hundred readings."""

from __future__ import annotations

import json
import signal
import sqlite3
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from finance_desk import Desk, in_the_background, invoices, leaks, until
from webhook_server import SECRET, WebhookServer, story, story_output, webhook_server

ROWS = 10_000
LISTENING = {"RAPIDFOLIO_WEBHOOK_SECRET": SECRET}


@contextmanager
def at_a_desk_that_is_told(folder: Path, rows: int, **switches: Any) -> Iterator[tuple[Desk, WebhookServer]]:
    with webhook_server(**switches) as server:
        desk = Desk(folder, server)  # type: ignore[arg-type]  # of a server it asks no more than its origin
        desk.job(in_the_background)
        desk.sheet(invoices(rows))
        yield desk, server
    assert leaks(folder) == []


@contextmanager
def listening(desk: Desk, server: WebhookServer) -> Iterator[None]:
    """Run a listener beside the desk, and end it as a person would."""
    with desk.started("listen", "--port", "0", environment=LISTENING, origin=False) as process:
        try:
            assert process.stderr is not None
            server.listener = process.stderr.readline().split("Listening on ")[1].split(";")[0]
            until(lambda: answers(server.listener), bool)
            yield
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)
            assert process.returncode == 0
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url.replace("/webhooks/rapidfolio", "/healthz")) as answer:
            return bool(answer.status == 200)
    except urllib.error.URLError:
        return False


def rows_of(desk: Desk) -> dict[int, tuple[str, str | None, Any, str | None]]:
    """Read state, run, output and error of every invoice from the journal, as SQL."""
    with closing(sqlite3.connect(desk.journal)) as journal:
        wanted = "SELECT json_extract(key, '$[0]'), state, run_id, output, error FROM rows"
        found = journal.execute(wanted).fetchall()
    return {
        int(key): (state, run_id, json.loads(output) if output else None, error)
        for key, state, run_id, output, error in found
    }


def right(number: int) -> tuple[str, str, Any, str | None]:
    state = story(number)
    output = story_output(number) if state == "completed" else None
    return state, f"run_{number}", output, "limit reached" if state == "failed" else None


@pytest.mark.slow
def test_ten_thousand_runs_with_a_listener_cost_fewer_than_a_hundred_readings(tmp_path: Path) -> None:
    with at_a_desk_that_is_told(tmp_path, ROWS) as (desk, server), listening(desk, server):
        outcome = desk.run("--rate", "unlimited", "--concurrency", "64").ended(1)
        assert set(server.starts.values()) == {1} and len(server.starts) == ROWS
        assert server.reads.total() < 100
        assert rows_of(desk) == {number: right(number) for number in range(1, ROWS + 1)}
        assert outcome.document["counts"] == dict(Counter(story(number) for number in range(1, ROWS + 1)))


def test_a_refresh_uses_what_arrived_while_nothing_ran_and_asks_only_for_the_rest(tmp_path: Path) -> None:
    """A run that waits for a review is asked for too: somebody may have decided while nobody listened."""
    told = [number for number in range(1, 201) if number % 4]
    waiting = {number for number in told if story(number) == "awaiting_review"}
    with at_a_desk_that_is_told(tmp_path, 200, silent=True) as (desk, server):
        desk.run("--rate", "unlimited", "--no-wait").ended(4)
        with listening(desk, server):
            server.tell_all(told)
        assert server.reads.total() == 0
        desk.command("refresh", "last", "--json").ended(1)
        assert server.reads == Counter({*range(1, 201)} - {*told} | waiting)
        assert rows_of(desk) == {number: right(number) for number in range(1, 201)}


def test_a_resume_asks_for_nothing_that_has_arrived_however_much_that_is(tmp_path: Path) -> None:
    with at_a_desk_that_is_told(tmp_path, 700, silent=True) as (desk, server):
        desk.run("--rate", "unlimited", "--no-wait").ended(4)
        with listening(desk, server):
            server.tell_all(list(range(1, 701)))
        desk.command("resume", "last", "--json").ended(1)
        assert server.reads.total() == 0
        assert rows_of(desk) == {number: right(number) for number in range(1, 701)}
