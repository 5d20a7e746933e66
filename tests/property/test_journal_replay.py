"""Whatever happens to a batch's rows, only legal states are reached, and the events replayed give the states held."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, held, opened, replayed, states

from batchrun.core import lifecycle
from batchrun.core.lifecycle import Event
from batchrun.io import journal_steps
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step
from batchrun.model import State

ROWS = 3
REACHABLE = {State.READY, State.DUPLICATE} | set(lifecycle.STEPS.values())

step = st.builds(
    lambda position, event, **parts: Step(position, event, NOW, **parts),
    st.integers(0, ROWS - 1),
    st.sampled_from(sorted(Event)),
    run_id=st.one_of(st.none(), st.sampled_from(["run_a", "run_b", "run_c"])),
    error=st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=5)),
    output=st.one_of(st.none(), st.dictionaries(st.text("ab", max_size=2), st.integers(), max_size=2)),
)
groups = st.lists(st.tuples(st.integers(0, 1), st.lists(step, min_size=1, max_size=6)), max_size=25)


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "journal.db") as one:
        with one._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA synchronous=OFF")  # durability is not what is looked at here
        yield one


made = [0]


def two_batches(journal: Journal) -> list[Batch]:
    """Make two batches of the same keys in a world of their own."""
    made[0] += 1
    prefix, world = f"K{made[0]}-", f"world {made[0]}"
    return [add_batch(journal, ROWS, prefix=prefix, world=world, stem=f"s{made[0]}") for _ in range(2)]


@settings(max_examples=80, deadline=None)
@given(groups)
def test_any_events_reach_only_legal_states_and_replay_to_what_is_held(
    journal: Journal, asked: list[tuple[int, list[Step]]]
) -> None:
    both = two_batches(journal)
    expected = [[State.READY] * ROWS, [State.READY] * ROWS]
    for which, steps in asked:
        with journal.writing() as connection:
            done = journal_steps.apply(connection, both[which], steps)
        for one, stepped in zip(steps, done, strict=True):
            before = expected[which][one.position]
            if stepped.moved:
                legal = {lifecycle.STEPS.get((before, event)) for event in (one.event, Event.KEY_TAKEN, Event.DOUBT)}
                assert stepped.state in legal
                expected[which][one.position] = stepped.state
            else:
                assert stepped.state is before
    for which, batch in enumerate(both):
        assert states(journal, batch) == expected[which]
        assert set(expected[which]) <= REACHABLE
        assert replayed(journal, batch) == held(journal, batch)
    for pair in zip(*expected, strict=True):
        assert not all(state in lifecycle.TAKES_KEY for state in pair), "one key was sent from two batches"


@settings(max_examples=40, deadline=None)
@given(cut=st.floats(0, 1), torn=st.booleans())
def test_a_journal_whose_log_is_cut_anywhere_opens_again_with_whole_steps_only(
    written: tuple[Path, Batch], cut: float, torn: bool
) -> None:
    """As after a power cut: of what was being written to the log, any beginning may be there, its end perhaps torn."""
    source, batch = written
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "journal.db"
        shutil.copy(source, place)
        log = source.with_name("journal.db-wal").read_bytes()
        length = int(len(log) * cut)
        kept = log[:length] + (b"\xa5" * 700 if torn else b"")
        place.with_name("journal.db-wal").write_bytes(kept)
        with opened(place) as journal:
            with journal.reading() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert replayed(journal, batch) == held(journal, batch)
            attempts = [count for _, count in held(journal, batch)]
            assert attempts == sorted(attempts, reverse=True), "a later commit is there and an earlier is not"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Batch]]:
    """A journal whose last steps lie in its log only: one commit a row, in order."""
    place = tmp_path_factory.mktemp("cut") / "journal.db"
    with opened(place) as journal:
        batch = add_batch(journal, 40)
        with journal.reading() as connection:
            connection.exec_driver_sql("PRAGMA wal_autocheckpoint=0")
        with journal._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for position in range(40):
            with journal.writing() as connection:
                journal_steps.apply(connection, batch, [Step(position, Event.INTENT, NOW)])
            with journal.writing() as connection:
                journal_steps.apply(
                    connection, batch, [Step(position, Event.RUNNING, NOW, run_id=f"run_{position}", output={"a": 1})]
                )
        yield place, batch
