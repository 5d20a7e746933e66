"""What a reading of a run means."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from batchrun.core.answers import Seen
from batchrun.core.lifecycle import Event
from batchrun.core.readings import Reading, parse_time, read

BODY = (
    b'{"id": "r1", "status": "completed", "input": {"a": 1.50}, "output": {"b": 2}, "error": null,'
    b' "createdAt": "2026-10-01T12:00:00.000Z", "completedAt": "2026-10-01T12:00:05.250Z", "procedureVersionId": "v2"}'
)


def test_a_run_is_read_whole() -> None:
    reading = read(Seen(status=200, body=BODY), "r1")
    assert (reading.event, reading.status_word, reading.output) == (Event.COMPLETED, "completed", {"b": 2})
    assert (reading.error, reading.version_id, str(reading.input["a"])) == (None, "v2", "1.50")
    assert reading.created_at == datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert reading.finished_at == datetime(2026, 10, 1, 12, 0, 5, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "seen",
    [
        Seen(status=200, body=BODY, whole=False),
        Seen(status=200, body=BODY[:-5]),
        Seen(status=200, body=BODY.replace(b"r1", b"r2")),
        Seen(status=200, body=b'{"id": "r1", "status": 5}'),
        Seen(status=200, body=b'{"id": "r1"}'),
        Seen(status=200, body=b"[]"),
        Seen(status=200, body=b"<html>"),
        Seen(status=500, body=BODY),
        Seen(status=202, body=BODY),
        Seen(),
    ],
)
def test_a_reading_that_is_not_whole_or_of_another_run_teaches_nothing(seen: Seen) -> None:
    assert read(seen, "r1") == Reading()


def test_a_status_word_that_is_not_known_counts_as_running() -> None:
    reading = read(Seen(status=200, body=b'{"status": "paused", "error": {"message": "why"}}'), "r1")
    assert (reading.event, reading.status_word, reading.error) == (Event.RUNNING, "paused", "why")


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refused_key_refuses_all_readings(status: int) -> None:
    assert read(Seen(status=status, body=b'{"error": "no"}'), "r").refused == f"the API answered {status}: no"


def test_404_is_missing_and_429_asks_to_slow_down() -> None:
    assert read(Seen(status=404), "r") == Reading(missing=True)
    assert read(Seen(status=429), "r") == Reading(slow_down=True)


def test_a_time_without_a_zone_is_utc_and_what_is_no_time_is_none() -> None:
    assert parse_time("2026-10-01T12:00:00") == datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert [parse_time(value) for value in (None, 5, "", "soon", "2026-13-01T00:00:00Z")] == [None] * 5


@pytest.mark.parametrize(
    ("told", "version"), [('"pv_1"', "pv_1"), ('""', None), ("null", None), ("7", None), ("{}", None)]
)
def test_a_version_is_a_text_or_it_is_not_known(told: str, version: str | None) -> None:
    body = b'{"id": "r1", "status": "running", "procedureVersionId": %s}' % told.encode()
    assert read(Seen(status=200, body=body), "r1").version_id == version


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.999-05:00", "0001-01-01T00:00:00Z", "0001-01-01"]
)
def test_a_time_that_no_run_can_have_is_none_at_all(text: str) -> None:
    """The journal could not write some of them: the sender broke off, and so did every `resume`."""
    assert parse_time(text) is None
    body = f'{{"id": "run_1", "status": "completed", "output": {{}}, "completedAt": "{text}"}}'.encode()
    assert (read(Seen(200, {}, body), "run_1").event, read(Seen(200, {}, body), "run_1").finished_at) == (
        Event.COMPLETED,
        None,
    )
