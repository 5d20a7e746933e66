"""Approvals of a plan: who may give one, what is signed, and whose signature counts."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from batchrun.core import public_key, sealed_document

KIND = "batchrun approval"
DEFAULT_KEY = "default"  # the name of the key that was made for nobody by name
MOST_LETTERS = 60
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")  # letters and a sign that show as a blank
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class SealedPart(BaseModel):
    """What every part of a sealed document shares."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Approval(SealedPart):
    """That a person approved a plan, by the SHA-256 of its bytes."""

    kind: Literal["batchrun approval"] = "batchrun approval"
    version: Literal[1] = 1
    plan: str
    plan_sha256: Sha256
    approver: str
    approved_at: str
    signed: bool
    public_key: str | None = None
    signature: str | None = None

    @model_validator(mode="after")
    def _signed_or_not(self) -> Approval:
        if {self.signed} != {self.public_key is not None, self.signature is not None}:
            raise ValueError("signed goes with a key and a signature")
        if (fault := name_fault(self.approver)) is not None:
            raise ValueError(fault)
        return self

    @property
    def told(self) -> str:
        """Say who approved, and whether that is proved: `ana (claimed: not signed)`."""
        return told(self.approver, signed=self.signed)

    @property
    def to_sign(self) -> bytes:
        """Give the bytes that the signature is over."""
        return to_sign(self.plan_sha256, self.approver, self.approved_at)

    def sealed(self) -> bytes:
        """Give the approval's bytes."""
        return sealed_document.sealed(self.model_dump())


def told(approver: str, *, signed: bool) -> str:
    """Say who approved, and whether that is proved."""
    return f"{approver} (signed)" if signed else f"{approver} (claimed: not signed)"


def to_sign(plan_sha256: str, approver: str, approved_at: str) -> bytes:
    """Give the bytes by which a plan is approved; they begin with what they are, so that they mean nothing else."""
    return sealed_document.canonical(
        {"kind": KIND, "plan_sha256": plan_sha256, "approver": approver, "approved_at": approved_at}
    )


def read_approval(content: bytes) -> Approval:
    """Read an approval's bytes; raise ValueError where one of them was altered, or they are none."""
    try:
        return Approval.model_validate(sealed_document.opened(content))
    except ValidationError:
        raise ValueError("it is no approval of this version") from None


def person(name: str) -> str:
    """Give a person's name as names are compared: composed (NFKC), trimmed, without regard to case."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def name_fault(name: str) -> str | None:
    """Say why a name cannot be an approver's; None for one that can."""
    if not person(name):
        return "the name is empty; say who approves"
    if not name.strip().isprintable() or not _UNSEEN.isdisjoint(name):
        return "the name holds a character that cannot be seen; type it again"
    if len(name.strip()) > MOST_LETTERS:
        return f"the name is longer than {MOST_LETTERS} letters"
    if name.strip().startswith("-") or not _unmarked(name):  # as in `--as --yes`
        return f'"{name.strip()}" is nobody\'s name; say who approves'
    if person(name) == DEFAULT_KEY:
        return f'nobody is called "{DEFAULT_KEY}"; say who approves'
    return None


def same_person(one: str, other: str) -> bool:
    """Tell whether two names may be one person's; of a login (`CORP\\ana`, `ana@corp.com`) its plain part counts, too.

    Blanks, accents, dots and other marks make nobody another person, and neither does the order of the names:
    `ana.smith`, `Ana Smith` and `Smith, Ana` are one. This errs on the side of one person: it decides who may not
    approve his own plan.
    """
    return bool(_forms(one) & _forms(other))


def _forms(name: str) -> set[str]:
    whole = person(name)
    login = whole.rpartition("\\")[2].rpartition("/")[2]
    forms = {whole, login, login.partition("@")[0]}
    return (forms | {_unmarked(form) for form in forms} | {_in_order(form) for form in forms}) - {""}


def _unmarked(name: str) -> str:
    return "".join(_words(name))


def _in_order(name: str) -> str:
    return " ".join(sorted(_words(name)))


def _words(name: str) -> list[str]:
    letters = [sign for sign in unicodedata.normalize("NFKD", name) if not unicodedata.combining(sign)]
    return "".join(sign if sign.isalnum() else " " for sign in letters).split()


def key_of(approver: str, keys: Mapping[str, str]) -> str | None:
    """Find a person's public key among those that are known by name."""
    return next((key for name, key in keys.items() if person(name) == person(approver)), None)


def approver_fault(approver: str, approvers: Mapping[str, str] | None) -> str | None:
    """Say that a person is none of those who may approve, where the job names them."""
    if approvers is None or key_of(approver, approvers) is not None:
        return None
    return f"{approver} is none of the job's approvers, who are {', '.join(approvers)}"


def key_fault(approval: Approval, approvers: Mapping[str, str] | None, known: Mapping[str, str]) -> str | None:
    """Say why the key of a signature is not the approver's; None where it is, or where nothing was signed.

    The job's `approvers` decide alone where there are any; else a key of that name on this computer, else the one
    made for nobody by name.
    """
    if approval.public_key is None:
        return None
    if approvers is not None:
        wanted, where = key_of(approval.approver, approvers), "in the job (approvers)"
    else:
        wanted, where = key_of(approval.approver, known) or known.get(DEFAULT_KEY), "on this computer"
    if wanted is None:
        return f"it is signed with a key that is not known {where}"
    if wanted != approval.public_key:
        return f"it is signed with another key than the one known for {approval.approver} {where}"
    return None


def signature_bytes(approval: Approval) -> tuple[bytes, bytes] | None:
    """Give the public key and the signature as bytes; None where nothing was signed. ValueError where they are none."""
    if approval.public_key is None or approval.signature is None:
        return None
    return public_key.key_bytes(approval.public_key), public_key.from_base64(approval.signature)


def settings_of(approval: Approval, plan_made_by: str, sha256: str, name: str) -> dict[str, Any]:
    """Give what a batch remembers of the plan it was run by."""
    return {
        "name": approval.plan,
        "sha256": approval.plan_sha256,
        "approval_name": name,
        "approval_sha256": sha256,
        "approved_by": approval.approver,
        "signed": approval.signed,
        "made_by": plan_made_by,
    }
