"""A batch that is adopted is the same in every table; one that cannot be the same here is refused whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from evidence_packs import SETTINGS, change, contents, edited, forged, lines, pack_of, small_batch, small_pack
from journals import NOW, WORLD, add_batch, opened, states
from sqlalchemy import insert, select, update

from batchrun.core import evidence
from batchrun.core.lifecycle import Event
from batchrun.core.review import Decision, DecisionState
from batchrun.errors import BadInput, CouldNotStart, Declined
from batchrun.flows import holding
from batchrun.flows.adopt import Adopted, adopt
from batchrun.flows.verify import verify
from batchrun.io import (
    journal_batches,
    journal_corrections,
    journal_decisions,
    journal_files,
    journal_steps,
    journal_versions,
    system,
)
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, text_time
from batchrun.io.journal_corrections import NewValues, Origin
from batchrun.io.journal_decisions import Answer, Made
from batchrun.io.journal_steps import Step
from batchrun.io.journal_tables import (
    adoptions,
    batches,
    corrections,
    decision_answers,
    decisions,
    deliveries,
    events,
    file_pieces,
    rows,
    run_ids,
    versions_seen,
    workbooks,
)
from batchrun.model import State

TABLES = (rows, events, run_ids, deliveries, decisions, decision_answers, corrections, workbooks, versions_seen)


class Listener:
    """Hears what is said, and gives one answer to every question."""

    def __init__(self, answer: bool | None = None) -> None:
        self.heard: list[str] = []
        self.asked: list[str] = []
        self._answer = answer

    def say(self, text: str) -> None:
        self.heard.append(text)

    def warn(self, text: str) -> None:
        self.heard.append(text)

    def ask(self, question: str) -> bool | None:
        self.asked.append(question)
        return self._answer


def taken_in(journal: Journal, path: Path, listener: Listener | None = None, *, yes: bool = False) -> Adopted:
    return adopt(journal, path, listener or Listener(), yes=yes)  # type: ignore[arg-type]


def whole_batch(journal: Journal) -> Batch:
    """Make a batch that has a line in every table."""
    batch = small_batch(journal)
    with journal.writing() as connection:
        handed_in = journal_files.keep_bytes(connection, b"a workbook")
        corrected = journal_files.keep_bytes(connection, b"Key\nK1\n")
        journal_steps.apply(connection, batch, [Step(3, Event.INTENT, NOW)])
        journal_steps.apply(connection, batch, [Step(3, Event.AWAITING_REVIEW, NOW, run_id="run_3")])
        said = Decision(False, "too much", None, "Anna")
        journal_decisions.record(
            connection, batch, [Made(3, "run_3", 1, said)], sent_by="me", workbook_sha256=handed_in, now=NOW
        )
        number = connection.execute(select(decisions.c.id)).scalar_one()
        journal_decisions.answer(connection, batch, number, Answer(DecisionState.ACCEPTED, NOW, 200, "taken"))
        journal_corrections.correct(
            connection,
            batch,
            [NewValues(1, b'{"n":"new"}', ("new",), ())],
            Origin("me", "fixed.csv", corrected),
            NOW,
        )
        for values in (
            {"delivery_id": "d1", "received_at": text_time(NOW), "event": "run_completed", "run_id": "run_3"},
            {"delivery_id": "d2", "received_at": text_time(NOW), "event": "run_completed", "run_id": "run_other"},
        ):
            connection.execute(insert(deliveries).values(**values, body=b"\xff{}", folded_at=text_time(NOW)))
        seen = {"batch_id": batch.id, "version_id": "v_1", "position": 0, "at": text_time(NOW)}
        connection.execute(insert(versions_seen).values(seen))
        book = {"path": "/out.xlsx", "batch_id": batch.id, "sha256": "1" * 64, "widths": '{"a":1.5}', "kept": False}
        connection.execute(insert(workbooks).values(**book, written_at=text_time(NOW)))
    return batch


def held(journal: Journal, batch: Batch) -> dict[str, Any]:
    """Give all that a journal holds of a batch, without the numbers that are the journal's own."""
    found: dict[str, Any] = {}
    with journal.reading() as connection:
        for table in TABLES:
            lines = [dict(row._mapping) for row in connection.execute(select(table))]
            mine = [
                line
                for line in lines
                if line.get("batch_id", batch.id) == batch.id and line.get("run_id") != "run_other"
            ]
            found[table.name] = [
                {name: value for name, value in line.items() if name not in ("id", "batch_id", "decision_id")}
                for line in mine
            ]
        line = dict(connection.execute(select(batches).where(batches.c.id == batch.id)).one()._mapping)
        found["batch"] = {name: value for name, value in line.items() if name not in ("id", "workbook_sha256")}
    return found


@contextmanager
def two_laptops(folder: Path) -> Iterator[tuple[Journal, Journal]]:
    with opened(folder / "old" / "journal.db") as old, opened(folder / "new" / "journal.db") as new:
        yield old, new


def named(journal: Journal, name: str) -> Batch:
    with journal.reading() as connection:
        found = journal_batches.find(connection, name)
    assert found is not None
    return found


def test_an_adopted_batch_is_the_same_in_every_table(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        add_batch(new, 1, prefix="x", stem="other")  # so that the numbers differ
        batch = whole_batch(old)
        made = pack_of(old, batch, tmp_path / "pack.zip")
        assert verify(made.path).intact, verify(made.path).faults
        done = taken_in(new, made.path)
        assert (done.batch, done.was, done.manifest_sha256) == ("payouts-001", "payouts-001", made.manifest_sha256)
        there, here = held(old, batch), held(new, named(new, done.batch))
        assert all(there[table.name] for table in TABLES)
        assert here == there
        with new.reading() as connection, old.reading() as before:
            note = connection.execute(select(adoptions)).one()
            assert note.evidence_sha256 == made.manifest_sha256
            answer = connection.execute(select(decision_answers.c.decision_id)).scalar_one()
            assert answer == connection.execute(select(decisions.c.id)).scalar_one()
            for sha256 in before.execute(select(file_pieces.c.sha256).distinct()).scalars():
                assert journal_files.kept_bytes(connection, sha256) == journal_files.kept_bytes(before, sha256)


def test_versions_of_the_procedure_keep_their_order_whatever_they_are_called(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        batch = small_batch(old)
        with old.writing() as connection:
            journal_versions.keep(connection, batch, [("v_9", 0, NOW), ("v_10", 1, NOW), ("v_2", 3, NOW)])
        done = taken_in(new, pack_of(old, batch, tmp_path / "pack.zip").path)
        with new.reading() as connection:
            here = named(new, done.batch)
            assert [one.version_id for one in journal_versions.seen(connection, here)] == ["v_9", "v_10", "v_2"]
            hold = holding.hold_of(connection, here)
    assert hold is not None and "changed from v_9 to v_10" in hold.sentence


def test_what_was_handed_in_is_in_the_pack(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        path = pack_of(journal, whole_batch(journal), tmp_path / "pack.zip").path
    handed_in = {name: content for name, content in contents(path).items() if name.startswith("handed-in/")}
    assert sorted(handed_in.values()) == [b"Key\nK1\n", b"a workbook"]
    assert [one["reviewer"] for one in lines(path, evidence.DECISIONS)] == ["Anna"]
    (name,) = [name for name in handed_in if name.endswith("fixed.csv")]
    assert not verify(forged(path, tmp_path / "forged.zip", change(name, b"Key\nK9\n"))).intact


def test_the_evidence_of_an_adopted_batch_says_where_it_came_from(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        first = pack_of(old, small_batch(old), tmp_path / "pack.zip")
        batch = named(new, taken_in(new, first.path).batch)
        second = pack_of(new, batch, tmp_path / "second.zip")
    assert verify(second.path).intact
    (line,) = lines(second.path, "journal/adoptions.jsonl")
    assert line["evidence_sha256"] == first.manifest_sha256


def test_rows_left_to_send_are_warned_of_loudly(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    listener = Listener()
    with opened(tmp_path / "new" / "journal.db") as new:
        taken_in(new, made.path, listener)
        assert states(new, named(new, "payouts-001")) == [State.COMPLETED, State.READY, State.SENDING, State.READY]
    (warning,) = [line for line in listener.heard if "TWICE" in line]
    assert "3 rows" in warning
    assert f"on {system.host_name()})" in warning, "the computer that must not go on"


def test_a_batch_comes_once(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    with opened(tmp_path / "new" / "journal.db") as new:
        taken_in(new, made.path)
        with pytest.raises(CouldNotStart, match="in this journal already, as payouts-001; nothing was done"):
            taken_in(new, made.path)
        with new.reading() as connection:
            assert len(journal_batches.every(connection)) == 1


def test_a_name_that_is_anothers_leads_to_the_next_free_number(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    listener = Listener()
    with opened(tmp_path / "new" / "journal.db") as new:
        for _ in range(2):
            add_batch(new, 1, prefix="x", identity=b"another")
        done = taken_in(new, made.path, listener)
        assert (done.batch, done.was) == ("payouts-003", "payouts-001")
    assert any("is called payouts-003" in line for line in listener.heard)
    assert made.batch == "payouts-001"


def test_keys_that_both_computers_sent_are_told(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    listener = Listener()
    with opened(tmp_path / "new" / "journal.db") as new:
        batch = add_batch(new, 1, identity=b"another")
        with new.writing() as connection:
            journal_steps.apply(connection, batch, [Step(0, Event.INTENT, NOW)])
        taken_in(new, made.path, listener)
    assert any("1 key of it" in line and "twice" in line for line in listener.heard)


def test_run_ids_of_other_rows_keep_a_batch_out(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    with opened(tmp_path / "new" / "journal.db") as new:
        batch = add_batch(new, 1, prefix="x", identity=b"another")
        with new.writing() as connection:
            values = {"origin": WORLD, "run_id": "run_0", "batch_id": batch.id, "position": 0, "attempt": 1}
            connection.execute(insert(run_ids).values(values))
        with pytest.raises(CouldNotStart, match=r"1 run of payouts-001 belong.*run_0 to payouts-001"):
            taken_in(new, made.path)
        with new.reading() as connection:
            assert len(journal_batches.every(connection)) == 1


def test_decisions_that_are_here_already_keep_a_batch_out(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        made = pack_of(old, whole_batch(old), tmp_path / "pack.zip")
        taken_in(new, made.path)
        with new.writing() as connection:
            connection.execute(update(batches).values(created_at="another"))
            connection.execute(update(run_ids).values(origin="another"))
        with pytest.raises(CouldNotStart, match="decisions of payouts-001 are in this journal"):
            taken_in(new, made.path)


@pytest.mark.parametrize("name", ["journal/rows.jsonl", "spec/job.yaml", evidence.MANIFEST])
def test_an_altered_pack_is_not_adopted(tmp_path: Path, name: str) -> None:
    made = small_pack(tmp_path)
    whole = bytearray(made.path.read_bytes())
    whole[whole.index(name.encode()) + len(name) + 3] ^= 1
    altered = tmp_path / "altered.zip"
    altered.write_bytes(whole)
    with opened(tmp_path / "new" / "journal.db") as new:
        with pytest.raises(BadInput, match="was altered, so nothing was adopted"):
            taken_in(new, altered)
        with pytest.raises(BadInput, match="nothing was adopted"):
            empty = tmp_path / "empty.zip"
            empty.write_bytes(b"")
            taken_in(new, empty)
        with new.reading() as connection:
            assert journal_batches.every(connection) == []


def test_a_forged_line_that_no_journal_can_hold_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        made = pack_of(old, whole_batch(old), tmp_path / "pack.zip")
        table = "journal/versions_seen.jsonl"
        for forge in (edited(table, "at", to=None), edited(table, "position", to=[1]), change(table, b"[]")):
            with pytest.raises(BadInput, match=r"versions_seen.jsonl: it is not as batchrun writes it"):
                taken_in(new, forged(made.path, tmp_path / "forged.zip", forge))
        with new.reading() as connection:
            assert connection.execute(select(rows)).all() == []
            assert connection.execute(select(batches)).all() == []


def test_a_pack_of_a_newer_journal_is_refused(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    newer = forged(made.path, tmp_path / "newer.zip", edited(evidence.BATCH, "journal_version", to=99))
    with opened(tmp_path / "new" / "journal.db") as new, pytest.raises(CouldNotStart, match="newer batchrun"):
        taken_in(new, newer)


def test_live_is_asked_about(tmp_path: Path) -> None:
    made = small_pack(tmp_path, environment="live")
    with opened(tmp_path / "nobody" / "journal.db") as new:
        assert taken_in(new, made.path, Listener(None)).batch == "payouts-001", "where nobody can be asked, it is told"
    with opened(tmp_path / "new" / "journal.db") as new:
        with pytest.raises(Declined):
            taken_in(new, made.path, Listener(False))
        listener = Listener(True)
        assert taken_in(new, made.path, listener).batch == "payouts-001"
        assert "a LIVE batch of 4 rows" in listener.asked[0]
    with opened(tmp_path / "newer" / "journal.db") as new:
        listener = Listener()
        taken_in(new, made.path, listener, yes=True)
        assert listener.asked == []
    with opened(tmp_path / "unasked" / "journal.db") as new:  # where nobody can answer, the command is the answer
        assert taken_in(new, made.path, Listener(None)).batch == "payouts-001"


def test_a_rehearsal_and_an_open_run_are_told(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = small_batch(journal, simulated=True)
        later = NOW + timedelta(seconds=5)
        with journal.writing() as connection:
            for position, run_id in ((1, "run_1"), (3, "run_3")):
                journal_steps.apply(connection, batch, [Step(position, Event.INTENT, later)])
                journal_steps.apply(connection, batch, [Step(position, Event.RUNNING, later, run_id=run_id)])
            journal_steps.apply(connection, batch, [Step(2, Event.DOUBT, later)])
        made = pack_of(journal, batch, tmp_path / "pack.zip")
    running = forged(made.path, tmp_path / "running.zip", lambda members: None, running=True)
    listener = Listener()
    with opened(tmp_path / "new" / "journal.db") as new:
        taken_in(new, running, listener)
    heard = "\n".join(listener.heard)
    assert all(said in heard for said in ("still open", "a rehearsal", "being sent", "no more on"))


def test_the_workbook_is_where_it_was_or_beside_the_pack(tmp_path: Path) -> None:
    places = {}
    for number, place in enumerate((str(tmp_path / "mine.xlsx"), "/nowhere/at/all/mine.xlsx", "C:\\out\\mine.xlsx")):
        folder = tmp_path / str(number)
        folder.mkdir()
        made = small_pack(folder, workbook=place)
        with opened(folder / "new" / "journal.db") as new:
            places[place] = named(new, taken_in(new, made.path).batch).workbook
    assert list(places.values()) == [
        str(tmp_path / "mine.xlsx"),
        str(tmp_path / "1" / "mine.xlsx"),
        str(tmp_path / "2" / "mine.xlsx"),
    ]


def test_an_empty_file_comes_along_too(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        with old.writing() as connection:
            nothing = journal_files.keep_bytes(connection, b"")
        made = pack_of(old, small_batch(old, schema_sha256=nothing), tmp_path / "pack.zip")
        taken_in(new, made.path)
        with new.reading() as connection:
            assert journal_files.kept_bytes(connection, nothing) == b""
    assert json.loads(contents(made.path)[evidence.BATCH])["batch"]["settings"] == SETTINGS


def test_the_rows_of_a_group_fit_together_and_come_along(tmp_path: Path) -> None:
    with two_laptops(tmp_path) as (old, new):
        batch = add_batch(old, 3, settings={**SETTINGS, "grouped": True})
        member = rows.c.batch_id == batch.id, rows.c.position == 1
        with old.writing() as connection:
            connection.execute(update(rows).where(*member).values(leader=0, payload=None, payload_id=None))
            for event, more in ((Event.INTENT, {}), (Event.COMPLETED, {"run_id": "run_0", "output": {"paid": 2}})):
                journal_steps.apply(connection, batch, [Step(0, event, NOW, **more)])  # type: ignore[arg-type]
        made = pack_of(old, batch, tmp_path / "pack.zip")
        verdict = verify(made.path)
        assert verdict.intact, verdict.faults
        assert verdict.counts == {State.READY: 1, State.COMPLETED: 2}
        here = held(new, named(new, taken_in(new, made.path).batch))
        assert here["rows"] == held(old, batch)["rows"]
        assert [row["leader"] for row in here["rows"]] == [None, 0, None]
