"""How an auditor's pack, and what a check of it has found, read on a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from batchrun.cli import words
from batchrun.core.approval import told
from batchrun.core.moments import to_the_second
from batchrun.io import system

if TYPE_CHECKING:
    from batchrun.flows.adopt import Adopted
    from batchrun.flows.evidence import Evidence
    from batchrun.flows.verify import Verdict


def made(one: Evidence, bold: Callable[[str], str]) -> list[str]:
    """Say what was made, and what to write down."""
    return [
        bold(f"Evidence of {one.batch}: {one.path}"),
        *words.states(one.counts, one.totals),
        *(f"Not in it: {missing.what}: {missing.why}" for missing in one.missing),
        "",
        f"Manifest SHA-256: {one.manifest_sha256}",
        "Write this down, or put it in the ticket: with it, nobody can make the file anew unseen.",
        f"Next: batchrun verify {system.shell_word(str(one.path))} --manifest {one.manifest_sha256}",
    ]


def verdict(one: Verdict, bold: Callable[[str], str]) -> list[str]:
    """Say what a pack holds, or what was altered in it."""
    if one.intact:
        return [bold(f"{one.file.name} is intact"), *_holds(one), "", _last(one)]
    faults = [fault.message if fault.member is None else f"{fault.member}: {fault.message}" for fault in one.faults]
    lines = [bold(f"{one.file.name} WAS ALTERED, or is damaged"), *(f"- {fault}" for fault in faults)]
    if one.manifest_sha256 is not None:
        lines += ["", f"Manifest SHA-256: {one.manifest_sha256}"]
    return [*lines, "Ask for the file once more from where it was made; this one proves nothing."]


def _holds(one: Verdict) -> Iterator[str]:
    assert one.manifest is not None and one.document is not None  # noqa: S101  # an intact pack has both
    yield from words.table([[label, text] for label, text in _facts(one) if text])
    yield ""
    yield from words.states(one.counts, one.totals)
    yield from (f"Not in it: {missing.what}: {missing.why}" for missing in one.manifest.missing)
    if one.manifest.running:
        yield "It was made while the batch was being sent: it shows one moment, not the end."
    yield ""
    yield f"Manifest SHA-256: {one.manifest_sha256}"


def _facts(one: Verdict) -> Iterator[tuple[str, str]]:
    assert one.manifest is not None and one.document is not None  # noqa: S101  # an intact pack has both
    batch: dict[str, Any] = one.document["batch"]
    first, last = one.sent
    yield "Batch", str(batch["name"])
    yield "Job", str(batch["job"])
    yield "Environment", f"{batch['environment']} (simulated)" if batch["simulated"] else str(batch["environment"])
    yield "Procedure", f"{batch['procedure_id']}, version {batch['procedure_version'] or 'the published default'}"
    yield "Input", f"{batch['input_name']}, SHA-256 {batch['input_sha256']}"
    yield "Created (UTC)", f"{to_the_second(str(batch['created_at']))}, by {batch['made_by']} on {batch['host']}"
    yield "Sent (UTC)", f"{to_the_second(str(first))} to {to_the_second(str(last))}" if first else ""
    yield "Plan", _plan(batch["settings"].get("plan"))
    yield "Stopped", batch["stopped"] or ""
    made_at = to_the_second(one.manifest.made_at)
    yield "Evidence made (UTC)", f"{made_at}, by {one.manifest.made_by}, {one.manifest.made_with}"


def _plan(plan: Any) -> str:
    if not isinstance(plan, dict) or not plan.get("sha256"):
        return ""
    signed = bool(plan.get("signed"))
    approved = f", approved by {told(plan['approved_by'], signed=signed)}" if plan.get("approved_by") else ""
    approval = f", approval {plan['approval_sha256']}" if plan.get("approval_sha256") else ", without an approval"
    return f"{plan.get('name')}, SHA-256 {plan['sha256']}{approved}{approval}"


def _last(one: Verdict) -> str:
    if one.compared:
        return "Nothing in it was altered: its manifest is the one that was written down, and all else fits it."
    return (
        "All in it fits its manifest. That nobody made file and manifest anew, only the SHA-256 that was written\n"
        "down when it was made can show: compare it with the one above, or check with --manifest SHA256."
    )


def adopted(one: Adopted, bold: Callable[[str], str]) -> list[str]:
    """Say what was adopted, and where."""
    return [
        bold(f"Adopted {one.batch}, as it was on {to_the_second(one.as_of)} (UTC), into {one.journal}"),
        *words.states(one.counts, one.totals),
        f"Next: {one.next}",
    ]
