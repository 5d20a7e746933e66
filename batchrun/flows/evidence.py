"""`evidence`: an auditor's pack of one batch, read from the journal in one moment, written whole or not at all."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

import batchrun
from batchrun.core import evidence
from batchrun.core.evidence import KeptFile, Manifest, Missing
from batchrun.core.evidence_words import readme
from batchrun.core.proofs import disproof
from batchrun.core.totals import as_json, counted
from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.flows import contents
from batchrun.flows.clock import SystemClock
from batchrun.flows.figures import figures_of
from batchrun.flows.folding import fold
from batchrun.flows.telling import Teller
from batchrun.io import journal_batches, journal_extract, journal_files, journal_rows, system
from batchrun.io.evidence_file import PackWriter
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.journal_snapshot import snapshot
from batchrun.io.journal_tables import VERSION
from batchrun.io.whole_file import new_file
from batchrun.io.workbook import write_workbook
from batchrun.model import ControlTotal, State

LIBRARIES = (
    *("h11", "httpx", "httpcore", "jsonschema", "jsonschema-rs", "openpyxl", "orjson", "pandas", "pydantic"),
    *("python-calamine", "pyyaml", "jinja2", "sqlalchemy"),
)

NOT_KEPT = "the journal does not keep it"
NO_FILE = "it came by standard input, so the journal keeps its hash and no copy"
PURGED = "it was removed from the journal (purged) on {at} by {by}"
HANDED_IN = "a file that was handed in"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A pack that was made; `manifest_sha256` is what somebody should write down."""

    path: Path
    batch: str
    manifest_sha256: str
    members: int
    running: bool
    missing: tuple[Missing, ...]
    counts: Mapping[State, int]
    totals: tuple[ControlTotal, ...]
    disproof: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Give the document that `--json` prints."""
        return {
            "version": 1,
            "file": str(self.path),
            "batch": self.batch,
            "manifest_sha256": self.manifest_sha256,
            "members": self.members,
            "running": self.running,
            "missing": [{"what": one.what, "why": one.why} for one in self.missing],
            "counts": {state.value: count for state, count in self.counts.items()},
            "totals": as_json(self.totals),
            "error": None,
        }


def make(journal: Journal, batch: Batch, output: Path, teller: Teller) -> Evidence:
    """Write a batch's evidence to a new file; raise BadCommandLine where there is one of that name."""
    path = output.expanduser().resolve()
    if path.suffix.lower() != ".zip":
        raise BadCommandLine(f"-o {output}: evidence is a zip file; name it, for example, -o {batch.name}.zip")
    if path.exists():
        raise _exists(path)
    fold(journal, batch)
    try:
        with new_file(path, private=True) as file, snapshot(journal) as still:
            return _Packer(still, batch.name, PackWriter(file), path, teller).pack()
    except OSError as error:
        if isinstance(error, FileExistsError) and os.path.lexists(path):
            raise _exists(path) from None
        raise CouldNotStart(f"{path} could not be written: {error.strerror}") from None


def _exists(path: Path) -> BadCommandLine:
    return BadCommandLine(f"{path} exists already, and evidence never replaces a file; name another with -o")


class _Packer:
    """Packs one batch from one moment of the journal."""

    def __init__(self, journal: Journal, name: str, writer: PackWriter, path: Path, teller: Teller) -> None:
        self._journal = journal
        self._writer = writer
        self._path = path
        self._teller = teller
        with journal.reading() as connection:
            batch = journal_batches.find(connection, name)
            assert batch is not None  # noqa: S101  # batches are never removed
            self._batch = batch
            self._line = journal_extract.batch_line(connection, batch)
            self._purge = next(self._lines("journal/purges.jsonl"), None)
        self._running = system.is_locked(journal.lock_file(batch.id))

    def pack(self) -> Evidence:
        """Write every member, then the manifest."""
        batch, now = self._batch, SystemClock().now()
        made_at, made_by = journal_batches.text_time(now), f"{system.user_name()} on {system.host_name()}"
        files, missing = self._files()
        page = readme(batch.name, made_at, made_by, missing, running=self._running)
        self._writer.add(evidence.README, [page.encode()])
        self._writer.add(evidence.VERSIONS, [_pretty(_versions())])
        with self._journal.reading() as connection:
            counts = journal_batches.counts(connection, [batch.id])[batch.id]
            for kept in files:
                self._writer.add(kept.member, journal_files.kept_pieces(connection, kept.sha256))
            figures = figures_of(self._journal, batch)
            totals = figures.totals
            self._writer.add(evidence.BATCH, [_pretty(self._document(counts, totals))])
            for extract in journal_extract.EXTRACTS:
                self._writer.add(extract.member, journal_extract.lines(connection, batch, extract))
        if self._purge is None:
            self._add_workbook()
        manifest = Manifest(
            batch=batch.name,
            made_at=made_at,
            made_by=made_by,
            made_with=f"batchrun {batchrun.__version__}",
            running=self._running,
            missing=tuple(missing),
            members=tuple(self._writer.members),
        )
        sha256 = self._writer.finish(manifest)
        return Evidence(
            path=self._path,
            batch=batch.name,
            manifest_sha256=sha256,
            members=len(manifest.members),
            running=self._running,
            missing=manifest.missing,
            counts=counts,
            totals=totals,
            disproof=disproof(figures.proof, batch.name),
        )

    def _document(self, counts: Mapping[State, int], totals: tuple[ControlTotal, ...]) -> dict[str, Any]:
        with self._journal.reading() as connection:
            runs = journal_rows.count_payloads(connection, self._batch.id)
        return {
            "journal_version": VERSION,
            "batch": self._line,
            "rows": sum(counts.values()),
            "runs": runs,
            "counts": {state.value: count for state, count in counts.items()},
            "totals": as_json(totals),
        }

    def _files(self) -> tuple[list[KeptFile], list[Missing]]:
        """Give the files that the journal keeps for the batch, and those that it does not."""
        wanted = {kept.member: kept for kept in [*evidence.kept_files(self._line), *self._handed_in()]}
        found, missing = [], []
        with self._journal.reading() as connection:
            for kept in wanted.values():
                if journal_files.is_kept(connection, kept.sha256):
                    found.append(kept)
                else:
                    missing.append(Missing(f"{kept.what} ({kept.member})", self._why_not(kept)))
        if self._purge is not None:
            why = PURGED.format(**self._purge)
            missing += [Missing("cells and payloads of the rows", why), Missing("the results workbook", why)]
        return found, missing

    def _handed_in(self) -> Iterator[KeptFile]:
        for line in self._lines(evidence.DECISIONS):
            sha256 = line["workbook_sha256"]
            yield KeptFile(evidence.handed_in_name(sha256, "review.xlsx"), sha256, HANDED_IN)
        for line in self._lines(evidence.CORRECTIONS):
            sha256 = line["file_sha256"]
            yield KeptFile(evidence.handed_in_name(sha256, line["file_name"]), sha256, HANDED_IN)

    def _lines(self, member: str) -> Iterator[dict[str, Any]]:
        extract = next(one for one in journal_extract.EXTRACTS if one.member == member)
        with self._journal.reading() as connection:
            yield from map(orjson.loads, journal_extract.lines(connection, self._batch, extract))

    def _why_not(self, kept: KeptFile) -> str:
        if self._purge is not None:
            return PURGED.format(**self._purge)
        by_pipe = kept.what == "the input" and Path(self._batch.input_path).name == "-"
        return NO_FILE if by_pipe else NOT_KEPT

    def _add_workbook(self) -> None:
        """Write the results workbook beside the pack, for its owner alone, and take it in."""
        self._teller.say(f"Writing {counted(self._line_count(), 'row')} and the workbook into {self._path.name} …")
        with (
            tempfile.TemporaryDirectory(prefix=".batchrun-", dir=self._path.parent) as folder,
            system.held(Path(folder)),
        ):
            place = Path(folder) / "results.xlsx"
            write_workbook(place, contents.content(self._journal, self._batch))
            name = evidence.member_name("workbook", f"{self._batch.name}.xlsx")
            with place.open("rb") as file:
                self._writer.add(name, iter(lambda: file.read(1 << 18), b""))

    def _line_count(self) -> int:
        with self._journal.reading() as connection:
            return sum(journal_batches.counts(connection, [self._batch.id])[self._batch.id].values())


def _versions() -> dict[str, Any]:
    return {
        "batchrun": batchrun.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "sqlite": sqlite3.sqlite_version,
        "libraries": {name: metadata.version(name) for name in LIBRARIES},
    }


def _pretty(document: Mapping[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n"
