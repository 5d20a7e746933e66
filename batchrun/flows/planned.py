"""A run by an approved plan: held against the plan byte for byte, its approval proved, before anything leaves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from batchrun.core import approval as approvals
from batchrun.core import naming, sealed_document
from batchrun.core import plan as plans
from batchrun.core.approval import Approval
from batchrun.core.plan import Found, Plan
from batchrun.core.totals import as_json
from batchrun.errors import BadSpec, PlanRefused
from batchrun.flows import loading
from batchrun.flows.command_words import choice_words, expectation_words, origin_words
from batchrun.flows.loading import Choice, LoadedJob
from batchrun.flows.origins import Origins, origins
from batchrun.flows.plan_file import PlanFile, read_approval, read_plan
from batchrun.flows.weighing import Weighed
from batchrun.io import approval_keys, journal_files, journal_plans, spec_file, system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch, Draft
from batchrun.io.whole_file import sha256_of


@dataclass(frozen=True, slots=True)
class Approved:
    """A plan, its approval, and the job that it is of."""

    file: PlanFile
    approval: Approval
    approval_content: bytes
    job: Path

    @property
    def plan(self) -> Plan:
        """Give what the plan says."""
        return self.file.plan

    @property
    def choice(self) -> Choice:
        """Give what was chosen of the job when the plan was made."""
        plan, chosen = self.plan, self.plan.selection
        return Choice(
            environment=plan.environment,
            params=plan.params,
            input=_beside(self.file.path, plan.input.path) if plan.input.given else None,
            limit=chosen.limit,
            rows=chosen.rows,
            skip_invalid=chosen.skip_invalid,
        )

    @property
    def origins(self) -> Origins:
        """Give the origins that the plan was made for."""
        return origins(self.plan.base_url, self.plan.review_url)

    @property
    def settings(self) -> dict[str, object]:
        """Give what the batch remembers of it."""
        sha256 = sealed_document.sha256(self.approval_content)
        made = approvals.settings_of(self.approval, self.plan.made_by, sha256, self.file.approval_path.name)
        return {**made, "name": self.file.path.name}


def approved(path: Path, job: Path | None) -> Approved:
    """Read a plan and its approval, and find its job; raise PlanRefused where the plan may not be run.

    The files that it was made of are looked at here first, so that one that was changed is told as that, and not by
    whatever fault the change has brought.
    """
    file = read_plan(path)
    if not os.path.lexists(file.approval_path):
        raise PlanRefused(
            f"{path.name} is not approved: there is no {file.approval_path.name} beside it; nothing was sent. "
            f"It takes another person than {file.plan.made_by}, who made it",
            code="approval-missing",
            next=approve_command(path),
        )
    approval, content = read_approval(file.approval_path)
    _refuse_other_plan(file, approval)
    place = job if job is not None else _job_of(file)
    found = Approved(file, approval, content, place)
    _refuse_changed_files(found)
    return found


def approve_command(path: Path) -> str:
    """Give the command by which a plan is approved."""
    return f"batchrun approve {system.shell_word(str(path))} --as NAME"


def plan_command(job: LoadedJob, origins: Origins) -> str:
    """Give the command that plans what was asked to be run."""
    words = ["batchrun", "plan", str(job.file.path), "-o", f"{naming.batch_stem(job.spec.job, job.params)}.plan.json"]
    words += [*choice_words(job.choice), *expectation_words(job.choice), *origin_words(origins)]
    return " ".join(map(system.shell_word, words))


def _refuse_other_plan(file: PlanFile, approval: Approval) -> None:
    if approval.plan_sha256 != file.sha256:
        raise PlanRefused(
            f"{file.approval_path.name} approves another plan than {file.path.name} as it is now; nothing was sent. "
            "Move it away, and have this plan approved",
            code="approval-of-another-plan",
            next=approve_command(file.path),
        )
    if approvals.same_person(approval.approver, file.plan.made_by):
        raise PlanRefused(
            f"{file.path.name} was made by {file.plan.made_by} and approved by {approval.approver}; "
            f"it takes a second person. Nothing was sent. Move {file.approval_path.name} away, and have somebody else "
            "approve the plan",
            code="same-person",
            next=approve_command(file.path),
        )


def _beside(plan: Path, relative: str | None) -> Path:
    return (plan.parent / (relative or "")).resolve()


def _job_of(file: PlanFile) -> Path:
    place = _beside(file.path, file.plan.spec.path)
    if not os.path.lexists(place):
        raise PlanRefused(
            f"{file.path.name} is of the job spec {file.plan.spec.name}, and there is none at {place}; "
            "nothing was sent. Keep plan and job in their places to each other, or name the job",
            code="plan-differs",
            next=f"batchrun run JOB --plan {system.shell_word(str(file.path))}",
        )
    return place


def _refuse_changed_files(found: Approved) -> None:
    plan, content = found.plan, spec_file.read_spec_bytes(found.job)
    if sealed_document.sha256(content) != plan.spec.sha256:
        raise _refused(found.file, [plans.spec_changed(plan)])
    spec = spec_file.spec_from(content, found.job)
    if spec.spec is None:  # of another version of batchrun, which knew other keys
        raise BadSpec(spec.tell(spec.faults))
    now = plans.planned(plan)._replace(
        schema=_sha256(spec.near(spec.spec.schema_file)),
        outputs=None if spec.spec.review.outputs is None else _sha256(spec.near(spec.spec.review.outputs)),
        input=_sha256(loading.input_path(spec, spec.spec, plan.params, found.choice)),
    )
    _refuse(found.file, plans.differences(plan, now))


def _sha256(path: Path) -> str:
    """Give a file's SHA-256, also of one that cannot be read: then it is no file's."""
    try:
        return sha256_of(path)
    except OSError:
        return plans.NO_FILE


def _refuse(file: PlanFile, faults: Sequence[str]) -> None:
    if faults:
        raise _refused(file, faults)


def _refused(file: PlanFile, faults: Sequence[str]) -> PlanRefused:
    return PlanRefused(
        f"{file.path.name} does not fit any more: {'; '.join(faults)}. Nothing was sent; "
        "make a new plan, and have it approved",
        code="plan-differs",
    )


def proved(found: Approved, job: LoadedJob, draft: Draft) -> Draft:
    """Hold the job as it was read against the plan, and prove the approval; give the draft that remembers both."""
    _refuse(found.file, plans.differences(found.plan, _found(job, draft)))
    _prove_approval(found, job)
    return replace(draft, settings={**draft.settings, "plan": found.settings})


def _found(job: LoadedJob, draft: Draft) -> Found:
    choice = job.choice
    return Found(
        spec=draft.spec_sha256,
        schema=draft.schema_sha256,
        outputs=None if job.outputs is None else hashlib.sha256(job.outputs.content).hexdigest(),
        input=draft.input_sha256,
        environment=draft.environment,
        world=draft.world,
        base_url=draft.base_url,
        review_url=draft.review_url,
        procedure=(draft.procedure_id, draft.procedure_version, draft.mode, draft.timeout_ms),
        params=dict(draft.params),
        selection=(choice.rows, choice.limit, choice.skip_invalid),
        pace=(draft.settings["rate"], draft.settings["concurrency"]),
    )


def _prove_approval(found: Approved, job: LoadedJob) -> None:
    approval, name = found.approval, found.file.approval_path.name
    fault = approvals.approver_fault(approval.approver, job.spec.approvers) or signature_fault(
        approval, job.spec.approvers
    )
    if fault is not None:
        raise PlanRefused(
            f"{name} does not count: {fault}; nothing was sent. Move it away, and have the plan approved once more",
            code="approval-not-proved",
            next=approve_command(found.file.path),
        )
    if job.spec.approval == "signed" and not approval.signed:
        raise PlanRefused(
            f"{job.file.path.name} wants a signed approval, and {name} is only a claim: approved by {approval.told}; "
            "nothing was sent. Make a key with: batchrun key new, and have a new plan approved with it",
            code="not-signed",
        )


def signature_fault(approval: Approval, approvers: dict[str, str] | None) -> str | None:
    """Say why a signature does not count; None where it does, or where nothing was signed."""
    fault = approvals.key_fault(approval, approvers, {} if approvers is not None else approval_keys.known_keys())
    if fault is not None:
        return fault
    return "its signature is broken" if approval_keys.is_broken(approval) else None


def refuse_other_rows(journal: Journal, batch_id: int, found: Approved, weighed: Weighed) -> None:
    """Hold the very rows that are about to be sealed, and sent from there, against the plan."""
    with journal.reading() as connection:
        rows = journal_plans.staged_rows(connection, batch_id)
    fault = plans.row_difference(found.plan, rows)
    if fault is None and plans.figures_differ(found.plan, weighed.counts, as_json(weighed.totals.controls())):
        fault = "the rows, or their sums, are others than in the plan"
    _refuse(found.file, [] if fault is None else [fault])


def refuse_other_batch(found: Approved, twin: Batch) -> None:
    """Refuse to go on (--or-resume) with a batch that was not begun by this very plan."""
    if twin.settings.get("plan", {}).get("sha256") != found.file.sha256:
        raise PlanRefused(
            f"this very job ran before as {twin.name}, and not by {found.file.path.name}; nothing was sent now",
            next=f"batchrun status {twin.name}",
        )


def keep(journal: Journal, found: Approved) -> None:
    """Keep the bytes of plan and approval in the journal."""
    with journal.writing() as connection:
        journal_files.keep_bytes(connection, found.file.content)
        journal_files.keep_bytes(connection, found.approval_content)
