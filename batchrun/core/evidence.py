"""What an auditor's pack is made of: the names of its members, and the manifest that holds their hashes."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import orjson

FORMAT = 1
MANIFEST, README, VERSIONS, BATCH = "manifest.json", "README.txt", "versions.json", "journal/batch.json"
ROWS, EVENTS, RUN_IDS = "journal/rows.jsonl", "journal/events.jsonl", "journal/run_ids.jsonl"
DECISIONS, CORRECTIONS = "journal/decisions.jsonl", "journal/corrections.jsonl"
FOLDERS = ("spec", "schema", "input", "plan", "handed-in", "workbook", "journal")
LONGEST_NAME = 120
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Fault(NamedTuple):
    """One thing that is wrong with a pack: in which member (None: the zip file as a whole), and what."""

    member: str | None
    message: str


class Newer(ValueError):
    """A pack was made by a newer batchrun, whose format this one does not know."""


class KeptFile(NamedTuple):
    """A file that the journal keeps for a batch, and the member that it is in a pack; `what` says it in words."""

    member: str
    sha256: str
    what: str


@dataclass(frozen=True, slots=True)
class Member:
    """One member of a pack: its bytes, and the bytes by which it stands in the zip file."""

    name: str
    size: int
    sha256: str
    packed_size: int
    packed_sha256: str


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that a batch once had, and that is not in its pack."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The list of all other members; `running` says that the batch was being sent when the pack was made."""

    batch: str
    made_at: str
    made_by: str
    made_with: str
    running: bool
    missing: tuple[Missing, ...]
    members: tuple[Member, ...]
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Write the manifest."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2) + b"\n"


def parse_manifest(content: bytes) -> Manifest:
    """Read a manifest; raise Newer for one of a later format, ValueError for what is none."""
    try:
        read: dict[str, Any] = orjson.loads(content)
        made_for = read["format"]
        if isinstance(made_for, int) and made_for > FORMAT:
            raise Newer(str(read.get("made_with")))
        members = tuple(Member(**one) for one in read.pop("members"))
        missing = tuple(Missing(**one) for one in read.pop("missing"))
        manifest = Manifest(**read, members=members, missing=missing)
    except (KeyError, TypeError, AttributeError, orjson.JSONDecodeError):
        raise ValueError("it is not a list as batchrun writes it") from None
    if not (made_for == FORMAT and _holds_text(manifest) and all(map(_is_sound, members))):
        raise ValueError("it is not a list as batchrun writes it")
    return manifest


def _holds_text(manifest: Manifest) -> bool:
    texts = [manifest.batch, manifest.made_at, manifest.made_by, manifest.made_with]
    texts += [text for one in manifest.missing for text in (one.what, one.why)]
    return all(isinstance(text, str) for text in texts) and isinstance(manifest.running, bool)


def _is_sound(member: Member) -> bool:
    numbers = all(type(number) is int and number >= 0 for number in (member.size, member.packed_size))
    hashes = (member.sha256, member.packed_sha256)
    return numbers and isinstance(member.name, str) and all(map(is_sha256, hashes))


def is_sha256(text: Any) -> bool:
    """Tell whether a text is a SHA-256 as batchrun writes it: 64 hex digits, in small letters."""
    return isinstance(text, str) and _SHA256.fullmatch(text) is not None


def name_faults(found: Iterable[str], listed: Iterable[str]) -> Iterator[Fault]:
    """Hold the names in a zip file against the manifest's: nothing missing, nothing twice, nothing more."""
    wanted, there = Counter([*listed, MANIFEST]), Counter(found)
    for name, count in wanted.items():
        if count > 1 or not _has_a_place(name):
            yield Fault(MANIFEST, f'it lists "{name}", which no evidence of batchrun holds so')
    for name, count in there.items():
        if count > 1:
            yield Fault(name, f"it is in the zip file {count} times, so nobody can say which one counts")
        if name not in wanted:
            leads_out = "" if _is_safe(name) else ", and its name leads out of the folder it is unpacked to"
            yield Fault(name, f"it was added: the manifest does not list it{leads_out}")
    yield from (Fault(name, "it is missing: the manifest lists it") for name in wanted if name not in there)


def _is_safe(name: str) -> bool:
    parts = name.split("/")
    return not any(part in ("", ".", "..") or _UNSAFE.search(part) for part in parts)


def _has_a_place(name: str) -> bool:
    parts = name.split("/")
    return name in (MANIFEST, README, VERSIONS) or (len(parts) == 2 and parts[0] in FOLDERS and _is_safe(name))


def member_name(folder: str, name: str) -> str:
    """Give the member for a file, whatever its name: every system can unpack it."""
    base = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    text = _UNSAFE.sub("_", base).strip(" .") or "file"
    text = text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 40] + text[-40:]
    return f"{folder}/{text}"


def handed_in_name(sha256: str, name: str) -> str:
    """Give the member for a file that somebody handed in."""
    return member_name("handed-in", f"{sha256}-{name}")


def kept_files(batch: Mapping[str, Any]) -> list[KeptFile]:
    """Give the files that belong to a batch, from its line in the journal."""
    found = [
        KeptFile(member_name("spec", batch["spec_path"]), batch["spec_sha256"], "the job spec"),
        KeptFile(member_name("schema", batch["schema_name"]), batch["schema_sha256"], "the schema"),
        KeptFile(member_name("input", batch["input_name"]), batch["input_sha256"], "the input"),
    ]
    review, plan = _part(batch, "review"), _part(batch, "plan")
    if review.get("outputs"):
        name = member_name("schema", f"review-outputs-{review.get('outputs_name')}")
        found.append(KeptFile(name, str(review["outputs"]), "the schema of the review outputs"))
    if plan.get("sha256"):
        found.append(KeptFile(member_name("plan", f"plan-{plan.get('name')}"), str(plan["sha256"]), "the plan"))
    if plan.get("approval_sha256"):
        name = member_name("plan", f"approval-{plan.get('approval_name')}")
        found.append(KeptFile(name, str(plan["approval_sha256"]), "the approval of the plan"))
    return found


def _part(batch: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = batch["settings"].get(name)
    return found if isinstance(found, Mapping) else {}
