"""Whether the plan and the approval in an auditor's pack say what its batch says of them, and hold by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from batchrun.core import approval as approvals
from batchrun.core import plan as plans
from batchrun.core.approval import Approval
from batchrun.core.evidence import Fault, kept_files
from batchrun.core.plan import Plan
from batchrun.io.approval_keys import is_broken

ALTERED = "it is not as batchrun writes it: its seal does not fit the rest of it"


def faults(batch: Mapping[str, Any], read: Callable[[str], bytes | None]) -> Iterator[Fault]:
    """Hold plan and approval against the batch; `read` gives a member's bytes, None where it is not in the pack."""
    said = batch["settings"].get("plan") or {}
    places = {kept.what: kept.member for kept in kept_files(batch)}
    plan: Plan | None = None
    if (member := places.get("the plan")) is not None and (content := read(member)) is not None:
        try:
            plan = plans.read_plan(content)
        except ValueError:
            yield Fault(member, ALTERED)
        else:
            yield from (Fault(member, told) for told in _plan_faults(said, plan))
    if (member := places.get("the approval of the plan")) is not None and (content := read(member)) is not None:
        try:
            approval = approvals.read_approval(content)
        except ValueError:
            yield Fault(member, ALTERED)
        else:
            yield from (Fault(member, told) for told in _approval_faults(said, approval, plan))


def _plan_faults(said: Mapping[str, Any], plan: Plan) -> Iterator[str]:
    if plan.made_by != said["made_by"]:
        yield f"it was made by {plan.made_by}, and the journal says {said['made_by']}"


def _approval_faults(said: Mapping[str, Any], approval: Approval, plan: Plan | None) -> Iterator[str]:
    if approval.plan_sha256 != said["sha256"]:
        yield "it approves another plan than the one that the batch was run by"
    if (approval.approver, approval.signed) != (said["approved_by"], said["signed"]):
        journal = approvals.told(said["approved_by"], signed=said["signed"])
        yield f"it was given by {approval.told}, and the journal says {journal}"
    if is_broken(approval):
        yield f"its signature is broken: {approval.approver} did not sign this with the key that it names"
    elif plan is not None and plan.approvers is not None:
        fault = approvals.key_fault(approval, plan.approvers, {})
        yield from [] if fault is None else [fault]
