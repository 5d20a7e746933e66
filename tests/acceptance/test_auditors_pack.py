"""An auditor's pack: made beside whatever goes on, checked anywhere, without a key in it, altered by no byte unseen."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import CrashDesk, Crasher, at_a_crash_desk
from finance_desk import CANARY, invoices, killed, until

VERIFIED = {
    *("version", "file", "batch", "intact", "manifest_sha256", "problems", "counts", "totals", "error"),
}
ROWS = invoices(6)


@contextmanager
def a_desk(folder: Path, crasher: Crasher, *run: str, **switches: Any) -> Iterator[CrashDesk]:
    """Give a desk at which six rows were run."""
    with at_a_crash_desk(folder, crasher, **switches) as desk:
        desk.sheet(ROWS)
        desk.run(*run)
        yield desk


def alone(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command as somebody who has the file and nothing else: no key, no journal, an empty home."""
    folder.mkdir()
    return subprocess.run(
        [sys.executable, "-m", "batchrun", *map(str, words)],
        cwd=folder,
        env={"HOME": str(folder), "PATH": "", "PYTHONPATH": ":".join(sys.path), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def every_part(content: bytes, name: str = "") -> Iterator[tuple[str, bytes]]:
    """Give a file's bytes and, where it is a zip file or holds one, those of all its members, unpacked."""
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for one in archive.namelist():
                yield from every_part(archive.read(one), f"{name}!{one}")


def test_a_pack_is_checked_anywhere_by_itself_and_says_what_it_holds(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk(tmp_path, crasher) as desk:
        made = desk.command("evidence", "last", "-o", "pack.zip", "--json").ended(0)
    pack = tmp_path / "pack.zip"
    written_down = made.document["manifest_sha256"]
    assert made.document["file"] == str(pack)
    assert written_down in made.stderr
    seen = alone(tmp_path / "auditor", "verify", pack, "--manifest", written_down)
    assert seen.returncode == 0, seen.stderr
    for said in ("payouts-001", "payouts.csv", "sandbox", "completed", written_down, "the one that was written down"):
        assert said in seen.stdout
    assert list((tmp_path / "auditor").rglob("*journal*")) == []
    bare = alone(tmp_path / "another", "verify", pack, "--json")
    assert set(json.loads(bare.stdout)) == VERIFIED
    assert json.loads(bare.stdout)["counts"] == {"completed": 6}
    assert json.loads(bare.stdout)["totals"] == made.document["totals"]
    assert "only the SHA-256 that was written" in bare.stderr


def test_one_altered_byte_is_told_with_its_member_and_ends_with_1(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk(tmp_path, crasher) as desk:
        pack = tmp_path / "pack.zip"
        desk.command("evidence", "last", "-o", "pack.zip").ended(0)
        whole = pack.read_bytes()
        place = whole.index(b"journal/rows.jsonl") + 200
        pack.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        altered = desk.command("verify", "pack.zip", "--json").ended(1)
        assert set(altered.document) == VERIFIED
        assert (altered.document["intact"], altered.document["error"]) == (False, None)
        assert [problem["member"] for problem in altered.document["problems"]] == ["journal/rows.jsonl"]
        assert "WAS ALTERED" in altered.words
        gone = desk.command("verify", "gone.zip", "--json").ended(2)
        assert set(gone.document) == VERIFIED
        assert gone.document["error"]["code"] == "not-found"
        desk.command("verify", "payouts.csv").ended(1)
        desk.command("verify", "pack.zip", "--manifest", "abc").ended(2)
        pack.write_bytes(whole)


def test_no_key_and_no_header_is_in_a_pack(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk(tmp_path, crasher) as desk:
        desk.command("evidence", "last", "-o", "pack.zip").ended(0)
    parts = dict(every_part((tmp_path / "pack.zip").read_bytes()))
    assert any(name.endswith(".xlsx!xl/workbook.xml") for name in parts), "the workbook's parts were looked at, too"
    for name, content in parts.items():
        assert CANARY not in content, name
        assert b"bearer" not in content.lower(), name
        assert b"user-agent" not in content.lower(), name


def test_the_input_is_in_the_pack_byte_for_byte_though_the_sheet_was_changed_since(
    tmp_path: Path, crasher: Crasher
) -> None:
    with a_desk(tmp_path, crasher) as desk:
        before = (tmp_path / "payouts.csv").read_bytes()
        desk.sheet(invoices(1))
        desk.command("evidence", "results.xlsx", "-o", "pack.zip").ended(0)
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        assert archive.read("input/payouts.csv") == before
        batch = json.loads(archive.read("journal/batch.json"))
    assert batch["batch"]["input_sha256"] == sha256(before).hexdigest()


def test_evidence_never_replaces_a_file(tmp_path: Path, crasher: Crasher) -> None:
    with a_desk(tmp_path, crasher) as desk:
        (tmp_path / "pack.zip").write_bytes(b"mine")
        refused = desk.command("evidence", "last", "-o", "pack.zip", "--json").ended(2)
        assert "exists already" in refused.document["error"]["message"]
        assert (tmp_path / "pack.zip").read_bytes() == b"mine"
        desk.command("evidence", "nothing-001", "-o", "other.zip").ended(2)
        desk.command("evidence", "last", "--json").ended(2)


def test_a_running_batch_has_its_evidence_of_one_moment(tmp_path: Path, crasher: Crasher) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        desk.sheet(invoices(400))
        with desk.sending("--rate", "20/s") as sender:
            until(lambda: len(desk.server.runs), lambda count: count >= 5)
            packs = [f"pack-{number}.zip" for number in range(3)]
            for pack in packs:
                made = desk.command("evidence", "last", "-o", pack, "--json").ended(0)
                assert made.document["running"]
                assert "is being sent" in made.stderr
            assert sender.poll() is None, "the sender ended too early for this test"
            killed(sender)
        counts = []
        for pack in packs:
            checked = desk.command("verify", pack, "--json").ended(0)
            assert "one moment" in checked.stderr
            counts.append(checked.document["counts"].get("completed", 0))
        assert counts == sorted(counts)
        assert 0 < counts[0] < counts[-1] < 400


def test_a_corrected_row_and_the_file_that_corrected_it_fit_together(tmp_path: Path, crasher: Crasher) -> None:
    def blocked(data: Mapping[str, Any]) -> str | None:
        return "blocked" if data["invoiceNumber"] == "00003" and "Ltd" not in data["vendor"] else None

    with a_desk(tmp_path, crasher, refuse=blocked) as desk:
        corrected = desk.sheet([{**ROWS[2], "Vendor": "Vendor 3 Ltd"}], "corrected.csv")
        desk.json("retry", "--input", "corrected.csv").ended(0)
        desk.command("evidence", "last", "-o", "pack.zip").ended(0)
        checked = desk.command("verify", "pack.zip", "--json").ended(0)
        assert checked.document["counts"] == {"completed": 6}
    with zipfile.ZipFile(tmp_path / "pack.zip") as archive:
        digest = sha256(corrected.read_bytes()).hexdigest()
        assert archive.read(f"handed-in/{digest}-corrected.csv") == corrected.read_bytes()
        (line,) = archive.read("journal/corrections.jsonl").splitlines()
        assert "Vendor 3 GmbH" in json.loads(line)["payload"]


@pytest.mark.parametrize("words", [["evidence"], ["verify"], ["adopt"], ["adopt", "gone.zip"], ["verify", "x", "--no"]])
def test_a_command_line_that_cannot_be_is_one_document_too(tmp_path: Path, crasher: Crasher, words: list[str]) -> None:
    with at_a_crash_desk(tmp_path, crasher) as desk:
        refused = desk.command(*words, "--json").ended(2)
        assert refused.document["version"] == 1
        assert refused.document["error"]["message"]
