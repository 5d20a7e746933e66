"""`adopt`: puts the batch of an auditor's pack into this computer's journal, as on a new laptop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from batchrun.core import evidence
from batchrun.core.lifecycle import OPEN, UNSENT
from batchrun.core.moments import to_the_second
from batchrun.core.totals import as_json, counted
from batchrun.errors import BadInput, CouldNotStart, Declined
from batchrun.flows.clock import SystemClock
from batchrun.flows.telling import Teller
from batchrun.flows.verify import Verdict, document_of, lines, told, weigh
from batchrun.io import journal_adoptions, journal_batches, journal_files, system
from batchrun.io.evidence_reading import Broken, Pack, open_pack
from batchrun.io.journal import Journal
from batchrun.io.journal_extract import EXTRACTS, insert_batch, insert_lines
from batchrun.io.journal_tables import VERSION
from batchrun.model import ControlTotal, State

OF_ELSEWHERE = ("journal/adoptions.jsonl",)  # how the batch came to the other computer; here it comes by this pack


@dataclass(frozen=True, slots=True)
class Adopted:
    """A batch that was adopted: the name that it has here, and the one that it had.

    `as_of` is when its evidence was made: what happened to the batch elsewhere since then is not known here.
    """

    file: Path
    batch: str
    was: str
    journal: Path
    as_of: str
    manifest_sha256: str
    counts: Mapping[State, int]
    totals: tuple[ControlTotal, ...]
    next: str

    def as_json(self) -> dict[str, Any]:
        """Give the document that `--json` prints."""
        return {
            "version": 1,
            "file": str(self.file),
            "batch": self.batch,
            "was": self.was,
            "journal": str(self.journal),
            "as_of": self.as_of,
            "manifest_sha256": self.manifest_sha256,
            "counts": {state.value: count for state, count in self.counts.items()},
            "totals": as_json(self.totals),
            "next": self.next,
            "error": None,
        }


def adopt(journal: Journal, path: Path, teller: Teller, *, yes: bool = False) -> Adopted:
    """Adopt a pack's batch in one transaction; raise in one sentence what keeps it from being adopted."""
    place = path.expanduser().resolve()
    try:
        with open_pack(place) as pack:
            verdict = weigh(place, pack)
            _refuse_altered(verdict)
            document = document_of(pack)
            _refuse_newer(document)
            with journal.reading() as connection:
                _refuse_known(connection, document)
            _confirm(document, verdict, teller, yes=yes)
            return _adopted(journal, pack, document, verdict, teller)
    except Broken as broken:
        raise _altered(place, broken.fault) from None


def _refuse_altered(verdict: Verdict) -> None:
    if not verdict.intact:
        raise _altered(verdict.file, *verdict.faults)


def _altered(place: Path, *faults: evidence.Fault) -> BadInput:
    told = "\n".join(fault.message if fault.member is None else f"{fault.member}: {fault.message}" for fault in faults)
    return BadInput(f"{place.name} was altered, so nothing was adopted:\n{told}", code="altered")


def _refuse_newer(document: Mapping[str, Any]) -> None:
    if document["journal_version"] > VERSION:
        raise CouldNotStart(
            f"this evidence is of a journal of version {document['journal_version']}, and this batchrun knows version "
            f"{VERSION}; install a newer batchrun",
            code="newer",
        )


def _refuse_known(connection: Connection, document: Mapping[str, Any]) -> None:
    line = document["batch"]
    there = journal_adoptions.same_batch(connection, line)
    if there is not None:
        raise CouldNotStart(
            f"{line['name']} is in this journal already, as {there}; nothing was done",
            code="known",
            next=f"batchrun status {there}",
        )


def _confirm(document: Mapping[str, Any], verdict: Verdict, teller: Teller, *, yes: bool) -> None:
    """Say what two computers with one batch may not do; on live, ask."""
    line, counts, manifest = document["batch"], verdict.counts, verdict.manifest
    assert manifest is not None  # noqa: S101  # an intact pack has one
    there = f"the computer where the evidence was made ({manifest.made_by})"
    left = sum(count for state, count in counts.items() if state in UNSENT)
    if left:
        rows = f"{counted(left, 'row')} of {line['name']} {'is' if left == 1 else 'are'}"
        teller.warn(
            f"{rows} still to be sent. Only ONE computer may go on with it: never resume it again on {there}, or rows "
            "are sent TWICE and nobody notices. What was sent there since "
            f"{to_the_second(manifest.made_at)} (UTC), this journal does not know"
        )
    elif any(state in OPEN or state is State.IN_DOUBT for state in counts):
        teller.warn(f"some rows of {line['name']} are still open: go on with them here, and no more on {there}")
    if manifest.running:
        teller.warn("the evidence was made while the batch was being sent, so what was sent afterwards is not in it")
    if line["simulated"]:
        teller.warn(f"it was a rehearsal; its simulated runs stay on {there}")
    if line["environment"] != "live" or line["simulated"]:
        return
    question = f"Adopt {line['name']}, a LIVE batch of {counted(sum(counts.values()), 'row')}, into this journal?"
    if yes:
        teller.say(question.replace("?", " (--yes)."))
        return
    # Where nobody can answer, the command is the answer: it sends nothing, and takes nothing away.
    if teller.ask(question) is False:
        raise Declined("nothing was adopted")


def _adopted(journal: Journal, pack: Pack, document: Mapping[str, Any], verdict: Verdict, teller: Teller) -> Adopted:
    line = document["batch"]
    with journal.writing() as connection:
        _refuse_known(connection, document)  # somebody may have been quicker
        _refuse_foreign(connection, pack, line)
        name = journal_adoptions.free_name(connection, line)
        workbook, its_sha256 = _workbook(line, verdict.file)
        batch_id = insert_batch(connection, line, name=name, workbook=workbook, workbook_sha256=its_sha256)
        decision_ids: dict[int, int] = {}
        for extract in EXTRACTS:
            if extract.member not in OF_ELSEWHERE:
                with told(extract.member):
                    insert_lines(connection, extract, batch_id, lines(pack, extract.member), decision_ids)
        for member in pack.manifest.members:
            if not member.name.startswith(("journal/", "workbook/")) and "/" in member.name:
                journal_files.keep_pieces(connection, member.sha256, pack.chunks(member.name))
        journal_adoptions.note(
            connection, batch_id, system.user_name(), str(verdict.manifest_sha256), SystemClock().now()
        )
        again = journal_adoptions.keys_taken_elsewhere(connection, batch_id, line["environment"])
        unknown = journal_adoptions.unknown_duplicates(connection, batch_id, line["environment"])
        batch = journal_batches.find(connection, name)
    assert batch is not None  # noqa: S101  # it was put there above
    _tell(teller, name, line, again)
    _tell_unknown(teller, unknown)
    following = f"batchrun status {name}"
    return Adopted(
        verdict.file,
        name,
        line["name"],
        journal.path,
        pack.manifest.made_at,
        str(verdict.manifest_sha256),
        verdict.counts,
        verdict.totals,
        following,
    )


def _refuse_foreign(connection: Connection, pack: Pack, line: Mapping[str, Any]) -> None:
    runs = ((one["origin"], one["run_id"]) for one in lines(pack, evidence.RUN_IDS))
    held = journal_adoptions.held_runs(connection, runs)
    if held:
        run_id, holder = held[0]
        raise CouldNotStart(
            f"{counted(len(held), 'run')} of {line['name']} belong to rows of other batches in this journal "
            f"({run_id} to {holder}), so nothing was adopted",
            code="runs-known",
            next=f"batchrun status {holder}",
        )
    keys = [one["idempotency_key"] for one in lines(pack, evidence.DECISIONS)]
    if journal_adoptions.any_decision(connection, keys):
        raise CouldNotStart(
            f"decisions of {line['name']} are in this journal already, so nothing was adopted", code="runs-known"
        )


def _workbook(line: Mapping[str, Any], pack: Path) -> tuple[str, str | None]:
    """Give the place of the workbook from now on: as it was where the folder is here too, else beside the pack."""
    before = Path(line["workbook"])
    if before.is_absolute() and before.parent.is_dir():
        return str(before), line["workbook_sha256"] if before.exists() else None
    name = evidence.member_name("workbook", line["workbook"]).removeprefix("workbook/")
    return str(pack.with_name(name)), None


def _tell_unknown(teller: Teller, unknown: Sequence[tuple[int, str]]) -> None:
    """Warn of duplicates that are none here: only the batches that have their keys would keep them back."""
    if unknown:
        (number, why), count = unknown[0], counted(len(unknown), "row")
        teller.warn(
            f"{count} of it {'was' if len(unknown) == 1 else 'were'} not sent as duplicates of batches that this "
            f"journal does not know (row {number}: {why}); adopt those batches too, or such rows are sent TWICE when "
            "they stand in another sheet"
        )


def _tell(teller: Teller, name: str, line: Mapping[str, Any], again: int) -> None:
    if name != line["name"]:
        teller.warn(
            f"the name {line['name']} is another batch's here, so it is called {name}; workbooks that were written on "
            f"{line['host']} still name {line['name']}, so write a new one with: batchrun report {name}"
        )
    if again:
        teller.warn(
            f"{counted(again, 'key')} of it {'was' if again == 1 else 'were'} sent by other batches of this journal "
            "too: look for rows that were sent twice"
        )
