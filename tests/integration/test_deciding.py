"""What follows decisions tells why it ended early."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from fakes import FakeWatch
from journals import NOW, add_batch, opened

from batchrun.core.conduct import Stop
from batchrun.core.lifecycle import Event
from batchrun.errors import Stopped
from batchrun.flows.deciding import Deciding
from batchrun.flows.doors import Doors, Reviewing
from batchrun.flows.sending import Following
from batchrun.io import journal_steps
from batchrun.io.api_key import ApiKey
from batchrun.io.exchange import Route
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step
from batchrun.io.journal_writer import JournalWriter
from batchrun.io.system import Interrupts

KEY = ApiKey("rsk_sandbox_x", "a test")
SETTINGS = {"allow_duplicates": False, "rate": "100/s", "concurrency": 2}


class Silent:
    """Tells nobody."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_words: None

    def watching(self, *_counts: object) -> Any:
        return contextlib.nullcontext(FakeWatch())


@pytest.fixture
def open_run(tmp_path: Path) -> Iterator[tuple[Journal, Batch]]:
    with opened(tmp_path / "journal.db") as journal:
        batch = add_batch(journal, 1, settings=SETTINGS, base_url="http://127.0.0.1:9", review_url="http://127.0.0.1:9")
        with journal.writing() as connection:
            steps = [Step(0, Event.INTENT, NOW), Step(0, Event.RUNNING, NOW, run_id="run_1")]
            journal_steps.apply(connection, batch, steps)
        yield journal, batch


def followed(journal: Journal, batch: Batch) -> Stop | None:
    route = Route(batch.base_url, KEY, None, None, 5.0)
    deciding = Deciding(
        journal, batch, Doors(KEY, None, Reviewing(KEY)), route, Silent(), Following(wait=20.0), Interrupts()
    )
    return asyncio.run(deciding.follow({0}))


def test_following_that_somebody_cancels_says_so(open_run: tuple[Journal, Batch]) -> None:
    journal, batch = open_run
    with journal.writing() as connection:
        journal_steps.ask_to_cancel(connection, batch.id, NOW)
    assert followed(journal, batch) == Stop("cancelled", "somebody cancelled the batch")


def test_following_says_that_the_journal_could_not_be_read(
    open_run: tuple[Journal, Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_writer: JournalWriter) -> bool:
        raise Stopped("the disk is full", code="disk-full")

    monkeypatch.setattr(JournalWriter, "asked_to_cancel", full)
    assert followed(*open_run) == Stop("disk-full", "the disk is full")
