"""A purge of a real journal: what was in the cells is in no byte of the file any more; what proves is still there."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, WORLD, add_batch, draft, opened, row_values
from sqlalchemy import insert, select, update

from batchrun.core import payloads, webhooks
from batchrun.core.lifecycle import Event
from batchrun.core.review import Decision, DecisionState
from batchrun.errors import BadCommandLine, CouldNotStart, Declined, NotFound, Stopped
from batchrun.flows import contents, retry
from batchrun.flows import purge as flow
from batchrun.io import (
    journal_batches,
    journal_corrections,
    journal_decisions,
    journal_deliveries,
    journal_files,
    journal_keys,
    journal_purges,
    journal_rows,
    journal_steps,
    system,
)
from batchrun.io.journal import Journal, open_journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_corrections import NewValues, Origin
from batchrun.io.journal_decisions import Answer, Made
from batchrun.io.journal_steps import Step
from batchrun.io.journal_tables import corrections, decisions, deliveries, events, file_pieces, rows
from batchrun.model import State

SECRET = "SECRETNAME"  # stands for a person's
LATER = datetime(2027, 1, 1, tzinfo=UTC)
SETTINGS = {"allow_duplicates": False, "totals": ["Amount"], "review": {"outputs": None}}


class Yes:
    """A Teller that says yes, or what it is told to, and keeps what was said."""

    def __init__(self, answer: bool | None = True) -> None:
        self.reply = answer
        self.told: list[str] = []

    def say(self, text: str) -> None:
        self.told.append(text)

    warn = say

    def ask(self, question: str) -> bool | None:
        self.told.append(question)
        return self.reply

    def counting(self, what: str) -> Any:
        from contextlib import nullcontext

        return nullcontext(lambda _count: None)

    def watching(self, *counts: object) -> Any:
        raise AssertionError("nothing is watched")


def secret_batch(journal: Journal, kind: str = "", **changes: Any) -> Batch:
    """Make a batch whose every place for a person's data holds the secret; all of its rows have ended."""
    with journal.writing() as connection:
        files = [journal_files.keep_bytes(connection, f"{SECRET} {name} {kind}".encode()) for name in "ism"]
        told = dict(zip(("input_sha256", "spec_sha256", "schema_sha256"), files, strict=True))
        workbook = journal_files.keep_bytes(connection, f"{SECRET} handed in {kind}".encode())
        given = draft(**{"settings": SETTINGS, **told, **changes})
        batch_id = journal_batches.stage(connection, given, NOW)
        values = [row_values(batch_id, position, f"K{kind}{position}") for position in range(4)]
        for one in values:
            one["payload"] = b'{"name":"%s"}' % SECRET.encode()
            one["payload_id"] = payloads.payload_id(one["payload"])
            one["cells"] = f'["{SECRET}"]'.encode()
            one["amounts"] = '["12.50"]'
        problem = (
            f'[{{"row":5,"cell":"C5","column":"Name","path":null,"value":"{SECRET}","code":"c","message":"{SECRET}"}}]'
        )
        values[3] |= {"state": "invalid", "problems": problem, "payload": None, "payload_id": None}
        journal_rows.insert_rows(connection, values)
        name = journal_batches.seal(connection, batch_id, NOW)
        batch = journal_batches.find(connection, name)
        assert batch is not None
        _live(connection, batch, workbook, kind)
    return batch


def _live(connection: Any, batch: Batch, workbook: str, kind: str) -> None:
    """Let one row complete after a correction, one be rejected at its review, one be refused."""
    run = f"run_{kind}"
    words = [
        Step(0, Event.INTENT, NOW),
        Step(0, Event.REFUSED, NOW, status=422, error=f"no account of {SECRET}"),
    ]
    journal_steps.apply(connection, batch, words)
    new = NewValues(0, b'{"name":"new %s"}' % SECRET.encode(), (f"new {SECRET}",), (Decimal("13.00"),))
    origin = Origin("anna", "again.csv", journal_files.keep_bytes(connection, f"{SECRET} corrected {kind}".encode()))
    journal_corrections.correct(connection, batch, [new], origin, NOW)
    journal_steps.apply(connection, batch, [Step(0, Event.RETRY, NOW, note="tried again by anna")])
    for step in (
        Step(0, Event.INTENT, NOW),
        Step(0, Event.COMPLETED, NOW, status=200, run_id=f"{run}0", output={"name": SECRET}, finished_at=NOW),
        Step(1, Event.INTENT, NOW),
        Step(1, Event.AWAITING_REVIEW, NOW, status=202, run_id=f"{run}1"),
    ):
        journal_steps.apply(connection, batch, [step])
    decision = Decision(False, f"not for {SECRET}", None, "ben")
    journal_decisions.record(
        connection, batch, [Made(1, f"{run}1", 1, decision)], sent_by="ben", workbook_sha256=workbook, now=NOW
    )
    number = connection.execute(select(decisions.c.id).where(decisions.c.batch_id == batch.id)).scalar_one()
    answer = Answer(DecisionState.ACCEPTED, NOW, 200, "taken", f"{SECRET} was told")
    ended = Step(
        1, Event.FAILED, NOW, error=f"not for {SECRET}", note=f'rejected ("not for {SECRET}") by ben (accepted)'
    )
    journal_decisions.answer(connection, batch, number, answer, [ended])
    journal_steps.apply(connection, batch, [Step(2, Event.INTENT, NOW)])
    journal_steps.apply(connection, batch, [Step(2, Event.REFUSED, NOW, status=422, error=f"who is {SECRET}?")])
    deliver(connection, f"dlv_{kind}", f"{run}1", NOW)


def deliver(connection: Any, name: str, run_id: str, at: datetime) -> None:
    """Let a webhook arrive."""
    body = orjson.dumps(
        {
            "id": name,
            "event": "human_review_requested",
            "createdAt": "2026-10-01T12:00:00.000Z",
            "data": {"runId": run_id, "reviewTitle": SECRET, "reviewData": {"name": SECRET}},
        }
    )
    delivery = webhooks.parse_delivery(body)
    assert delivery is not None
    journal_deliveries.keep(connection, delivery, body, at)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with opened(tmp_path / "journal.db") as one:
        yield one


def purge(journal: Journal, before: datetime = LATER, teller: Any = None, **choice: Any) -> flow.PurgeReport:
    return flow.purge(journal.path, before, teller or Yes(), **choice)


def places_of(folder: Path, secret: str = SECRET) -> list[str]:
    """Name the journal's files in which a text still is, as it is or in compressed pieces."""
    return sorted(
        path.name for path in folder.rglob("journal.db*") if path.is_file() and secret.encode() in path.read_bytes()
    )


def all_text(journal: Journal) -> str:
    """Give all that the tables say, compressed files apart."""
    with sqlite3.connect(journal.path) as connection:
        return "\n".join(connection.iterdump()) + "".join(
            str(row)
            for table in ("rows", "corrections", "deliveries", "decisions", "events")
            for row in connection.execute(f"SELECT * FROM {table}")
        )


def kept_files(journal: Journal) -> set[str]:
    with journal.reading() as connection:
        return {sha256 for (sha256,) in connection.execute(select(file_pieces.c.sha256))}


def test_no_byte_of_what_was_in_a_cell_is_left_in_the_journals_files(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        secret_batch(journal)
        assert places_of(tmp_path) != []
        report = purge(journal)
        assert (report.erased, report.rewritten) == (True, True)
        assert SECRET not in all_text(journal)
        assert kept_files(journal) == set()
        assert places_of(tmp_path) == []
    assert places_of(tmp_path) == []


@pytest.mark.parametrize("at_once", [1, 2])
def test_no_byte_is_left_of_a_batch_that_is_taken_a_stretch_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(journal_rows, "AT_ONCE", at_once)
    monkeypatch.setattr(journal_purges, "AT_ONCE", at_once)
    with opened(tmp_path / "journal.db") as journal:
        secret_batch(journal)
        purge(journal)
        assert SECRET not in all_text(journal)
        assert places_of(tmp_path) == []


def test_what_was_overwritten_before_the_purge_is_gone_too(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = secret_batch(journal)
        with journal.writing() as connection:
            connection.execute(
                update(rows).where(rows.c.batch_id == batch.id).values(output=b'"%b"' % (b"OLDWORDS" * 900))
            )
        with journal.writing() as connection:
            connection.execute(update(rows).where(rows.c.batch_id == batch.id).values(output=None))
        assert places_of(tmp_path, "OLDWORDS") != []
        purge(journal)
        assert places_of(tmp_path, "OLDWORDS") == []


def test_keys_hashes_run_ids_states_amounts_and_steps_stay(journal: Journal) -> None:
    batch = secret_batch(journal)
    asked = select(
        rows.c.key, rows.c.key_id, rows.c.payload_id, rows.c.run_id, rows.c.state, rows.c.amounts, rows.c.sent_at
    )
    trail = select(events.c.event, events.c.after, events.c.at, events.c.run_id, events.c.status)
    with journal.reading() as connection:
        before = [list(connection.execute(one)) for one in (asked, trail)]
    purge(journal)
    with journal.reading() as connection:
        assert [list(connection.execute(one)) for one in (asked, trail)] == before
        details = [text for (text,) in connection.execute(select(events.c.detail).where(events.c.detail.is_not(None)))]
        assert details == ["tried again by anna"]
        decided = connection.execute(select(decisions.c.reviewer, decisions.c.approved, decisions.c.state)).one()
        assert tuple(decided) == ("ben", False, "accepted")
        corrected = connection.execute(select(corrections.c.by, corrections.c.file_name, corrections.c.amounts)).one()
        assert tuple(corrected) == ("anna", "again.csv", '["12.50"]')
        assert journal_purges.purge_of(connection, batch.id) is not None
        problem = next(journal_rows.problems(connection, batch.id))
        assert (problem.cell, problem.column, problem.code, problem.value) == ("C5", "Name", "c", None)


def test_a_key_that_was_rejected_or_completed_is_taken_after_a_purge_as_before(journal: Journal) -> None:
    secret_batch(journal)
    ids = [payloads.key_id(WORLD, [f"K{position}"], ()) for position in range(4)]
    with journal.reading() as connection:
        before = journal_rows.taken_keys(connection, ids, "sandbox")
    purge(journal)
    with journal.reading() as connection:
        after = journal_rows.taken_keys(connection, ids, "sandbox")
    assert set(after) == set(before) == set(ids[:2])
    assert all("payload and cells removed on " in why for why in after.values())
    assert "removed" not in "".join(before.values())
    again = add_batch(journal, 4, prefix="K")
    with journal.writing() as connection:
        journal_rows.mark_duplicates(connection, again.id, "sandbox")
        why = connection.execute(select(rows.c.error).where(rows.c.batch_id == again.id, rows.c.position == 0)).scalar()
    assert why is not None
    assert "payload and cells removed on " in why
    assert why.endswith(journal_rows.OTHER_PAYLOAD)


def test_a_batch_whose_rows_have_not_all_ended_is_left_alone_and_named(journal: Journal) -> None:
    open_batch = secret_batch(journal, "open")
    with journal.writing() as connection:
        connection.execute(
            update(rows).where(rows.c.batch_id == open_batch.id, rows.c.position == 0).values(state="in_doubt")
        )
    gone = secret_batch(journal, "gone")
    report = purge(journal)
    assert [one.name for one in report.purged] == [gone.name]
    assert [(one.name, one.why_left) for one in report.left] == [
        (open_batch.name, "its rows have not all ended (1 in doubt)")
    ]
    with journal.reading() as connection:
        assert all(record.cells for record in journal_rows.stream(connection, open_batch))
        assert journal_files.kept_bytes(connection, open_batch.input_sha256).startswith(SECRET.encode())


def test_a_file_goes_with_the_last_batch_that_refers_to_it(journal: Journal) -> None:
    first, second = secret_batch(journal, "one"), secret_batch(journal, "two")
    with journal.writing() as connection:
        shared = journal_files.keep_bytes(connection, b"the plan of both")
        named = {**SETTINGS, "plan": {"sha256": shared}}
        for batch in (first, second):
            journal_batches.amend(connection, batch.id, settings=named)
        connection.execute(
            update(rows).where(rows.c.batch_id == second.id, rows.c.position == 0).values(state="running")
        )
    assert [one.name for one in purge(journal).purged] == [first.name]
    assert shared in kept_files(journal)
    assert first.input_sha256 not in kept_files(journal)
    assert second.input_sha256 in kept_files(journal)
    with journal.writing() as connection:
        connection.execute(update(rows).where(rows.c.position == 0).values(state="completed"))
    purge(journal)
    assert shared not in kept_files(journal)


def test_a_file_that_no_batch_refers_to_and_one_of_a_batch_being_made_stay(journal: Journal) -> None:
    batch = secret_batch(journal)
    with journal.writing() as connection:
        kept = journal_files.keep_bytes(connection, b"nobody's")
        journal_batches.stage(connection, draft(input_sha256=batch.input_sha256), NOW)
    purge(journal)
    assert kept_files(journal) == {kept, batch.input_sha256}


def test_a_batch_that_another_process_sends_is_left_alone(journal: Journal) -> None:
    batch = secret_batch(journal)
    for file in (journal.lock_file(batch.id), journal.review_lock_file(batch.id)):
        with system.try_lock(file) as mine:
            assert mine
            report = purge(journal)
        assert (report.purged, [one.why_left for one in report.left]) == ((), [flow.BEING_SENT])
    assert places_of(journal.path.parent) != []


def test_a_batch_that_is_taken_up_between_the_question_and_the_purge_is_left_alone(journal: Journal) -> None:
    batch = secret_batch(journal)

    class Meanwhile(Yes):
        def ask(self, question: str) -> bool | None:
            with journal.writing() as connection:
                connection.execute(
                    update(rows).where(rows.c.batch_id == batch.id, rows.c.position == 2).values(state="ready")
                )
            return True

    report = purge(journal, teller=Meanwhile())
    assert [one.why_left for one in report.left] == ["some of its rows were taken up again meanwhile"]
    with journal.reading() as connection:
        assert journal_purges.every(connection) == {}


def test_the_file_is_not_written_anew_while_another_batch_is_sent(journal: Journal) -> None:
    secret_batch(journal)
    running = add_batch(journal, 1, prefix="R", job="other", stem="other")
    teller = Yes()
    with system.try_lock(journal.lock_file(running.id)):
        report = purge(journal, NOW + timedelta(days=1), teller)
    assert (len(report.purged), report.erased) == (1, False)
    assert any("a batch is being sent right now" in line for line in teller.told)
    assert SECRET not in all_text(journal)
    again = purge(journal)
    assert (again.purged, again.erased, again.rewritten) == ((), True, True)
    assert places_of(journal.path.parent) == []


def test_a_reader_that_stays_keeps_the_log_and_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchrun.io.journal.BUSY_SECONDS", 0.2)
    with opened(tmp_path / "journal.db") as journal:
        secret_batch(journal)
        teller = Yes()
        with journal.reading() as connection:
            assert connection.execute(select(rows.c.key)).first() is not None
            report = purge(journal, teller=teller)
        assert report.erased is False
        assert any("another program is reading the journal" in line for line in teller.told)
        assert purge(journal).erased is True
    assert places_of(tmp_path) == []


def test_a_file_that_cannot_be_written_anew_is_told_with_what_is_left_to_do(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_batch(journal)

    def full(_: Journal) -> bool:
        raise Stopped("the disk that holds the journal is full", code="disk-full")

    monkeypatch.setattr(Journal, "rewrite", full)
    with pytest.raises(Stopped, match="The batches are purged, but bytes of them may still be in the file") as caught:
        purge(journal)
    assert caught.value.code == "disk-full"
    monkeypatch.undo()
    assert purge(journal).rewritten is True


def test_twice_is_harmless_and_takes_late_webhooks_along(journal: Journal) -> None:
    secret_batch(journal)
    first = purge(journal)
    before = all_text(journal)
    second = purge(journal)
    assert (second.purged, second.already, second.rewritten) == ((), 1, False)
    assert all_text(journal) == before
    with journal.writing() as connection:
        deliver(connection, "late", "run_0", datetime.now(UTC) + timedelta(seconds=1))
        deliver(connection, "stranger", "run_of_somebody", NOW)
    third = purge(journal)
    assert (first.rewritten, third.rewritten) == (True, True)
    assert SECRET not in all_text(journal)
    with journal.reading() as connection:
        assert len(list(connection.execute(select(deliveries.c.id)))) == 3


def test_a_webhook_of_a_run_that_nobody_knows_stays_while_it_is_young(journal: Journal) -> None:
    with journal.writing() as connection:
        deliver(connection, "stranger", "run_of_somebody", LATER)
    purge(journal)
    assert SECRET in all_text(journal)


def test_a_rehearsals_runs_go_too(journal: Journal) -> None:
    batch = secret_batch(journal, simulated=True, base_url="simulated")
    place = journal.simulator_file(batch.id)
    place.write_text(SECRET, encoding="utf-8")
    purge(journal)
    assert not place.exists()


def test_batches_of_that_day_and_later_stay(journal: Journal) -> None:
    secret_batch(journal)
    assert purge(journal, flow.parse_day("2026-10-01")).purged == ()
    assert len(purge(journal, flow.parse_day(" 2026-10-02 ")).purged) == 1


def test_a_dry_run_tells_and_removes_nothing(journal: Journal) -> None:
    secret_batch(journal)
    before = all_text(journal)
    report = purge(journal, dry_run=True)
    assert (len(report.purged), report.dry_run, report.erased) == (1, True, False)
    assert all_text(journal) == before


def test_nothing_is_removed_after_a_no(journal: Journal) -> None:
    secret_batch(journal)
    before = all_text(journal)
    with pytest.raises(Declined):
        purge(journal, teller=Yes(False))
    assert all_text(journal) == before


def test_where_nobody_can_be_asked_the_command_is_the_answer(journal: Journal) -> None:
    secret_batch(journal)
    assert len(purge(journal, teller=Yes(None)).purged) == 1


@pytest.mark.parametrize("text", ["2026-13-01", "yesterday", "", "2026-10-01T00:00", "01.10.2026"])
def test_a_day_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadCommandLine, match="is no day; write it as 2025-01-31"):
        flow.parse_day(text)


def test_where_no_journal_is_none_is_made(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing to purge"):
        flow.purge(tmp_path / "none.db", LATER, Yes())
    assert list(tmp_path.iterdir()) == []


def test_copies_that_still_hold_it_are_named(journal: Journal) -> None:
    secret_batch(journal)
    copy = journal.path.with_name("journal.db.v3")
    copy.write_bytes(b"old")
    assert purge(journal).copies == (str(copy),)


def test_a_purged_row_is_found_by_its_key_in_every_way(journal: Journal) -> None:
    batch = secret_batch(journal)
    purge(journal)
    with journal.reading() as connection:
        found = journal_keys.by_hashes(connection, [payloads.key_id(WORLD, ["K1"], ())])
        (row,) = journal_keys.sightings(connection, list(found))
    assert (row.batch.name, row.state, row.takes_key, row.payload, row.output) == (
        batch.name,
        State.FAILED,
        True,
        None,
        None,
    )
    assert row.purged_at is not None
    assert [one.decision.reviewer for one in row.decisions] == ["ben"]


def test_rows_that_are_purged_while_a_workbook_begins_are_not_written_empty(journal: Journal) -> None:
    batch = secret_batch(journal)
    shown = contents.result_rows(journal, batch)
    alone = contents.source_rows(journal, batch, ())
    purge(journal)
    for rows_ in (shown, alone):
        with pytest.raises(CouldNotStart, match="so its rows can no longer be shown"):
            next(rows_)


def test_a_retry_that_meets_a_purge_sends_nothing(journal: Journal) -> None:
    batch = secret_batch(journal, simulated=True, base_url="simulated")

    class Meanwhile(Yes):
        def say(self, text: str) -> None:
            if "sent again" in text:
                purge(journal)

    with pytest.raises(CouldNotStart, match="none of its rows can be sent again"):
        retry.retry(journal, batch, Meanwhile())
    with journal.reading() as connection:
        assert journal_batches.counts(connection, [batch.id])[batch.id].get(State.READY) is None


def test_a_batch_of_ten_thousand_rows_is_purged_quickly(journal: Journal) -> None:
    with journal.writing() as connection:
        batch_id = journal_batches.stage(connection, draft(settings=SETTINGS), NOW)
        values = [row_values(batch_id, position) for position in range(10_000)]
        connection.execute(insert(rows), [{**one, "state": "completed"} for one in values])
        journal_batches.seal(connection, batch_id, NOW)
    begun = time.process_time()
    assert purge(journal).purged[0].rows == 10_000
    assert time.process_time() - begun < 5


def test_a_journal_that_is_new_has_nothing_to_purge(tmp_path: Path) -> None:
    open_journal(tmp_path / "journal.db").close()
    report = flow.purge(tmp_path / "journal.db", LATER, Yes())
    assert (report.purged, report.left, report.erased) == ((), (), True)
