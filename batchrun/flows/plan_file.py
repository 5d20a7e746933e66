"""A plan and its approval as they stand on disk: not a byte may be another than when they were written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from batchrun.core import approval as approvals
from batchrun.core import plan as plans
from batchrun.core import sealed_document
from batchrun.core.approval import Approval
from batchrun.core.plan import Plan
from batchrun.errors import PlanRefused
from batchrun.flows.other_files import refuse_no_plan

LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class PlanFile:
    """A plan as it stands on disk: its bytes, and what they say."""

    path: Path
    content: bytes
    plan: Plan

    @property
    def sha256(self) -> str:
        """Give the SHA-256 of the file's bytes."""
        return sealed_document.sha256(self.content)

    @property
    def approval_path(self) -> Path:
        """Give the place of its approval."""
        return self.path.with_name(plans.approval_name(self.path.name))


def read_plan(path: Path) -> PlanFile:
    """Read a plan; raise PlanRefused where it is missing, or one of its bytes was altered."""
    refuse_no_plan(path)
    content = _bytes_of(path, "plan")
    try:
        return PlanFile(path.resolve(), content, plans.read_plan(content))
    except ValueError:
        raise PlanRefused(
            f"{path.name} is not as batchrun wrote it: it was altered since, or it is no plan of this version; "
            "nothing was sent. Make the plan once more, and have it approved",
            code="plan-altered",
        ) from None


def read_approval(path: Path) -> tuple[Approval, bytes]:
    """Read an approval; raise PlanRefused where one of its bytes was altered."""
    content = _bytes_of(path, "approval")
    try:
        return approvals.read_approval(content), content
    except ValueError:
        raise PlanRefused(
            f"{path.name} is not as batchrun wrote it: it was altered since, or it is no approval of this version; "
            "nothing was sent. Move it away, and have the plan approved once more",
            code="approval-altered",
        ) from None


def _bytes_of(path: Path, what: str) -> bytes:
    try:
        if path.stat().st_size > LARGEST:
            raise PlanRefused(f"{path.name} is much too large for {what}; nothing was sent")
        return path.read_bytes()
    except FileNotFoundError:
        raise PlanRefused(f"there is no {what} at {path}; nothing was sent", code=f"{what}-missing") from None
    except OSError as error:
        raise PlanRefused(f"the {what} {path} cannot be read: {error.strerror}; nothing was sent") from None
