"""A pack's manifest and the names in it: read back as written, and refused where they are no work of batchrun's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchrun.core import evidence
from batchrun.core.evidence import MANIFEST, Manifest, Member, Missing, Newer, parse_manifest
from batchrun.core.evidence_words import FILES, readme

SHA = "ab" * 32
MANIFEST_HERE = Manifest(
    batch="payouts-001",
    made_at="2026-11-22T08:00:00.000000Z",
    made_by="anna on desk",
    made_with="batchrun 0.1.0",
    running=False,
    missing=(Missing("the input (input/in.csv)", "it was removed"),),
    members=(Member("README.txt", 3, SHA, 5, SHA), Member("spec/job.yaml", 0, SHA, 2, SHA)),
)
BATCH: dict[str, Any] = {
    "spec_path": "C:\\jobs\\Zahlungen März.yaml",
    "spec_sha256": "1" * 64,
    "schema_name": "s.json",
    "schema_sha256": "2" * 64,
    "input_name": 'in "1".csv',
    "input_sha256": "3" * 64,
    "settings": {},
}


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    assert parse_manifest(MANIFEST_HERE.to_json()) == MANIFEST_HERE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("members", 0, "size"), -1),
        (("members", 0, "size"), True),
        (("members", 0, "packed_size"), "5"),
        (("members", 0, "sha256"), SHA.upper()),
        (("members", 0, "packed_sha256"), None),
        (("members", 0, "name"), 7),
        (("members", 0, "more"), 7),
        (("members",), {"a": 1}),
        (("missing", 0, "why"), 7),
        (("running",), "no"),
        (("batch",), None),
        (("format",), "1"),
        (("format",), 0),
        (("more",), 1),
    ],
)
def test_what_is_no_manifest_of_batchrun_is_refused(path: tuple[Any, ...], value: Any) -> None:
    document = json.loads(MANIFEST_HERE.to_json())
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(ValueError, match="not a list"):
        parse_manifest(json.dumps(document).encode())


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"7", b"{}", b"\xff", b'{"format": 1}', b'{"format": 1, "members": 7}']
)
def test_what_is_no_json_object_of_that_kind_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="not a list"):
        parse_manifest(content)


def test_a_manifest_of_a_later_form_says_what_made_it() -> None:
    with pytest.raises(Newer, match=r"batchrun 9\.0"):
        parse_manifest(b'{"format": 2, "made_with": "batchrun 9.0"}')


LISTED = ["README.txt", "spec/job.yaml"]


def test_the_names_of_a_whole_pack_have_no_fault() -> None:
    assert list(evidence.name_faults([*LISTED, MANIFEST], LISTED)) == []


@pytest.mark.parametrize(
    ("found", "member", "said"),
    [
        (["README.txt", MANIFEST], "spec/job.yaml", "missing"),
        ([*LISTED, "README.txt", MANIFEST], "README.txt", "2 times"),
        ([*LISTED, MANIFEST, "more.txt"], "more.txt", "was added"),
        ([*LISTED, MANIFEST, "../../etc/passwd"], "../../etc/passwd", "leads out"),
        ([*LISTED, MANIFEST, "/etc/passwd"], "/etc/passwd", "leads out"),
        ([*LISTED, MANIFEST, "C:\\x"], "C:\\x", "leads out"),
    ],
)
def test_a_member_too_few_or_too_many_is_named(found: list[str], member: str, said: str) -> None:
    (fault,) = evidence.name_faults(found, LISTED)
    assert (fault.member, said in fault.message) == (member, True)


@pytest.mark.parametrize("name", ["evil.exe", "../x", "spec/a/b", "elsewhere/x", "spec/..", MANIFEST])
def test_a_manifest_that_lists_what_no_pack_holds_is_told(name: str) -> None:
    faults = list(evidence.name_faults([*LISTED, name, MANIFEST], [*LISTED, name]))
    assert MANIFEST in [fault.member for fault in faults]


def test_a_files_name_becomes_one_that_every_system_can_unpack() -> None:
    assert evidence.member_name("input", "/a/b/Zahlungen März.csv") == "input/Zahlungen März.csv"
    assert evidence.member_name("input", 'C:\\a\\x:y*"z".csv') == "input/x_y__z_.csv"
    assert evidence.member_name("input", "..") == "input/file"
    long = evidence.member_name("input", "a" * 300 + ".xlsx")
    assert (len(long), long.endswith("a.xlsx")) == (len("input/") + evidence.LONGEST_NAME, True)


def test_the_files_of_a_batch_are_those_that_it_names() -> None:
    names = [kept.member for kept in evidence.kept_files(BATCH)]
    assert names == ["spec/Zahlungen März.yaml", "schema/s.json", "input/in _1_.csv"]


def test_plan_approval_and_review_outputs_come_along() -> None:
    settings = {
        "plan": {"name": "p.json", "sha256": "4" * 64, "approval_name": "p.json", "approval_sha256": "5" * 64},
        "review": {"outputs": "6" * 64, "outputs_name": "o.json"},
    }
    found = {kept.member: kept.sha256[0] for kept in evidence.kept_files({**BATCH, "settings": settings})}
    assert found == {
        "spec/Zahlungen März.yaml": "1",
        "schema/s.json": "2",
        "input/in _1_.csv": "3",
        "schema/review-outputs-o.json": "6",
        "plan/plan-p.json": "4",
        "plan/approval-p.json": "5",
    }
    assert len(evidence.kept_files({**BATCH, "settings": {"plan": None, "review": {"outputs": None}}})) == 3


def test_a_file_that_was_handed_in_is_named_by_its_hash() -> None:
    assert evidence.handed_in_name(SHA, "mine.xlsx") == f"handed-in/{SHA}-mine.xlsx"


def test_the_page_names_every_member_that_a_pack_can_have() -> None:
    page = readme("payouts-001", "now", "anna", [Missing("the input", "it was removed")], running=True)
    assert all(name in page for name in FILES)
    assert "being sent" in page
    assert "- the input: it was removed" in page
    assert "being sent" not in readme("payouts-001", "now", "anna", [], running=False)
    assert all(len(line) <= 100 for line in page.splitlines())
    members = {evidence.VERSIONS, evidence.BATCH, evidence.ROWS, evidence.EVENTS, evidence.RUN_IDS, MANIFEST}
    assert members | {evidence.DECISIONS, evidence.CORRECTIONS} <= set(FILES)
