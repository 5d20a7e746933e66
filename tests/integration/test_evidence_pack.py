"""A pack holds all that the journal knows of a batch; whatever is altered in it, the check finds it."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from evidence_packs import (
    FILES,
    SETTINGS,
    change,
    contents,
    edited,
    forged,
    lines,
    pack_of,
    packed_again,
    small_batch,
    small_pack,
)
from journals import NOW, opened
from openpyxl import load_workbook
from sqlalchemy import delete, insert, update

from batchrun.core import approval as approvals
from batchrun.core import evidence, public_key
from batchrun.core.approval import Approval
from batchrun.core.evidence import MANIFEST
from batchrun.core.evidence_words import FILES as FILES_TOLD
from batchrun.core.plan import Plan
from batchrun.errors import BadCommandLine, CouldNotStart, NotFound
from batchrun.flows.verify import Verdict, verify
from batchrun.io import evidence_file, evidence_reading, journal_files, journal_tables
from batchrun.io.evidence_file import PackWriter
from batchrun.io.journal_batches import text_time
from batchrun.io.journal_extract import EXTRACTS
from batchrun.io.journal_snapshot import snapshot
from batchrun.io.whole_file import new_file
from batchrun.model import State


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_pack(tmp_path_factory.mktemp("pack")).path


def told(verdict: Verdict) -> str:
    return "\n".join(f"{fault.member}: {fault.message}" for fault in verdict.faults)


def test_a_pack_is_a_zip_file_that_any_program_reads_and_only_its_owner_may(pack: Path) -> None:
    members = contents(pack)
    assert {"spec/job.yaml", "schema/s.json", "input/in.csv", "README.txt", "versions.json"} <= set(members)
    assert {extract.member for extract in EXTRACTS} <= set(members)
    assert members["input/in.csv"] == FILES["input"]
    assert pack.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in pack.parent.iterdir() if path.name.startswith(".")] == []
    assert list(members)[-1] == MANIFEST


def test_a_pack_tells_every_row_and_every_step(pack: Path) -> None:
    rows = lines(pack, evidence.ROWS)
    assert [row["state"] for row in rows] == ["completed", "ready", "sending", "ready"]
    assert (rows[0]["run_id"], rows[0]["payload"], rows[0]["output"]) == ("run_0", '{"n":0}', '{"paid":true}')
    assert [step["event"] for step in lines(pack, evidence.EVENTS) if step["position"] == 1] == [
        *("intent", "refused", "retry")
    ]
    batch = json.loads(contents(pack)[evidence.BATCH])
    assert batch["counts"] == {"ready": 2, "sending": 1, "completed": 1}
    assert batch["batch"]["settings"] == SETTINGS
    book = load_workbook(io.BytesIO(contents(pack)["workbook/payouts-001.xlsx"]), read_only=True)
    assert [row[1] for row in book["Results"].iter_rows(min_row=2, values_only=True)][:1]


def test_the_manifest_lists_the_hash_of_every_other_member(pack: Path) -> None:
    members = contents(pack)
    manifest = json.loads(members.pop(MANIFEST))
    listed = {one["name"]: (one["sha256"], one["size"]) for one in manifest["members"]}
    assert listed == {name: (sha256(content).hexdigest(), len(content)) for name, content in members.items()}


def test_a_pack_is_intact_and_says_what_it_holds(pack: Path) -> None:
    verdict = verify(pack)
    assert verdict.intact, told(verdict)
    assert verdict.counts == {State.READY: 2, State.SENDING: 1, State.COMPLETED: 1}
    assert verdict.manifest_sha256 == sha256(contents(pack)[MANIFEST]).hexdigest()
    assert verdict.sent == (text_time(NOW), text_time(NOW))
    assert verify(pack, f" {str(verdict.manifest_sha256).upper()} ").compared


def test_another_manifest_than_the_one_that_was_written_down_is_told(pack: Path) -> None:
    verdict = verify(pack, "0" * 64)
    assert not verdict.intact
    assert "written down" in told(verdict)
    with pytest.raises(BadCommandLine, match="no SHA-256"):
        verify(pack, "0" * 63)


def flipped(pack: Path, place: Path, offsets: Iterator[int] | range, mask: int) -> list[int]:
    """Flip one byte after another; give the places at which that was not found."""
    whole, unseen = pack.read_bytes(), []
    for offset in offsets:
        altered = bytearray(whole)
        altered[offset] ^= mask
        place.write_bytes(altered)
        if verify(place).intact:
            unseen.append(offset)
    return unseen


def frames(pack: Path) -> Iterator[int]:
    """Give every place in the pack that is no member's own bytes: headers, directory, end."""
    with zipfile.ZipFile(pack) as archive:
        infos, end = archive.infolist(), archive.start_dir
    for info in infos:
        yield from range(info.header_offset, info.header_offset + 30 + len(info.filename.encode()))
    yield from range(end, pack.stat().st_size)


@pytest.mark.parametrize(("mask", "step"), [(0x01, 1), (0x80, 7), (0xFF, 7)])
def test_no_byte_of_a_packs_frame_can_be_altered_unseen(pack: Path, tmp_path: Path, mask: int, step: int) -> None:
    assert flipped(pack, tmp_path / "flipped.zip", islice(frames(pack), 0, None, step), mask) == []


def test_no_byte_of_what_a_pack_holds_can_be_altered_unseen(pack: Path, tmp_path: Path) -> None:
    assert flipped(pack, tmp_path / "flipped.zip", range(0, pack.stat().st_size, 37), 0x10) == []


def test_the_last_bits_of_packed_bytes_which_unpack_to_nothing_count_too(pack: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        ends = [
            info.header_offset + 30 + len(info.filename.encode()) + info.compress_size for info in archive.infolist()
        ]
    for mask in (0x80, 0x40):
        assert flipped(pack, tmp_path / "flipped.zip", (end - 1 for end in ends), mask) == []


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut in the middle": lambda whole: whole[: len(whole) // 2],
    "cut by a byte": lambda whole: whole[:-1],
    "a byte more": lambda whole: whole + b"\0",
    "bytes before it": lambda whole: b"#!/bin/sh\n" + whole,
    "a comment": lambda whole: whole[:-2] + struct.pack("<H", 5) + b"hello",
    "empty": lambda whole: b"",
    "no zip file": lambda whole: b"Dear auditor,\n" * 100,
    "another zip file": lambda whole: _zip({"letter.txt": b"Dear auditor"}),
    "a zip file of nothing": lambda whole: _zip({}),
    "a manifest that is none": lambda whole: _zip({MANIFEST: b"{}"}),
    "a bomb": lambda whole: _zip({MANIFEST: bytes(evidence_reading.LARGEST_MANIFEST + 1)}),
    "two manifests": lambda whole: _zip({MANIFEST: b"{}"}, again=MANIFEST),
    "packed in another way": lambda whole: _zip({MANIFEST: b"{}"}, method=zipfile.ZIP_BZIP2),
}


def _zip(members: dict[str, bytes], again: str | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if again is not None:
            archive.writestr(again + "x", b"")
    return made.getvalue().replace(f"{again}x".encode(), f"{again}".encode()) if again else made.getvalue()


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_cut_or_no_pack_is_told_in_one_sentence(pack: Path, tmp_path: Path, case: str) -> None:
    damaged = tmp_path / "damaged.zip"
    damaged.write_bytes(DAMAGE[case](pack.read_bytes()))
    verdict = verify(damaged)
    assert (verdict.intact, verdict.exit_code, len(verdict.faults)) == (False, 1, 1)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_told(pack: Path, tmp_path: Path) -> None:
    target = tmp_path / "twice.zip"
    target.write_bytes(pack.read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("spec/job.yaml", b"job: mine\n")
        archive.writestr(MANIFEST, b"{}")
    assert "manifest.json: it is in the zip file 2 times" in told(verify(target))
    target.write_bytes(pack.read_bytes())
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("spec/job.yaml", b"job: mine\n")
    assert "spec/job.yaml: it is in the zip file 2 times" in told(verify(target))


REPACKED: dict[str, tuple[str, bytes | None, str]] = {
    "a member altered": ("input/in.csv", FILES["input"].replace(b"K1", b"K9"), "input/in.csv: it was altered: its SHA"),
    "a member longer": ("input/in.csv", FILES["input"] + b"K4\n", "input/in.csv: it was altered: it is not the"),
    "a member missing": ("journal/events.jsonl", None, "journal/events.jsonl: it is missing"),
    "a member more": ("spec/mine.yaml", b"", "spec/mine.yaml: it was added"),
    "a name that leads out": (
        "../../mine.yaml",
        b"",
        "../../mine.yaml: it was added: the manifest does not list it, and",
    ),
    "nothing altered": ("versions.json", b"", "versions.json"),
}


@pytest.mark.parametrize("case", REPACKED)
def test_a_pack_that_was_packed_again_is_told_with_the_member_that_differs(
    pack: Path, tmp_path: Path, case: str
) -> None:
    name, content, said = REPACKED[case]
    assert said in told(verify(packed_again(pack, tmp_path / "again.zip", change(name, content))))


def test_a_pack_whose_members_are_whole_and_that_was_packed_again_is_told(pack: Path, tmp_path: Path) -> None:
    verdict = verify(packed_again(pack, tmp_path / "again.zip", lambda members: None))
    assert "packed again by another program" in told(verdict)
    swapped = forged(pack, tmp_path / "same.zip", lambda members: None)
    assert verify(swapped).intact, "written by the same code, it is the same file"


FORGED: dict[str, tuple[Callable[[dict[str, bytes]], None], str]] = {
    "another input": (change("input/in.csv", b"Key\n"), "input/in.csv: it is not the input that the batch was made"),
    "another spec": (change("spec/job.yaml", b"job: x\n"), "spec/job.yaml: it is not the job spec"),
    "a state": (edited(evidence.ROWS, "state", to="failed"), "row 2 is failed after 1 attempts, and its history"),
    "a payload": (edited(evidence.ROWS, "payload", to='{"n":9}'), "row 2: its payload was changed"),
    "a step": (edited(evidence.EVENTS, "before", to="refused"), "does not follow from the one before"),
    "a count": (edited(evidence.BATCH, "counts", to={}), "journal/batch.json: its counts by state"),
    "a name": (edited(evidence.BATCH, "batch", "name", to="x"), "names another batch than the manifest"),
    "no batch": (change(evidence.BATCH, b"[]"), "journal/batch.json: it is not as batchrun writes it"),
    "no json": (
        change(evidence.EVENTS, b"{}\nnot json"),
        "journal/events.jsonl: it is not as batchrun writes it (line 1)",
    ),
    "an unknown state": (edited(evidence.ROWS, "state", to="paid"), "(line 1)"),
    "no spec": (change("spec/job.yaml", None), "spec/job.yaml: it is missing, and the manifest does not say why"),
    "no table": (change(evidence.EVENTS, None), "journal/events.jsonl: it is missing, in the manifest too"),
    "a program": (change("mine.exe", b""), 'manifest.json: it lists "mine.exe"'),
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forgery_that_fits_its_manifest_is_found_by_what_it_says(pack: Path, tmp_path: Path, case: str) -> None:
    forge, said = FORGED[case]
    target = forged(pack, tmp_path / "forged.zip", forge)
    assert said in told(verify(target)), told(verify(target))


def test_a_forgery_that_fits_throughout_is_found_only_by_the_hash_that_was_written_down(
    pack: Path, tmp_path: Path
) -> None:
    written_down = verify(pack).manifest_sha256
    target = forged(pack, tmp_path / "forged.zip", lambda members: None, made_by="somebody else")
    assert verify(target).intact
    assert not verify(target, written_down).intact


def test_a_pack_of_a_newer_batchrun_is_not_judged(pack: Path, tmp_path: Path) -> None:
    target = forged(pack, tmp_path / "newer.zip", lambda members: None, format=2)
    with pytest.raises(CouldNotStart, match="newer batchrun"):
        verify(target)


def test_what_unpacks_to_far_too_much_is_not_unpacked(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = forged(pack, tmp_path / "bomb.zip", change("input/in.csv", bytes(3 << 20)))
    monkeypatch.setattr(evidence_reading, "MUCH", 1 << 20)
    monkeypatch.setattr(evidence_reading, "SHRUNK", 50)
    assert "unpack to far more" in told(verify(target))


def test_a_line_longer_than_any_is_told(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = forged(pack, tmp_path / "line.zip", change(evidence.EVENTS, bytes(2 << 20)))
    monkeypatch.setattr(evidence_reading, "LONGEST_LINE", 1 << 20)
    assert "longer than any row" in told(verify(target))


def test_a_file_that_is_not_there_and_a_folder_are_no_evidence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (tmp_path / "none.zip", tmp_path):
        with pytest.raises(NotFound):
            verify(place)

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(NotFound, match="Permission denied"):
        verify(tmp_path / "mine.zip")


def test_evidence_replaces_nothing_and_is_called_zip(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = small_batch(journal)
        (tmp_path / "there.zip").write_bytes(b"mine")
        for name, said in (("there.zip", "exists already"), ("evidence", "is a zip file")):
            with pytest.raises(BadCommandLine, match=said):
                pack_of(journal, batch, tmp_path / name)
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(CouldNotStart, match="could not be written"):
            pack_of(journal, batch, tmp_path / "file" / "pack.zip")
        assert (tmp_path / "there.zip").read_bytes() == b"mine"
    assert not (tmp_path / "evidence").exists()


def test_a_file_that_comes_to_be_while_the_evidence_is_made_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = PackWriter.finish

    def somebody_was_quicker(writer: PackWriter, manifest: Any) -> str:
        (tmp_path / "pack.zip").write_bytes(b"mine")
        return finish(writer, manifest)

    monkeypatch.setattr(PackWriter, "finish", somebody_was_quicker)
    with opened(tmp_path / "journal.db") as journal, pytest.raises(BadCommandLine, match="exists already"):
        pack_of(journal, small_batch(journal), tmp_path / "pack.zip")
    assert (tmp_path / "pack.zip").read_bytes() == b"mine"
    assert sorted(path.name for path in tmp_path.glob(".batchrun*")) == []


def test_what_stops_in_between_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stops(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(PackWriter, "finish", stops)
    with opened(tmp_path / "journal.db") as journal, pytest.raises(KeyboardInterrupt):
        pack_of(journal, small_batch(journal), tmp_path / "out" / "pack.zip")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_batch_too_large_for_a_zip_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = small_batch(journal)
        for name, value in (("LARGEST", 100), ("MOST_MEMBERS", 3)):
            monkeypatch.setattr(evidence_file, name, value)
            with pytest.raises(CouldNotStart, match="one evidence file"):
                pack_of(journal, batch, tmp_path / "pack.zip")
            monkeypatch.undo()


@pytest.fixture
def approved(tmp_path: Path) -> tuple[Path, Approval]:
    """Give the pack of a batch that was run by a plan which ana signed, and her approval."""
    key, plan = Ed25519PrivateKey.generate(), planned(made_by="eve")
    sealed = {"plan": "p.json", "plan_sha256": sha256(plan).hexdigest(), "approver": "ana", "approved_at": "2026"}
    signature = base64.b64encode(key.sign(approvals.to_sign(sealed["plan_sha256"], "ana", "2026"))).decode()
    named = public_key.key_text(key.public_key().public_bytes_raw())
    approval = Approval(**sealed, signed=True, public_key=named, signature=signature)
    with opened(tmp_path / "journal.db") as journal:
        with journal.writing() as connection:
            kept = [journal_files.keep_bytes(connection, content) for content in (plan, approval.sealed())]
        settings = {**SETTINGS, "plan": approvals.settings_of(approval, "eve", kept[1], "a.json")}
        return pack_of(journal, small_batch(journal, settings=settings), tmp_path / "pack.zip").path, approval


def planned(**changes: Any) -> bytes:
    """Give the bytes of a plan."""
    file, none = {"name": "x", "sha256": "0" * 64}, dict.fromkeys(Plan.model_fields)
    texts = dict.fromkeys(("job", "world", "base_url", "review_url", "procedure", "rate", "made_at", "host"), "x")
    numbers = {"concurrency": 1, "rows": 0, "runs": 0, "counts": {}, "totals": {}, "duplicates": [], "notes": []}
    files = {"spec": file, "schema": file, "input": file, "selection": {}, "params": {}, "payloads": []}
    kind = {"kind": "batchrun plan", "version": 1, "environment": "sandbox", "mode": "sync", "made_with": "x"}
    del none["schema_file"]
    return Plan(**{**none, **texts, **numbers, **files, **kind, "payloads_sha256": "0" * 64, **changes}).sealed()


def test_plan_and_approval_are_in_the_pack_and_held_against_the_batch(approved: tuple[Path, Approval]) -> None:
    path, approval = approved
    members = contents(path)
    assert members["plan/plan-p.json"] == planned(made_by="eve")
    assert members["plan/approval-a.json"] == approval.sealed()
    assert verify(path).intact, told(verify(path))
    target = forged(path, path.with_name("forged.zip"), change("plan/approval-a.json", b"[1]"))
    assert "it is not the approval of the plan" in told(verify(target))
    assert "its seal does not fit" in told(verify(target))


@pytest.mark.parametrize(
    ("changes", "batch", "said"),
    [
        ({"signature": base64.b64encode(b"s" * 64).decode()}, {}, "its signature is broken"),
        ({"approver": "bob"}, {"approved_by": "bob"}, "its signature is broken"),
        ({}, {"approved_by": "bob"}, "it was given by ana (signed), and the journal says bob (signed)"),
        ({"signed": False, "public_key": None, "signature": None}, {}, "given by ana (claimed: not signed), and"),
        ({"plan_sha256": "1" * 64}, {}, "it approves another plan"),
        ({}, {"made_by": "ana"}, "it was made by eve, and the journal says ana"),
    ],
)
def test_an_approval_that_is_said_to_be_signed_and_is_not_is_found(
    approved: tuple[Path, Approval], changes: dict[str, Any], batch: dict[str, Any], said: str
) -> None:
    path, approval = approved
    content = approval.model_copy(update=changes).sealed()

    def forge(members: dict[str, bytes]) -> None:
        members["plan/approval-a.json"] = content
        for name, value in {**batch, "approval_sha256": sha256(content).hexdigest()}.items():
            edited(evidence.BATCH, "batch", "settings", "plan", name, to=value)(members)

    assert said in told(verify(forged(path, path.with_name("forged.zip"), forge)))


@pytest.mark.parametrize(
    ("approvers", "said"), [({"ana": public_key.key_text(b"k" * 32)}, "with another key"), ({"ana": None}, "")]
)
def test_a_signature_counts_with_the_key_of_the_plan_alone(
    approved: tuple[Path, Approval], approvers: dict[str, str | None], said: str
) -> None:
    path, approval = approved
    plan = planned(made_by="eve", approvers={name: key or approval.public_key for name, key in approvers.items()})

    def forge(members: dict[str, bytes]) -> None:
        members["plan/plan-p.json"] = plan
        edited(evidence.BATCH, "batch", "settings", "plan", "sha256", to=sha256(plan).hexdigest())(members)

    found = told(verify(forged(path, path.with_name("forged.zip"), forge)))
    assert "it approves another plan" in found and said in found and ("another key" in found) is bool(said)


def test_a_plan_that_was_altered_is_found(approved: tuple[Path, Approval]) -> None:
    path, _ = approved

    def forge(members: dict[str, bytes]) -> None:
        members["plan/plan-p.json"] = content = members["plan/plan-p.json"].replace(b'"eve"', b'"ana"')
        edited(evidence.BATCH, "batch", "settings", "plan", "sha256", to=sha256(content).hexdigest())(members)

    assert "plan/plan-p.json: it is not as batchrun writes it" in told(
        verify(forged(path, path.with_name("forged.zip"), forge))
    )


def test_a_file_that_the_journal_does_not_keep_is_said_to_be_missing(tmp_path: Path) -> None:
    made = small_pack(tmp_path, input_sha256="9" * 64, input_path="/somewhere/-")
    assert [one.what for one in made.missing] == ["the input (input/in.csv)"]
    assert "standard input" in made.missing[0].why
    assert "standard input" in contents(made.path)["README.txt"].decode()
    assert verify(made.path).intact
    (tmp_path / "b").mkdir()
    assert "does not keep" in small_pack(tmp_path / "b", spec_sha256="9" * 64).missing[0].why


def test_a_purged_batch_has_its_evidence_without_what_was_removed(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = small_batch(journal)
        with journal.writing() as connection:
            gone = {"payload": None, "cells": b"[]", "output": None, "problems": None}
            connection.execute(update(journal_tables.rows).values(gone))
            files = journal_tables.file_pieces
            connection.execute(delete(files).where(files.c.sha256 == batch.input_sha256))
            note = {"batch_id": batch.id, "at": text_time(NOW), "by": "anna"}
            connection.execute(insert(journal_tables.purges).values(note))
        made = pack_of(journal, batch, tmp_path / "pack.zip")
    assert all("purged) on 2026-10-01" in one.why and "by anna" in one.why for one in made.missing)
    rows = ["cells and payloads of the rows", "the results workbook"]
    assert [one.what for one in made.missing] == ["the input (input/in.csv)", *rows]
    verdict = verify(made.path)
    assert verdict.intact, told(verdict)


def test_a_delivery_that_is_no_text_comes_along_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal:
        batch = small_batch(journal)
        with journal.writing() as connection:
            for run_id, body in (("run_0", b"\xff\x00"), ("run_9", b"{}")):
                values = {"delivery_id": run_id, "received_at": text_time(NOW), "event": "custom.x", "run_id": run_id}
                connection.execute(insert(journal_tables.deliveries).values(**values, body=body, folded_at="then"))
        made = pack_of(journal, batch, tmp_path / "pack.zip")
    (line,) = lines(made.path, "journal/deliveries.jsonl")
    assert (line["run_id"], line["body"]) == ("run_0", {"base64": "/wA="})


def test_a_snapshot_does_not_see_what_is_written_beside_it_and_writes_nothing(tmp_path: Path) -> None:
    with opened(tmp_path / "journal.db") as journal, opened(tmp_path / "journal.db") as other:
        small_batch(journal)
        with snapshot(journal) as still:
            with still.reading() as connection:
                before = connection.exec_driver_sql("SELECT count(*) FROM rows").scalar()
            small_batch(other)
            with still.reading() as connection:
                assert connection.exec_driver_sql("SELECT count(*) FROM rows").scalar() == before
            with pytest.raises(AssertionError), still.writing():
                pass
            still.close()
        with journal.reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM rows").scalar() == 8


def test_a_new_file_is_private_and_not_there_until_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "new.zip"
    with new_file(path, private=True) as file:
        file.write(b"whole")
        assert not path.exists()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"whole", 0o600)
    with pytest.raises(FileExistsError), new_file(path) as file:
        file.write(b"mine")
    assert path.read_bytes() == b"whole"


def test_the_evidence_of_a_batch_says_what_it_made(tmp_path: Path) -> None:
    made = small_pack(tmp_path)
    document = made.as_json()
    assert (document["batch"], document["running"], document["error"]) == ("payouts-001", False, None)
    assert document["members"] == len(contents(made.path)) - 1
    assert document["counts"] == {"ready": 2, "sending": 1, "completed": 1}


def test_the_page_on_evidence_names_every_file_in_a_pack(pack: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "evidence.md").read_text(encoding="utf-8")
    assert [name for name in FILES_TOLD if f"`{name}`" not in page] == []
    told_of = set(FILES_TOLD) | {"README.txt"}
    assert [name for name in contents(pack) if not {name, f"{name.split('/')[0]}/"} & told_of] == []


def test_a_header_that_was_changed_is_told_by_its_member(pack: Path, tmp_path: Path) -> None:
    whole = bytearray(pack.read_bytes())
    whole[whole.index(b"spec/job.yaml") - 20] ^= 1  # the time, which unpacking does not look at
    (tmp_path / "header.zip").write_bytes(whole)
    (fault,) = verify(tmp_path / "header.zip").faults
    assert fault.member == "spec/job.yaml"


def test_a_directory_with_numbers_beyond_any_such_zip_file_is_told(pack: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(pack) as archive:
        start, size = archive.start_dir, len(pack.read_bytes()) - archive.start_dir - 22
    whole = pack.read_bytes()
    first, end = bytearray(whole[start : start + size]), bytearray(whole[-22:])
    name_ends = 46 + int.from_bytes(first[28:30], "little")
    huge = struct.pack("<HHQ", 1, 8, 1 << 40)  # the packed size, as zip files of many gigabytes tell it
    first[20:24], first[30:32] = b"\xff" * 4, len(huge).to_bytes(2, "little")
    first[name_ends:name_ends] = huge
    end[12:16] = len(first).to_bytes(4, "little")
    (tmp_path / "huge.zip").write_bytes(whole[:start] + first + end)
    assert "own bytes are not" in told(verify(tmp_path / "huge.zip"))
