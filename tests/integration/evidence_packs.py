"""Small packs for tests, made from a journal without a job, and packs that somebody tampered with."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "contract"))

from journals import NOW, add_batch, opened

from batchrun.cli.screen import Screen
from batchrun.core.evidence import MANIFEST, Manifest, parse_manifest
from batchrun.core.lifecycle import Event
from batchrun.flows import evidence
from batchrun.flows.evidence import Evidence
from batchrun.io import journal_files, journal_steps
from batchrun.io.evidence_file import PackWriter
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_steps import Step

SETTINGS: dict[str, Any] = {
    "allow_duplicates": False,
    "totals": [],
    "output": None,
    "rate": "5/s",
    "grouped": False,
    "max_errors": "100%",
    "not_run": [],
    "repeatable": False,
    "concurrency": 8,
    "review": {},
    "description": None,
}
FILES = {"spec": b"job: payouts\n", "schema": b"{}", "input": b"Key\nK0\nK1\nK2\nK3\n"}
SILENT = Screen(as_json=False, quiet=True)


def small_batch(journal: Journal, **changes: Any) -> Batch:
    """Make a batch of four rows: completed, refused and ready once more, being sent, and never sent."""
    with journal.writing() as connection:
        kept = {f"{name}_sha256": journal_files.keep_bytes(connection, content) for name, content in FILES.items()}
    batch = add_batch(journal, 4, **{"settings": SETTINGS, **kept, **changes})
    later = NOW + timedelta(seconds=1)
    steps = [
        Step(0, Event.INTENT, NOW),
        Step(0, Event.RUNNING, later, status=202, run_id="run_0", line="run id"),
        Step(0, Event.COMPLETED, later, output={"paid": True}),
        Step(1, Event.INTENT, NOW),
        Step(1, Event.REFUSED, later, status=422, error="no such account", line="refused"),
        Step(1, Event.RETRY, later),
        Step(2, Event.INTENT, NOW),
    ]
    with journal.writing() as connection:
        for step in steps:
            journal_steps.apply(connection, batch, [step])
    return batch


def pack_of(journal: Journal, batch: Batch, path: Path) -> Evidence:
    """Make a batch's evidence."""
    return evidence.make(journal, batch, path, SILENT)


def small_pack(folder: Path, **changes: Any) -> Evidence:
    """Make the evidence of a small batch in a journal of its own."""
    with opened(folder / "state" / "journal.db") as journal:
        return pack_of(journal, small_batch(journal, **changes), folder / "pack.zip")


def contents(path: Path) -> dict[str, bytes]:
    """Give every member's bytes, as any program reads them."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def lines(path: Path, member: str) -> list[dict[str, Any]]:
    """Give the lines of a table in a pack."""
    return [json.loads(line) for line in contents(path)[member].splitlines()]


def packed_again(path: Path, target: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """Unpack, change, and pack with Python's own zip program, as somebody with a file manager would."""
    members = contents(path)
    change(members)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return target


def forged(path: Path, target: Path, change: Callable[[dict[str, bytes]], None], **manifest: Any) -> Path:
    """Change a pack and make all else anew to fit, as somebody with batchrun's own code could."""
    members = contents(path)
    before = parse_manifest(members.pop(MANIFEST))
    change(members)
    with target.open("w+b") as file:
        writer = PackWriter(file)
        for name, content in members.items():
            writer.add(name, [content])
        values = {name: getattr(before, name) for name in Manifest.__dataclass_fields__} | manifest
        writer.finish(Manifest(**{**values, "members": tuple(writer.members)}))
    return target


def change(name: str, content: bytes | None) -> Callable[[dict[str, bytes]], None]:
    """Put another content in the place of a member's; None takes the member away."""

    def changed(members: dict[str, bytes]) -> None:
        if content is None:
            del members[name]
        else:
            members[name] = content

    return changed


def edited(name: str, *path: Any, to: Any) -> Callable[[dict[str, bytes]], None]:
    """Change one value in the first line of a member that is JSON."""

    def changed(members: dict[str, bytes]) -> None:
        first, *rest = [members[name]] if name.endswith(".json") else members[name].split(b"\n")
        document = inner = json.loads(first)
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = to
        members[name] = b"\n".join([json.dumps(document).encode(), *rest])

    return changed
