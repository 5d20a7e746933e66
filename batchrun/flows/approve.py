"""`approve`: a second person looks at a plan and approves its very bytes, signed where there is a key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batchrun.core import approval as approvals
from batchrun.core import public_key
from batchrun.core.approval import DEFAULT_KEY, Approval
from batchrun.core.plan import Plan
from batchrun.errors import BadCommandLine, BadKey, Declined, PlanRefused
from batchrun.flows.clock import SystemClock
from batchrun.flows.plan_file import PlanFile, read_approval, read_plan
from batchrun.flows.telling import Teller
from batchrun.io import approval_keys, system
from batchrun.io.approval_keys import SigningKey
from batchrun.io.journal_batches import text_time
from batchrun.io.whole_file import write_new


@dataclass(frozen=True, slots=True)
class Given:
    """An approval that was written."""

    file: PlanFile
    approval: Approval

    @property
    def next(self) -> str:
        """Give the command that runs the plan."""
        return f"batchrun run --plan {system.shell_word(str(self.file.path))}"

    def as_json(self) -> dict[str, Any]:
        """Give the document of `approve --json`."""
        plan = self.file.plan
        return {
            "version": 1,
            "plan": str(self.file.path),
            "approval": str(self.file.approval_path),
            "sha256": self.file.sha256,
            "approved_by": self.approval.approver,
            "signed": self.approval.signed,
            "told": f"approved by {self.approval.told}",
            "environment": plan.environment,
            "rows": plan.rows,
            "runs": plan.runs,
            "counts": plan.counts,
            "totals": plan.totals,
            "next": self.next,
            "error": None,
        }


@dataclass(frozen=True, slots=True)
class Approving:
    """A plan that this person may approve, and the key by which it would be signed."""

    file: PlanFile
    approver: str
    key: SigningKey | None


def prepared(path: Path, who: str) -> Approving:
    """Read a plan and find the approver's key; raise PlanRefused where this person cannot approve it."""
    fault = approvals.name_fault(who)
    if fault is not None:
        raise BadCommandLine(f"--as: {fault}")
    name = " ".join(who.split())
    file = read_plan(path)
    _refuse_approved(file)
    if approvals.same_person(name, file.plan.made_by):
        raise PlanRefused(
            f"{file.path.name} was made by {file.plan.made_by}, and nobody approves a plan of his own; "
            "a second person has to",
            code="same-person",
        )
    return Approving(file, name, _key(file.plan, name))


def _refuse_approved(file: PlanFile) -> None:
    place = file.approval_path
    if not os.path.lexists(place):
        return
    earlier, _ = read_approval(place)
    raise PlanRefused(
        f"{file.path.name} was approved by {earlier.told} on {earlier.approved_at[:19].replace('T', ' at ')} UTC "
        f"already; {place.name} is left as it is",
        code="approved-already",
    )


def _key(plan: Plan, name: str) -> SigningKey | None:
    fault = approvals.approver_fault(name, plan.approvers)
    if fault is not None:
        raise PlanRefused(fault, code="no-approver")
    key = approval_keys.find_key(name) or approval_keys.find_key(DEFAULT_KEY)
    if key is None and plan.approval == "signed":
        raise BadKey(
            f"the job wants a signed approval, and there is no key for {name} on this computer",
            next=f"batchrun key new --as {system.shell_word(name)}",
        )
    if key is not None and plan.approvers is not None and key.public != approvals.key_of(name, plan.approvers):
        raise BadKey(
            f"the key in {key.source} is not the one that the job names for {name} (approvers), so it would not count; "
            f"its public key is {key.public}"
        )
    return key


def approve(approving: Approving, teller: Teller, *, yes: bool) -> Given:
    """Ask, and write the approval beside the plan; never over another one."""
    file = approving.file
    if not yes:
        _ask(approving, teller)
    approval = _made(approving)
    try:
        write_new(file.approval_path, approval.sealed())
    except FileExistsError:
        _refuse_approved(file)
        raise
    except OSError as error:
        raise BadCommandLine(f"{file.approval_path} cannot be written: {error.strerror}") from None
    return Given(file, approval)


def _ask(approving: Approving, teller: Teller) -> None:
    told = approvals.told(approving.approver, signed=approving.key is not None)
    # Where nobody can answer, the command is the answer: to approve is all that it does.
    if teller.ask(f"Approve {approving.file.path.name} as {told}?") is False:
        raise Declined("nothing was approved")


def _made(approving: Approving) -> Approval:
    file, key = approving.file, approving.key
    approved_at = text_time(SystemClock().now())
    message = approvals.to_sign(file.sha256, approving.approver, approved_at)
    signature = None if key is None else key.sign(message)
    if key is not None and not approval_keys.is_signed(
        public_key.key_bytes(key.public), public_key.from_base64(str(signature)), message
    ):
        raise BadKey(f"the key in {key.source} gave a signature that does not hold; nothing was approved")
    return Approval(
        plan=file.path.name,
        plan_sha256=file.sha256,
        approver=approving.approver,
        approved_at=approved_at,
        signed=key is not None,
        public_key=None if key is None else key.public,
        signature=signature,
    )
