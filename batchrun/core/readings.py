"""What a reading of a run means (`GET /runs/:runId`): one pure function. Readings are repeatable by nature."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from batchrun.core import leading_json, lifecycle
from batchrun.core.answers import Seen, message_of, text_of
from batchrun.core.lifecycle import Event

EARLIEST = 1970  # many systems write "no time" as the first moment of the year 1, some of them east of Greenwich


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read. `event` is None where nothing was learnt; `refused` where no reading will ever be answered."""

    event: Event | None = None
    output: Any = None
    error: str | None = None
    finished_at: datetime | None = None
    status_word: str | None = None
    input: Any = None
    created_at: datetime | None = None
    version_id: str | None = None
    missing: bool = False
    refused: str | None = None
    slow_down: bool = False


def read(seen: Seen, run_id: str) -> Reading:
    """Say what the answer to a reading means."""
    if seen.status == 200:
        return _run(seen, run_id)
    if seen.status in (401, 402, 403):
        return Reading(refused=f"the API answered {seen.status}: {message_of(seen)}")
    return Reading(missing=seen.status == 404, slow_down=seen.status == 429)


def _run(seen: Seen, run_id: str) -> Reading:
    body = leading_json.parse(seen.body) if seen.whole else None
    word = body.get("status") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(word, str) or body.get("id", run_id) != run_id:
        return Reading()
    return Reading(
        event=lifecycle.event_of(word),
        output=body.get("output"),
        error=text_of(body.get("error")) or None,
        finished_at=parse_time(body.get("completedAt")),
        status_word=word,
        input=body.get("input"),
        created_at=parse_time(body.get("createdAt")),
        version_id=version_of(body.get("procedureVersionId")),
    )


def version_of(told: Any) -> str | None:
    """Give the version of the procedure that a run is told to have; None where none is told."""
    return told if isinstance(told, str) and told else None


def parse_time(text: Any) -> datetime | None:
    """Read one of the API's times (ISO 8601, UTC, milliseconds); None where it is none, or no run can have it."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is None:
            return None
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= EARLIEST else None
