"""`verify`: checks an auditor's pack by itself, on any computer: no journal, no key, nothing but the file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import InvalidOperation
from pathlib import Path
from typing import Any

import orjson

from batchrun.core import evidence
from batchrun.core.evidence import Fault, KeptFile, Manifest
from batchrun.core.evidence_checks import BatchCheck
from batchrun.core.totals import as_json
from batchrun.errors import COMPLETED, NEEDS_ATTENTION, BadCommandLine
from batchrun.flows import approved_evidence
from batchrun.io.evidence_reading import Broken, Pack, open_pack
from batchrun.io.journal_extract import EXTRACTS
from batchrun.model import ControlTotal, State

PURGES = "journal/purges.jsonl"
# What reading a line raises that fits the manifest and is no line of batchrun's: a forged one.
_NO_LINE = (KeyError, TypeError, ValueError, AttributeError, IndexError, InvalidOperation)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a pack has found; without faults it is intact."""

    file: Path
    faults: tuple[Fault, ...] = ()
    manifest_sha256: str | None = None
    compared: bool = False
    manifest: Manifest | None = None
    document: Mapping[str, Any] | None = None
    counts: Mapping[State, int] = field(default_factory=dict)
    totals: tuple[ControlTotal, ...] = ()
    sent: tuple[str | None, str | None] = (None, None)

    @property
    def intact(self) -> bool:
        """Tell whether nothing was found."""
        return not self.faults

    @property
    def exit_code(self) -> int:
        """0 where the pack is intact, 1 where it was altered."""
        return COMPLETED if self.intact else NEEDS_ATTENTION

    def as_json(self) -> dict[str, Any]:
        """Give the document that `--json` prints."""
        return {
            "version": 1,
            "file": str(self.file),
            "batch": None if self.manifest is None else self.manifest.batch,
            "intact": self.intact,
            "manifest_sha256": self.manifest_sha256,
            "problems": [{"member": fault.member, "message": fault.message} for fault in self.faults],
            "counts": {state.value: count for state, count in self.counts.items()},
            "totals": as_json(self.totals),
            "error": None,
        }


def verify(path: Path, manifest_sha256: str | None = None) -> Verdict:
    """Check a pack; `manifest_sha256` is the manifest's hash as somebody wrote it down."""
    wanted = _sha256(manifest_sha256)
    place = path.expanduser().resolve()
    try:
        with open_pack(place) as pack:
            return weigh(place, pack, wanted)
    except Broken as broken:
        return Verdict(place, (broken.fault,))


def _sha256(text: str | None) -> str | None:
    if text is None:
        return None
    wanted = "".join(text.split()).lower()
    if not evidence.is_sha256(wanted):
        raise BadCommandLine("--manifest: that is no SHA-256, which has 64 digits from 0 to 9 and a to f")
    return wanted


def weigh(place: Path, pack: Pack, wanted: str | None = None) -> Verdict:
    """Check an open pack: its bytes first and then, where they are whole, what they say."""
    faults = []
    if wanted is not None and wanted != pack.manifest_sha256:
        said = f"its SHA-256 is {pack.manifest_sha256}, and the one that was written down is {wanted}"
        faults.append(Fault(evidence.MANIFEST, f"it is not the one that was made: {said}"))
    faults += pack.faults()
    told_by = {"manifest_sha256": pack.manifest_sha256, "manifest": pack.manifest, "compared": wanted is not None}
    if faults:
        return Verdict(place, tuple(faults), **told_by)  # type: ignore[arg-type]
    content = _Content(pack)
    faults = content.faults()
    return Verdict(
        place,
        tuple(faults),
        document=content.document,
        counts=_ordered(content.check.counts) if content.check is not None else {},
        totals=content.check.totals.controls() if content.check is not None else (),
        sent=content.sent,
        **told_by,  # type: ignore[arg-type]
    )


def _ordered(counts: Mapping[State, int]) -> dict[State, int]:
    return {state: counts[state] for state in State if state in counts}


def lines(pack: Pack, member: str) -> Iterator[dict[str, Any]]:
    """Give the lines of one table; raise Broken with the number of one that is none."""
    for number, line in enumerate(pack.lines(member), 1):
        with told(member, number):
            read: dict[str, Any] = orjson.loads(line)
        yield read


def document_of(pack: Pack) -> dict[str, Any]:
    """Give what journal/batch.json says."""
    with told(evidence.BATCH):
        read: dict[str, Any] = orjson.loads(b"".join(pack.chunks(evidence.BATCH)))
        return read


@contextlib.contextmanager
def told(member: str, number: int | None = None) -> Iterator[None]:
    """Raise Broken where the work inside finds no line of batchrun's."""
    try:
        yield
    except _NO_LINE:
        where = "" if number is None else f" (line {number})"
        raise Broken(member, f"it is not as batchrun writes it{where}, although the manifest says so") from None


class _Content:
    """What a whole pack says of its batch, and whether it holds together."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self.document: dict[str, Any] | None = None
        self.check: BatchCheck | None = None
        self.sent: tuple[str | None, str | None] = (None, None)

    def faults(self) -> list[Fault]:
        """Give what does not hold together."""
        absent = [one.member for one in EXTRACTS if self._pack.sha256(one.member) is None]
        absent += [name for name in (evidence.BATCH, evidence.README) if self._pack.sha256(name) is None]
        if absent:
            return [Fault(name, "it is missing, in the manifest too") for name in absent]
        try:
            return self._weigh()
        except Broken as broken:
            return [broken.fault]

    def _weigh(self) -> list[Fault]:
        document = document_of(self._pack)
        with told(evidence.BATCH):
            check = BatchCheck(document, purged=any(True for _ in lines(self._pack, PURGES)))
            files = evidence.kept_files(document["batch"])
            named = document["batch"]["name"] == self._pack.manifest.batch
        faults = [] if named else [Fault(evidence.BATCH, "it names another batch than the manifest")]
        for kept in [*files, *self._handed_in()]:
            faults += self._file(check, kept)
        with told(evidence.BATCH):
            faults += approved_evidence.faults(document["batch"], self._bytes)
        self._feed(evidence.EVENTS, check.event)
        self._feed(evidence.RUN_IDS, check.run_id)
        self._feed(evidence.ROWS, lambda row: self._row(check, row))
        self._feed(evidence.CORRECTIONS, check.correction)
        with told(evidence.BATCH):
            faults += check.faults()
        self.document, self.check = document, check
        return faults

    def _bytes(self, member: str) -> bytes | None:
        return None if self._pack.sha256(member) is None else b"".join(self._pack.chunks(member))

    def _feed(self, member: str, take: Callable[[Mapping[str, Any]], None]) -> None:
        for number, line in enumerate(lines(self._pack, member), 1):
            with told(member, number):
                take(line)

    def _row(self, check: BatchCheck, row: Mapping[str, Any]) -> None:
        check.row(row)
        first, last = self.sent
        sent = row["sent_at"]
        if sent is not None:
            self.sent = (min(first or sent, sent), max(last or sent, sent))

    def _handed_in(self) -> Iterator[KeptFile]:
        for line in lines(self._pack, evidence.DECISIONS):
            with told(evidence.DECISIONS):
                sha256 = str(line["workbook_sha256"])
                yield KeptFile(evidence.handed_in_name(sha256, "review.xlsx"), sha256, "the workbook")
        for line in lines(self._pack, evidence.CORRECTIONS):
            with told(evidence.CORRECTIONS):
                sha256 = str(line["file_sha256"])
                yield KeptFile(evidence.handed_in_name(sha256, str(line["file_name"])), sha256, "the sheet")

    def _file(self, check: BatchCheck, kept: KeptFile) -> Iterator[Fault]:
        found = self._pack.sha256(kept.member)
        if found is not None:
            check.file(kept, found)
        elif not any(f"({kept.member})" in one.what for one in self._pack.manifest.missing):
            yield Fault(kept.member, "it is missing, and the manifest does not say why")
