"""The commands about a job: check, run, schema."""

from __future__ import annotations

import gc
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen
from batchrun.errors import BadCommandLine

if TYPE_CHECKING:
    from batchrun.flows.check import CheckReport
    from batchrun.io.marked_copy import Report


def check(
    job: o.JobPath,
    environment: o.Environment = o.EnvironmentName.SANDBOX,
    param: o.Params = None,
    input: o.Input = None,
    limit: o.Limit = None,
    rows: o.Rows = None,
    skip_invalid: o.SkipInvalid = False,
    expect_rows: o.ExpectRows = None,
    expect_total: o.ExpectTotal = None,
    show: Annotated[int, o.number_option("--show", least=0, such_as=3, help="Print the first N request bodies.")] = 0,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="F.xlsx", help="Write a copy of the sheet with the bad cells marked."),
    ] = None,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Read, map and validate every row; send nothing."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.flows import check as flow
        from batchrun.flows.origins import origins

        _keep_what_is_loaded()
        choice = o.choice(environment, param, input, limit, rows, skip_invalid, expect_rows, expect_total)
        found = flow.check(job, choice, origins(base_url, review_url), journal, screen, show, report, whole=json)
        _show_check(screen, found)
        if report is not None:
            _show_report(screen, job, found.marked)
        return found.as_json(), found.exit_code

    return answer(screen, "check", work)


def _show_check(screen: Screen, report: CheckReport) -> None:
    from batchrun.cli import words
    from batchrun.core.durations import words as lasting
    from batchrun.model import State

    for _, body in report.bodies:
        screen.answer(body.decode())
    hint = "" if report.marked else words.SEE_EACH.format("the same command with")
    for line in words.problems(report.causes.first(), report.causes.counts, hint):
        screen.answer(line)
    counts = {State.READY: report.valid, State.INVALID: report.invalid, State.DUPLICATE: report.duplicates}
    if report.problems:
        screen.answer()
    screen.answer(screen.bold(f"{report.job}: {report.rows:,} rows checked, nothing was sent"))
    for line in words.states({state: count for state, count in counts.items() if count}, report.totals):
        screen.answer(line)
    if report.seconds is not None and report.valid:
        screen.answer(f"Sending takes about {lasting(report.seconds)} at {report.rate}.")
    for note in report.notes:
        screen.warn(note)
    if report.next is not None:
        screen.answer(f"Next: {report.next}")


def _show_report(screen: Screen, job: Path, marked: Report | None) -> None:
    from batchrun.core.totals import counted

    if marked is None:
        screen.announce("No problems were found, so no report was written.")
        return
    for note in marked.notes:
        screen.warn(note)
    screen.announce(f"Report: {marked.path}")
    marks = f"{counted(marked.cells, 'cell')} marked in it, {counted(marked.rows, 'row')} with problems"
    screen.announce(f"{marks}. Correct them there, then: batchrun check {job} --input {shlex.quote(str(marked.path))}")


def run(
    context: typer.Context,
    job: o.JobPathUnlessPlanned = None,
    environment: o.Environment = o.EnvironmentName.SANDBOX,
    param: o.Params = None,
    input: o.Input = None,
    limit: o.Limit = None,
    rows: o.Rows = None,
    skip_invalid: o.SkipInvalid = False,
    expect_rows: o.ExpectRows = None,
    expect_total: o.ExpectTotal = None,
    yes: o.Yes = False,
    rate: o.Rate = None,
    concurrency: o.Concurrency = None,
    max_errors: o.MaxErrors = None,
    simulate: o.Simulate = False,
    knob: o.Knobs = None,
    again: o.Again = False,
    allow_duplicates: o.AllowDuplicates = False,
    or_resume: o.OrResume = False,
    plan: o.ApprovedPlan = None,
    canary: o.Canary = None,
    no_wait: o.NoWait = False,
    wait: o.Wait = None,
    grace: o.Grace = None,
    output: o.Results = None,
    events: o.Events = None,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Check, send, follow each run to its end, write the workbook."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import plan_commands, words
        from batchrun.flows import run as flow
        from batchrun.flows.origins import origins
        from batchrun.flows.sending import Following
        from batchrun.flows.staging import RunChoice

        approved = None if plan is None else plan_commands.approved(context, plan, job)
        if job is None and approved is None:
            raise BadCommandLine("name the job to run: batchrun run JOB; or a plan: batchrun run --plan F.plan.json")
        _refuse_half_simulated(simulate, knob, base_url or review_url)
        _keep_what_is_loaded()
        choice = o.choice(environment, param, input, limit, rows, skip_invalid, expect_rows, expect_total)
        run_choice = RunChoice(
            rate=rate,
            concurrency=concurrency,
            max_errors=max_errors or "100%",
            simulate=simulate,
            knobs=tuple(knob or ()),
            again=again,
            allow_duplicates=allow_duplicates,
            or_resume=or_resume,
            canary=canary,
            output=output,
            grace=o.duration(grace, "--grace"),
        )
        following = Following(follow=not no_wait, wait=o.duration(wait, "--wait"), events=events)
        where, reached = job or Path(), origins(base_url, review_url)
        if approved is not None:
            where, choice, reached = approved.job, approved.choice, approved.origins
        outcome = flow.run(
            where, choice, run_choice, reached, journal, screen, yes=yes, following=following, approved=approved
        )
        for line in words.outcome(outcome, screen.bold):
            screen.answer(line)
        return outcome.as_json(), outcome.exit_code

    return answer(screen, "run", work)


def _refuse_half_simulated(simulate: bool, knob: list[str] | None, url: str | None) -> None:
    if simulate and url:
        raise BadCommandLine("--simulate stands in for the API, so it takes no --base-url or --review-url")
    if knob and not simulate:
        raise BadCommandLine("--knob turns a knob of the simulator, so it goes with --simulate")


def _keep_what_is_loaded() -> None:
    """Spare the libraries from the search for garbage: to go through them again and again took a tenth of a check."""
    gc.freeze()


def schema(json_flag: o.Json = False) -> int:
    """Print the JSON Schema of the job spec, for editors."""
    from batchrun.core.spec import json_schema

    print(json.dumps(json_schema(), indent=None if json_flag else 2, ensure_ascii=False))
    return 0
