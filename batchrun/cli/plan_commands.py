"""The commands about plans: plan, approve, key new; and what `run --plan` takes along."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen
from batchrun.errors import BadCommandLine

if TYPE_CHECKING:
    from batchrun.core.plan import Plan
    from batchrun.flows.plan_file import PlanFile
    from batchrun.flows.planned import Approved

# What `run` takes beside --plan: nothing that changes what is sent.
BESIDE_A_PLAN = {
    *("job", "plan", "yes", "max_errors", "or_resume", "canary", "no_wait", "wait", "grace"),
    *("output", "events", "journal", "json", "quiet"),
}

PlanPath = Annotated[Path, typer.Argument(metavar="F.plan.json", help="The plan.", show_default=False)]


def plan(
    job: o.JobPath,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="F.plan.json", help="Where the plan is written.", show_default=False),
    ],
    environment: o.Environment = o.EnvironmentName.SANDBOX,
    param: o.Params = None,
    input: o.Input = None,
    limit: o.Limit = None,
    rows: o.Rows = None,
    skip_invalid: o.SkipInvalid = False,
    expect_rows: o.ExpectRows = None,
    expect_total: o.ExpectTotal = None,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Seal what would be run, for a second person to approve. Nothing is sent."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words
        from batchrun.flows import plan as flow
        from batchrun.flows.origins import origins

        choice = o.choice(environment, param, input, limit, rows, skip_invalid, expect_rows, expect_total)
        made = flow.plan(job, choice, origins(base_url, review_url), journal, output, screen)
        screen.answer(screen.bold(f"{made.plan.job} ({made.plan.environment}): planned, nothing was sent"))
        for line in words.states(made.counts, made.totals):
            screen.answer(line)
        for line in ("", f"Plan: {made.path}", f"Read it in: {made.workbook}", f"Next: {made.next}"):
            screen.answer(line)
        return made.as_json(), 0

    return answer(screen, "plan", work)


def approve(
    plan: PlanPath,
    who: Annotated[str, typer.Option("--as", metavar="NAME", help="Who approves.", show_default=False)],
    yes: o.Yes = False,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Approve a plan that somebody else made, as it is, byte for byte."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.flows import approve as flow

        approving = flow.prepared(plan, who)
        _show_plan(screen, approving.file)
        if approving.key is None:
            screen.say("There is no key of yours here, so the approval is claimed and not signed (batchrun key new).")
        given = flow.approve(approving, screen, yes=yes)
        screen.answer(screen.bold(f"{given.file.path.name}: approved by {given.approval.told}"))
        for line in (f"Approval: {given.file.approval_path}", f"Next: {given.next}"):
            screen.answer(line)
        return given.as_json(), 0

    return answer(screen, "approve", work)


def _show_plan(screen: Screen, file: PlanFile) -> None:
    from batchrun.cli.words import table
    from batchrun.core.moments import to_the_minute
    from batchrun.io.plan_workbook import chosen_rows, params, rehearsal

    plan = file.plan
    where = "LIVE" if plan.environment == "live" else plan.environment
    lines = [
        ["environment", where],
        ["procedure", f"{plan.procedure}, version {plan.procedure_version or 'the published default'}"],
        ["API", plan.base_url],
        *([["params", params(plan)]] if plan.params else []),
        ["input", plan.input.name],
        ["chosen rows", chosen_rows(plan)],
        ["rows", f"{plan.rows:,}, of which {plan.counts.get('ready', 0):,} would be sent in {plan.runs:,} runs"],
        ["left out", _left_out(plan)],
        *([f"total of {column}", _sum(by_state)] for column, by_state in plan.totals.items()),
        ["rehearsal", rehearsal(plan)],
        ["made", f"by {plan.made_by} on {plan.host}, {to_the_minute(plan.made_at)} UTC"],
        ["SHA-256", file.sha256],
    ]
    screen.answer(screen.bold(f"{file.path.name}: {plan.job}"))
    for line in table(lines):
        screen.answer(line)
    for note in plan.notes:
        screen.warn(note)


def _left_out(plan: Plan) -> str:
    left = {state: count for state, count in plan.counts.items() if state != "ready"}
    return ", ".join(f"{state} {count:,}" for state, count in left.items()) or "none"


def _sum(by_state: dict[str, str]) -> str:
    from decimal import Decimal

    def shown(text: str) -> str:
        return f"{Decimal(text):,f}"

    left = "".join(f", {state} {shown(text)}" for state, text in by_state.items() if state != "ready")
    return f"{shown(by_state.get('ready', '0'))} would be sent{left}"


def key_new(
    who: Annotated[str | None, typer.Option("--as", metavar="NAME", help="Whose key it is.")] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Make a key that signs approvals. Its private half is never shown."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.core import yaml_words
        from batchrun.core.approval import DEFAULT_KEY, name_fault
        from batchrun.io.approval_keys import make_key

        fault = None if who is None else name_fault(who)
        if fault is not None:
            raise BadCommandLine(f"--as: {fault}")
        made = make_key(who)
        screen.answer(made.public)
        approvers = yaml_words.value({"NAME" if made.name == DEFAULT_KEY else made.name: made.public})
        screen.say(f"The private key is kept in {made.kept_in}, and is never shown.")
        screen.say(f"Into the job, so that this signature counts: approvers: {approvers}")
        screen.say(f"For jobs without approvers it is known on this computer by {made.public_file}.")
        document = {
            "version": 1,
            "name": None if made.name == DEFAULT_KEY else made.name,
            "public_key": made.public,
            "public_key_file": str(made.public_file),
            "kept_in": made.kept_in,
            "error": None,
        }
        return document, 0

    return answer(screen, "key new", work)


def approved(context: typer.Context, plan: Path, job: Path | None) -> Approved:
    """Read the plan that `run` goes by; raise BadCommandLine for an option that would change what is sent."""
    from batchrun.flows import planned

    given = [
        max(parameter.opts, key=len)
        for parameter in context.command.params
        if parameter.name not in BESIDE_A_PLAN and _is_given(context, str(parameter.name))
    ]
    if given:
        raise BadCommandLine(
            f"{' and '.join(given)} cannot go with --plan: what is sent was settled when the plan was made; "
            "make a new plan for anything else"
        )
    return planned.approved(plan, job)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
