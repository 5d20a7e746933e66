"""Who may approve, what a claim is and what a signature, and what a job may ask for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from plan_desk import APPROVAL, MAKER, PLAN, PlanDesk, at_a_plan_desk, reseal

OTHER = "ed25519:yaiFg1FUn8/hR5eICgNSBVnWi1S5FWJly3/D/4/VSyo="


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PlanDesk]:
    with at_a_plan_desk(tmp_path) as one:
        yield one


def test_the_maker_cannot_approve_and_neither_can_nobody(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    for who in (MAKER, "EVE ", "ｅｖｅ", f"CORP\\{MAKER}", f"{MAKER}@corp.example", "E ve", "--yes", "", "e\u200bve"):
        refused = desk.approve(who=who).ended(2).document
        assert not (desk.folder / APPROVAL).exists()
    assert set(refused) >= {"plan", "approval", "approved_by", "signed", "next"}


def test_the_makers_plain_login_cannot_approve_what_was_made_under_the_whole_one(desk: PlanDesk) -> None:
    desk.environment |= {"USER": "CORP\\eve", "LOGNAME": "CORP\\eve"}
    desk.plan().ended(0)
    assert "nobody approves a plan of his own" in desk.approve(who="Eve").ended(2).document["error"]["message"]


def test_an_approval_shows_what_is_approved_and_is_its_own_answer_where_nobody_can_be_asked(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    asked = desk.command("approve", PLAN, "--as", "ana").ended(0)
    figures = [
        "sandbox",
        desk.server.origin,
        "5, of which 5 would be sent",
        "total of Amount",
        "rehearsal",
        "by eve on",
    ]
    for figure in figures:
        assert figure in asked.stdout
    assert (desk.folder / APPROVAL).exists()


def test_an_approval_shows_the_params_and_the_rows_that_were_chosen(desk: PlanDesk) -> None:
    desk.job(lambda text: f"{text}params: {{period: {{default: 2026-10}}}}\n")
    desk.plan("--param", "period=2026-11", "--rows", "2-4").ended(0)
    shown = desk.command("approve", PLAN, "--as", "ana").ended(0).stdout
    assert "period 2026-11" in shown and "rows 2-4" in shown


def test_an_approval_says_that_it_is_a_claim(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    given = desk.approve().ended(0)
    assert given.document["told"] == "approved by ana (claimed: not signed)"
    assert given.document["signed"] is False
    assert "approved by ana (claimed: not signed)" in given.words


def test_a_second_approval_does_not_take_the_place_of_the_first(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    desk.approve().ended(0)
    before = (desk.folder / APPROVAL).read_bytes()
    again = desk.approve(who="bob").ended(2).document["error"]["message"]
    assert "was approved by ana (claimed: not signed) on 20" in again
    assert (desk.folder / APPROVAL).read_bytes() == before


def test_a_plan_that_was_altered_cannot_be_approved(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    (desk.folder / PLAN).write_bytes((desk.folder / PLAN).read_bytes().replace(b'"rows": 5', b'"rows": 4'))
    assert desk.approve().ended(2).document["error"]["code"] == "plan-altered"
    assert "no plan at" in desk.approve(plan="none.plan.json").ended(2).document["error"]["message"]
    assert "cannot be read" in desk.approve(plan="state").ended(2).document["error"]["message"]
    assert desk.approve(plan="payouts.csv").ended(2).document["error"]["code"] == "no-plan"


def test_a_key_is_made_once_is_private_and_its_private_half_is_never_shown(desk: PlanDesk) -> None:
    made = desk.command("key", "new", "--as", "Ana", "--json").ended(0)
    private = Path(made.document["kept_in"])
    assert private.stat().st_mode & 0o777 == 0o600
    assert private.parent.stat().st_mode & 0o777 == 0o700
    secret = private.read_text(encoding="ascii").strip()
    assert secret not in made.stdout + made.stderr
    assert Path(made.document["public_key_file"]).read_text(encoding="ascii").strip() == made.document["public_key"]
    for who in ("Ana", "ANA"):
        again = desk.command("key", "new", "--as", who, "--json").ended(2).document
        assert "left as it is" in again["error"]["message"]
    assert private.read_text(encoding="ascii").strip() == secret
    assert desk.key_new() != made.document["public_key"]
    assert desk.command("key", "new", "--as", "default").code == 2
    assert desk.command("key", "new", "--as", "x" * 61).code == 2


def test_a_job_that_asks_for_an_approval_is_not_run_without_a_plan_but_can_be_rehearsed(desk: PlanDesk) -> None:
    desk.asks_for("required")
    refused = desk.run("--limit", "3").ended(2).document
    assert "approval: required" in refused["error"]["message"]
    planned = f"batchrun plan payouts.yaml -o payouts.plan.json --limit 3 --base-url {desk.server.origin}"
    assert refused["next"] == planned
    assert desk.server.requests == []
    desk.run("--simulate").ended(0)
    desk.command(*planned.split()[1:]).ended(0)
    desk.approve(plan="payouts.plan.json").ended(0)
    desk.run_plan(plan="payouts.plan.json").ended(0)
    assert len(desk.server.runs) == 3


def test_a_job_that_asks_for_a_signature_takes_no_claim(desk: PlanDesk) -> None:
    desk.asks_for("signed")
    desk.plan().ended(0)
    no_key = desk.approve().ended(2).document
    assert no_key["next"] == "batchrun key new --as ana"
    assert not (desk.folder / APPROVAL).exists()
    desk.key_new()
    given = desk.approve().ended(0)
    assert given.document["told"] == "approved by ana (signed)"
    assert "approved by ana (signed)" in desk.run_plan().ended(0).words


def test_a_claim_made_elsewhere_does_not_pass_for_a_signature(desk: PlanDesk) -> None:
    desk.asks_for("signed")
    desk.plan().ended(0)
    desk.key_new()
    desk.approve().ended(0)

    def unsign(approval: dict[str, object]) -> None:
        approval.update(signed=False, public_key=None, signature=None)

    reseal(desk.folder / APPROVAL, unsign)
    assert desk.refused(said="is only a claim").document["error"]["code"] == "not-signed"


def test_a_broken_or_unknown_signature_is_refused_and_not_taken_for_a_claim(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    desk.key_new("--as", "ana")
    desk.approve().ended(0)
    path = desk.folder / APPROVAL
    before = path.read_bytes()
    signature = json.loads(before)["signature"]
    for name, value in (
        ("approver", "ANA"),
        ("approved_at", "2026-01-01T00:00:00.000000Z"),
        ("signature", f"{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"),
        ("signature", "not base64"),
        ("public_key", OTHER),
    ):
        path.write_bytes(before)
        reseal(path, lambda approval, new={name: value}: approval.update(new))  # type: ignore[misc]
        refused = desk.refused(said=f"{APPROVAL} does not count").document["error"]["message"]
        assert ("another key" if name == "public_key" else "its signature is broken") in refused
    assert desk.batches() == []


def test_a_signature_counts_only_with_the_key_that_the_job_names(desk: PlanDesk) -> None:
    ana = desk.key_new("--as", "ana")
    desk.asks_for("signed", ana=OTHER)
    desk.plan().ended(0)
    assert "is not the one that the job names for ana" in desk.approve().ended(2).document["error"]["message"]
    assert "who are ana" in desk.approve(who="bob").ended(2).document["error"]["message"]
    for path in (PLAN, "october.plan.xlsx"):
        (desk.folder / path).unlink()
    desk.asks_for("signed", ana=ana)
    desk.plan().ended(0)
    desk.approve(who="Ana").ended(0)
    for path in (desk.folder / "home" / "state").rglob("*.pub"):
        path.unlink()  # the job's own word is enough
    desk.run_plan().ended(0)


def test_a_key_that_is_not_known_here_is_refused(desk: PlanDesk) -> None:
    desk.plan().ended(0)
    desk.key_new()
    desk.approve().ended(0)
    (public,) = (desk.folder / "home" / "state").rglob("*.pub")
    public.write_text("nonsense", encoding="ascii")
    desk.refused(said="holds no public key")
    public.unlink()
    desk.refused(said="a key that is not known on this computer")


def test_the_plan_and_its_approval_are_kept_in_the_journal(desk: PlanDesk) -> None:
    from batchrun.io import journal_batches, journal_files
    from batchrun.io.journal import open_journal

    desk.plan().ended(0)
    desk.key_new()
    desk.approve().ended(0)
    desk.run_plan().ended(0)
    journal = open_journal(desk.journal)
    with journal.reading() as connection:
        batch = journal_batches.last(connection)
        assert batch is not None
        kept = batch.settings["plan"]
        assert journal_files.kept_bytes(connection, kept["sha256"]) == (desk.folder / PLAN).read_bytes()
        assert journal_files.kept_bytes(connection, kept["approval_sha256"]) == (desk.folder / APPROVAL).read_bytes()
    journal.close()
    assert kept == {
        "name": PLAN,
        "approval_name": APPROVAL,
        "approved_by": "ana",
        "signed": True,
        "made_by": MAKER,
        "sha256": kept["sha256"],
        "approval_sha256": kept["approval_sha256"],
    }
    assert json.loads((desk.folder / APPROVAL).read_bytes())["plan_sha256"] == kept["sha256"]


@pytest.mark.parametrize("answer", [True, False])
def test_only_a_yes_approves(desk: PlanDesk, answer: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchrun.errors import Declined
    from batchrun.flows import approve as flow

    asked: list[str] = []

    class Person:
        def ask(self, question: str) -> bool | None:
            asked.append(question)
            return answer

    monkeypatch.setenv("XDG_STATE_HOME", desk.environment["XDG_STATE_HOME"])
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", desk.environment["PYTHON_KEYRING_BACKEND"])
    desk.plan().ended(0)
    approving = flow.prepared(desk.folder / PLAN, "ana")
    if answer:
        assert not flow.approve(approving, Person(), yes=False).approval.signed  # type: ignore[arg-type]
    else:
        with pytest.raises(Declined):
            flow.approve(approving, Person(), yes=False)  # type: ignore[arg-type]
    assert asked == ["Approve october.plan.json as ana (claimed: not signed)?"]
    assert (desk.folder / APPROVAL).exists() == answer


def test_of_two_approvals_at_once_one_is_told_of_the_other(desk: PlanDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchrun.errors import PlanRefused
    from batchrun.flows import approve as flow

    monkeypatch.setenv("XDG_STATE_HOME", desk.environment["XDG_STATE_HOME"])
    desk.plan().ended(0)
    both = [flow.prepared(desk.folder / PLAN, who) for who in ("ana", "bob")]
    flow.approve(both[0], None, yes=True)  # type: ignore[arg-type]
    with pytest.raises(PlanRefused, match="was approved by ana"):
        flow.approve(both[1], None, yes=True)  # type: ignore[arg-type]


def test_the_whole_way_as_processes(desk: PlanDesk) -> None:
    desk.asks_for("signed")
    url = ("--base-url", desk.server.origin)
    desk.in_a_process("plan", "payouts.yaml", "-o", PLAN, *url).ended(0)
    assert desk.in_a_process("key", "new", "--as", "ana").ended(0).stdout.startswith("ed25519:")
    assert "signed" in desk.in_a_process("approve", PLAN, "--as", "ana", "--yes").ended(0).stdout
    assert "--base-url cannot go with --plan" in desk.in_a_process("run", "--plan", PLAN, *url).ended(2).stderr
    done = desk.in_a_process("run", "--plan", PLAN).ended(0)
    assert "approved by ana (signed)" in done.stderr
    assert len(desk.server.runs) == 5
