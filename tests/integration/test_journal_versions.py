"""Versions of a procedure in the journal, and what holds a batch: kept with the step that told them, or not at all."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, opened, states

from batchrun.core.lifecycle import Event
from batchrun.core.webhooks import parse_delivery
from batchrun.flows import holding
from batchrun.io import journal_batches, journal_deliveries, journal_holds, journal_steps, journal_versions
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step
from batchrun.model import State


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with opened(tmp_path / "journal.db") as one:
        yield one


def ran(journal: Journal, batch: Batch, *versions: str, back: float = 0.0) -> None:
    """Let a run of each version be started and read; each a second later, or so much earlier."""
    with journal.writing() as connection:
        for position, version in enumerate(versions):
            at = NOW + timedelta(seconds=position * (1 - back))
            run_id = f"run_{batch.id}_{position}"
            steps = [Step(position, Event.INTENT, at), Step(position, Event.RUNNING, at, run_id=run_id)]
            journal_steps.apply(connection, batch, [*steps, Step(position, Event.COMPLETED, at, version_id=version)])


def seen(journal: Journal, batch: Batch) -> list[tuple[str, int]]:
    with journal.reading() as connection:
        return [tuple(one) for one in journal_versions.seen(connection, batch)]


def hold(journal: Journal, batch: Batch) -> str | None:
    with journal.reading() as connection:
        found = holding.hold_of(connection, batch)
    return None if found is None else found.sentence


def test_each_version_is_kept_once_with_the_row_that_told_it_first(journal: Journal) -> None:
    batch = add_batch(journal, 5)
    ran(journal, batch, "pv_1", "pv_1", "pv_2", "pv_1", "pv_2")
    assert seen(journal, batch) == [("pv_1", 2), ("pv_2", 4)]


def test_a_clock_that_is_set_back_does_not_change_which_came_first(journal: Journal) -> None:
    batch = add_batch(journal, 3)
    ran(journal, batch, "pv_1", "pv_2", "pv_3", back=60)
    assert [version for version, _ in seen(journal, batch)] == ["pv_1", "pv_2", "pv_3"]


def test_a_version_is_kept_with_its_step_or_not_at_all(journal: Journal) -> None:
    batch = add_batch(journal, 1)
    ran(journal, batch)
    with pytest.raises(ZeroDivisionError), journal.writing() as connection:
        steps = [Step(0, Event.INTENT, NOW), Step(0, Event.COMPLETED, NOW, run_id="r", version_id="pv_1")]
        journal_steps.apply(connection, batch, steps)
        raise ZeroDivisionError
    assert (seen(journal, batch), states(journal, batch)) == ([], [State.READY])


def test_the_last_batch_is_one_of_the_same_world_of_which_a_version_is_known(journal: Journal) -> None:
    first, elsewhere = add_batch(journal, 2), add_batch(journal, 1, prefix="E", world="another world")
    add_batch(journal, 1, prefix="U")
    last = add_batch(journal, 1, prefix="L")
    ran(journal, first, "pv_1", "pv_2")
    ran(journal, elsewhere, "pv_9")
    with journal.reading() as connection:
        assert journal_versions.of_last_batch(connection, last) == (first.name, "pv_2")
        assert journal_versions.of_last_batch(connection, first) is None
        assert holding.note_on_version(connection, last) is None
    ran(journal, last, "pv_3")
    with journal.reading() as connection:
        assert holding.note_on_version(connection, last) == (
            f"the procedure's version is pv_3; the last batch, {first.name}, ran with pv_2"
        )


def test_a_webhook_that_tells_the_version_is_taken_at_its_word(journal: Journal) -> None:
    batch = add_batch(journal, 1)
    with journal.writing() as connection:
        steps = [Step(0, Event.INTENT, NOW), Step(0, Event.RUNNING, NOW, run_id="run_1")]
        journal_steps.apply(connection, batch, steps)
        data = {"runId": "run_1", "status": "completed", "procedureVersionId": "pv_7"}
        body = json.dumps({"id": "d1", "event": "run_completed", "data": data}).encode()
        delivery = parse_delivery(body)
        assert delivery is not None
        journal_deliveries.keep(connection, delivery, body, NOW)
        journal_deliveries.fold(connection, batch, NOW)
    assert seen(journal, batch) == [("pv_7", 2)]


def test_a_second_version_holds_a_batch_until_it_is_confirmed_and_so_does_a_third(journal: Journal) -> None:
    batch = add_batch(journal, 5)
    ran(journal, batch, "pv_1")
    assert hold(journal, batch) is None
    with journal.writing() as connection:
        journal_versions.keep(connection, batch, [("pv_2", 3, NOW), (None, 4, NOW)])
    assert hold(journal, batch) == (
        "the procedure's version changed from pv_1 to pv_2 while the batch ran (row 5): "
        "nothing more is sent until somebody has looked"
    )
    with journal.writing() as connection:
        holding.confirm(connection, batch, "resume --confirm")
    assert hold(journal, batch) is None
    with journal.writing() as connection:
        journal_versions.keep(connection, batch, [("pv_1", 4, NOW), ("pv_3", 4, NOW)])
    assert "from pv_2 to pv_3" in str(hold(journal, batch))


def test_what_is_kept_beside_a_setting_stays(journal: Journal) -> None:
    batch = add_batch(journal, 4, settings={"allow_duplicates": False, "rate": "5/s"})
    with journal.writing() as connection:
        assert [journal_holds.last_of_first(connection, batch.id, count) for count in (1, 3, 4, 9)] == [
            0,
            2,
            None,
            None,
        ]
        journal_holds.change_settings(connection, batch.id, canary={"rows": 1, "up_to": 0, "confirmed": False})
        holding.confirm(connection, batch, "asked")
        held = journal_batches.find(connection, batch.name)
    assert held is not None
    assert (held.settings["rate"], held.settings["canary"]["confirmed"]) == ("5/s", True)
    assert held.settings["canary"]["how"] == "asked"
