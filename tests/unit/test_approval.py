"""Approvals: who may give one, and whose signature counts."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from batchrun.core import approval, public_key, sealed_document
from batchrun.core.approval import Approval, read_approval, same_person

KEYS = [public_key.key_text(bytes([number]) * 32) for number in range(3)]
SIGNATURE = base64.b64encode(b"s" * 64).decode()


def made(**more: Any) -> Approval:
    parts: dict[str, Any] = {"plan": "p.plan.json", "plan_sha256": "0" * 64, "approver": "ana", "approved_at": "2026"}
    return Approval(**{**parts, "signed": False, **more})


def signed(key: str = KEYS[0], **more: Any) -> Approval:
    return made(signed=True, public_key=key, signature=SIGNATURE, **more)


@pytest.mark.parametrize(
    "name",
    [
        "ana",
        "ANA",
        " ana ",
        "ａｎａ",
        "CORP\\ana",
        "corp/Ana",
        "ana@corp.example",
        "\u00a0ana",
        '"ana"',
        "ana.",
        "an a",
        "äna",
    ],
)
def test_however_it_is_written_a_maker_is_the_same_person(name: str) -> None:
    assert same_person(name, "ana")
    assert same_person("ana", name)


@pytest.mark.parametrize("name", ["anna", "@", "\\", "ana.b", "corp"])
def test_another_name_is_another_person(name: str) -> None:
    assert not same_person(name, "CORP\\ana")


@pytest.mark.parametrize("name", ["Ana Smith", "Smith, Ana", "ANA-SMITH", "anasmith", "Ána  Smith", "a.n.a.smith"])
def test_a_login_of_two_names_is_the_person_who_has_them(name: str) -> None:
    assert same_person(name, "CORP\\ana.smith")
    assert same_person("ana.smith@corp.example", name)


def test_nobody_is_nobody() -> None:
    assert not same_person("", "")


@pytest.mark.parametrize(
    "name",
    ["", "  ", "\u00a0", "an\u200ba", "ana\u3164", "a\nb", "x" * 61, "Default", "--yes", "-", "."],
)
def test_a_name_that_says_nobody_or_hides_something_cannot_approve(name: str) -> None:
    assert approval.name_fault(name) is not None


@pytest.mark.parametrize("name", ["ana", "Ana Müller", "аня", " ana "])
def test_any_name_that_can_be_read_can_approve(name: str) -> None:
    assert approval.name_fault(name) is None


def test_an_approval_is_read_back_and_one_changed_byte_is_found() -> None:
    content = signed().sealed()
    assert read_approval(content) == signed()
    with pytest.raises(ValueError, match="seal"):
        read_approval(content.replace(b'"ana"', b'"bob"'))


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"signed": True},
        {"kind": "x"},
        {"more": 1},
        {"plan_sha256": "x"},
        {"public_key": KEYS[0]},
        {"approver": " "},
    ],
)
def test_a_well_sealed_document_that_is_no_approval_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no approval"):
        read_approval(sealed_document.sealed({**made().model_dump(), **change}))


def test_it_is_said_whether_an_approval_is_a_claim() -> None:
    assert made().told == "ana (claimed: not signed)"
    assert signed().told == "ana (signed)"


def test_what_is_signed_is_plan_approver_and_time() -> None:
    messages = {
        one.to_sign
        for one in (
            signed(),
            signed(approver="bob"),
            signed(approved_at="2027"),
            signed(plan_sha256="1" * 64),
            signed(plan="other.plan.json"),
            made(),
        )
    }
    assert len(messages) == 4


def test_the_jobs_approvers_decide_alone_whose_key_counts() -> None:
    approvers, known = {"Ana": KEYS[0], "bob": KEYS[1]}, {"ana": KEYS[1], "default": KEYS[1]}
    assert approval.key_fault(signed(), approvers, known) is None
    assert "another key" in str(approval.key_fault(signed(KEYS[1]), approvers, known))
    assert "not known in the job" in str(approval.key_fault(signed(approver="cy"), approvers, known))
    assert "not known in the job" in str(approval.key_fault(signed(approver="corp\\ana"), approvers, known))


def test_without_approvers_the_keys_of_this_computer_decide() -> None:
    assert approval.key_fault(signed(), None, {"ANA": KEYS[0], "default": KEYS[1]}) is None
    assert approval.key_fault(signed(KEYS[1]), None, {"default": KEYS[1]}) is None
    assert "another key" in str(approval.key_fault(signed(KEYS[1]), None, {"ana": KEYS[0], "default": KEYS[1]}))
    assert "not known on this computer" in str(approval.key_fault(signed(), None, {"bob": KEYS[0]}))
    assert approval.key_fault(made(), None, {}) is None


def test_who_is_no_approver_of_the_job_is_told_who_is() -> None:
    assert approval.approver_fault("ana", None) is None
    assert approval.approver_fault("ANA", {"ana": KEYS[0]}) is None
    assert "who are ana, cy" in str(approval.approver_fault("bob", {"ana": KEYS[0], "cy": KEYS[1]}))


def test_a_signature_is_given_as_bytes_or_called_broken() -> None:
    assert approval.signature_bytes(made()) is None
    assert approval.signature_bytes(signed()) == (bytes(32), b"s" * 64)
    for broken in ({"signature": "!"}, {"public_key": "ed25519:x"}):
        with pytest.raises(ValueError, match=r"."):
            approval.signature_bytes(signed().model_copy(update=broken))


def test_a_batch_remembers_who_approved_and_which_bytes() -> None:
    kept = approval.settings_of(signed(), "eve", "1" * 64, "p.approval.json")
    assert kept == {
        "name": "p.plan.json",
        "sha256": "0" * 64,
        "approval_name": "p.approval.json",
        "approval_sha256": "1" * 64,
        "approved_by": "ana",
        "signed": True,
        "made_by": "eve",
    }


@pytest.mark.parametrize("text", ["", "ed25519:", KEYS[0][:-1], KEYS[0].replace("A=", "B="), f"{KEYS[0]}\n", "rsa:x"])
def test_a_public_key_is_written_in_one_way_only(text: str) -> None:
    assert public_key.key_text(public_key.key_bytes(KEYS[0])) == KEYS[0]
    with pytest.raises(ValueError, match="no public key"):
        public_key.key_bytes(text)
