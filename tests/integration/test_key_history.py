"""A key over all batches of a real journal: in every world, state and period; and the keys that are nearly it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("contract", "acceptance")]

from independent_server import SANDBOX_KEY, IndependentServer, independent_server
from journals import NOW, WORLD, add_batch, draft, opened, row_values
from sqlalchemy import insert, update

from batchrun.core import payloads
from batchrun.errors import BadCommandLine, BadKey, NotFound, Stopped
from batchrun.flows.history import History, history
from batchrun.io import journal_batches, journal_rows
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_tables import batches, events, rows, run_ids
from batchrun.model import State

LIVE = WORLD.replace("sandbox", "live")


class Nobody:
    """A Teller to whom nothing is of interest."""

    def say(self, text: str) -> None:
        """Hear nothing."""

    warn = say

    def ask(self, question: str) -> bool | None:
        return None

    def counting(self, what: str) -> Any:
        return nullcontext(lambda _count: None)

    def watching(self, *counts: object) -> Any:
        raise AssertionError("nothing is watched")


def batch_of(
    journal: Journal,
    *keys: tuple[str, ...],
    days: int = 0,
    state: str = "completed",
    period: tuple[tuple[str, str], ...] = (),
    **changes: Any,
) -> Batch:
    """Make a batch of rows with these keys."""
    given = draft(**changes)
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, given, NOW + timedelta(days=days))
        for position, key in enumerate(keys):
            values = row_values(batch_id, position)
            values |= {"key": payloads.to_json(list(key)).decode(), "key_id": payloads.key_id(given.world, key, period)}
            journal_rows.insert_rows(connection, [{**values, "state": state}])
        name = journal_batches.seal(connection, batch_id, NOW)
        found = journal_batches.find(connection, name)
    assert found is not None
    return found


def look(journal: Journal, *words: str, also: tuple[Path, ...] = ()) -> History:
    return history(words, journal.path, also, Nobody())


def names(told: History) -> list[tuple[str, int]]:
    return [(one.row.batch.name, one.row.number) for one in told.found]


def test_a_key_is_found_in_every_world_and_state_the_oldest_first(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        newest = batch_of(journal, ("INV-1",), days=9, world=LIVE, environment="live", state="failed")
        oldest = batch_of(journal, ("INV-2",), ("INV-1",), days=1, state="refused")
        middle = batch_of(journal, ("INV-1",), days=5, state="invalid", world="simulated:1/x", simulated=True)
        told = look(journal, "INV-1")
        assert names(told) == [(oldest.name, 3), (middle.name, 2), (newest.name, 2)]
        assert [one.row.takes_key for one in told.found] == [False, False, True]
        assert (told.batches, told.first, told.last) == (3, oldest.created_at, newest.created_at)
        assert [one.path for one in told.journals] == [str(journal.path)]


def test_a_period_is_known_from_the_keys_hash(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        for month in ("2026-09", "2026-10"):
            pair = (("period", month),)
            batch_of(journal, ("RENT-7",), params={"period": month, "by": "anna"}, period=pair, days=int(month[-2:]))
        many = dict.fromkeys("abcdefg", "1")
        batch_of(journal, ("RENT-7",), params=many, period=(("c", "1"), ("a", "1")), days=20)
        told = look(journal, "RENT-7")
        assert [one.period for one in told.found] == [(("period", "2026-09"),), (("period", "2026-10"),), None]


def test_a_key_of_several_columns_is_found_as_words_and_as_one_text(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = batch_of(journal, ("Doe, Jane", "2026-10"), ("Doe", "Jane"))
        for words in (("Doe, Jane", "2026-10"), ("Doe, Jane, 2026-10",)):
            assert names(look(journal, *words)) == [(batch.name, 2)]
        assert names(look(journal, "Jane")) == []


def test_equal_payloads_have_one_number(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        for days in range(3):
            batch_of(journal, ("INV-1",), days=days, world=f"w{days}")
        with journal.writing() as connection:
            connection.execute(update(rows).where(rows.c.batch_id == 2).values(payload_id=b"other"))
        assert [one.payload_number for one in look(journal, "INV-1").found] == [1, 2, 1]


def test_a_part_of_a_group_tells_what_its_first_row_tells(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = batch_of(journal, ("G-1",), ("G-2",))
        with journal.writing() as connection:
            member = update(rows).where(rows.c.batch_id == batch.id, rows.c.position == 1)
            connection.execute(member.values(leader=0, payload=None, payload_id=None))
        (found,) = look(journal, "G-2").found
        assert (found.row.number, found.row.payload, found.row.takes_key) == (3, b'{"n":0}', True)


def test_near_keys_come_the_likeliest_mistake_first_and_ten_at_most(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch_of(journal, ("inv-1204",), days=3, world="simulated:1/x", simulated=True)
        batch = batch_of(journal, ("INV-1204",), ("INV 1204",), ("INV-1240",), ("inv-1204",), ("INV-O1204",), ("X-9",))
        told = look(journal, "INV-1204")
        assert names(told) == [(batch.name, 2)]
        assert [(one.row.key, one.row.simulated) for one in told.similar] == [
            (("inv-1204",), False),
            (("inv-1204",), True),
            (("INV 1204",), False),
            (("INV-O1204",), False),
            (("INV-1240",), False),
        ]
        assert told.more_similar == 0
        batch_of(journal, *((f"INV-12{letter}4",) for letter in "ABCDEFGH"), days=4)
        told = look(journal, "INV-1204")
        assert (len(told.similar), told.more_similar) == (10, 3)


def test_a_key_with_marks_that_json_escapes_is_looked_at_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = batch_of(journal, ('INV "x"\\1204',), ("INV\n1204",))
        assert names(look(journal, 'INV "x"\\1204')) == [(batch.name, 2)]
        assert [one.row.number for one in look(journal, "INV 1204").similar] == [3, 2]


def test_what_was_never_sealed_is_not_there(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        with journal.writing() as connection:
            batch_id = journal_batches.stage(connection, draft(), NOW)
            journal_rows.insert_rows(
                connection, [row_values(batch_id, 0, "INV-1204"), row_values(batch_id, 1, "INV-1205")]
            )
        told = look(journal, "INV-1204")
        assert (told.found, told.similar, told.batches, told.first) == ((), (), 0, None)


def test_other_journals_are_searched_and_a_copy_tells_nothing_twice(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, opened(tmp_path / "other.db") as other:
        mine = batch_of(journal, ("INV-1204",), ("inv-1204",), days=2)
        theirs = batch_of(other, ("INV-1204",), days=1, job="theirs", stem="theirs")
        told = look(journal, "INV-1204", also=(other.path, journal.path))
        assert [(one.journal, one.row.batch.name) for one in told.found] == [
            (str(other.path), theirs.name),
            (str(journal.path), mine.name),
        ]
        assert (told.batches, len(told.journals), len(told.similar)) == (2, 2, 1)
    (tmp_path / "copy.db").write_bytes((tmp_path / "journal.db").read_bytes())
    with opened(tmp_path / "journal.db") as journal:
        told = look(journal, "INV-1204", also=(tmp_path / "copy.db",))
        assert [one.journal for one in told.found] == [str(journal.path)]
        assert (len(told.similar), told.more_similar) == (1, 0)


def test_a_journal_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        with pytest.raises(NotFound, match="--also: there is no journal"):
            look(journal, "INV-1", also=(tmp_path / "none.db",))
        with pytest.raises(BadCommandLine, match="the key is empty"):
            look(journal, " ")
        assert not (tmp_path / "none.db").exists()


def test_fifty_thousand_keys_are_looked_through_quickly(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        add_batch(journal, 50_000, prefix="INV-2026-")
        begun = time.process_time()
        told = look(journal, "INV-2026-31234")
        assert time.process_time() - begun < 2
        similar = [one.row.key[0][-5:] for one in told.similar]
        assert (len(told.found), similar, told.more_similar) == (1, ["13234", "31243", "31324", "32134"], 0)


@pytest.fixture
def verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Journal, IndependentServer, str]]:
    """Give a journal with a row whose run a server on this machine knows."""
    monkeypatch.setenv("RAPIDFOLIO_API_KEY", SANDBOX_KEY)
    with independent_server() as server, opened(tmp_path / "journal.db") as journal:
        run = server._accepted("proc_pay", "sandbox", {"n": 0})
        settings = {"allow_duplicates": False, "rate": "100/s"}
        batch = batch_of(journal, ("INV-1",), base_url=server.origin, settings=settings)
        with journal.writing() as connection:
            connection.execute(update(rows).values(run_id=run.run_id, attempts=2))
            for attempt, run_id in enumerate(("run_earlier", run.run_id), 1):
                told = {"origin": WORLD, "run_id": run_id, "batch_id": batch.id, "position": 0, "attempt": attempt}
                connection.execute(insert(run_ids).values(told))
            connection.execute(
                insert(events).values(
                    batch_id=batch.id, position=0, at="", attempt=1, event="failed", before="running", after="failed"
                )
            )
        yield journal, server, run.run_id


def again(journal: Journal) -> History:
    return history(["INV-1"], journal.path, (), Nobody(), verify=True)


def test_every_run_of_a_row_is_read_again(verified: tuple[Journal, IndependentServer, str]) -> None:
    journal, server, run_id = verified
    told = again(journal)
    earlier, present = told.found[0].runs
    assert (earlier.attempt.state, earlier.differences) == (State.FAILED, ("the API knows no run run_earlier",))
    assert (present.differences, present.same_input, present.unread, told.error) == ((), True, None, None)
    server.runs[run_id] = replace(server.runs[run_id], data={"n": 1})
    with journal.writing() as connection:
        connection.execute(update(rows).values(output=b'{"approved": false}'))
    assert again(journal).found[0].runs[1].differences == (
        "its input is not this row's payload",
        "its output is not the one in the journal",
    )


def test_what_cannot_be_read_is_told_with_its_reason(
    verified: tuple[Journal, IndependentServer, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, _, run_id = verified
    monkeypatch.setenv("RAPIDFOLIO_API_KEY", "rsk_sandbox_another")
    told = again(journal)
    assert isinstance(told.error, Stopped)
    assert all("401" in str(one.unread) for one in told.found[0].runs)
    monkeypatch.setenv("RAPIDFOLIO_API_KEY", "rsk_live_another")
    told = again(journal)
    assert isinstance(told.error, BadKey)
    assert [one.attempt.run_id for one in told.found[0].runs] == ["run_earlier", run_id]
    with journal.writing() as connection:
        connection.execute(update(batches).values(simulated=True))
    told = again(journal)
    assert told.error is not None
    assert "are no longer kept" in told.error.message
    with journal.writing() as connection:
        connection.execute(run_ids.delete())
    assert (again(journal).error, again(journal).found[0].runs) == (None, ())
