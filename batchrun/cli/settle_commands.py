"""The commands that settle what is left of a batch: resolve, retry, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.batch_commands import answer_outcome, opened_batch
from batchrun.cli.screen import Screen
from batchrun.errors import BadCommandLine

if TYPE_CHECKING:
    from batchrun.flows.outcome import Outcome
    from batchrun.io.journal import Journal
    from batchrun.io.journal_batches import Batch
    from batchrun.io.settlements import Settlement


def resolve(
    batch: o.BatchName,
    row: Annotated[int | None, o.number_option("--row", help="One row in doubt.")] = None,
    run_id: Annotated[str | None, typer.Option("--run-id", metavar="R", help="The run that is the row's.")] = None,
    not_run: Annotated[bool, typer.Option("--not-run", help="The row was not run.")] = False,
    run_ids: Annotated[
        Path | None, typer.Option("--run-ids", metavar="F.csv", help="A CSV with the columns row and run_id.")
    ] = None,
    all_not_run: Annotated[bool, typer.Option("--all-not-run", help="No row in doubt was run.")] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why you are sure; needed on live.")
    ] = None,
    count: Annotated[int | None, o.number_option("--count", help="How many rows were not run; needed on live.")] = None,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Settle rows in doubt, each by its proved run or as not run."""
    screen = Screen(as_json=json, quiet=quiet)

    def told() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words
        from batchrun.flows import resolve as flow

        with opened_batch(batch, journal, screen, acts=True, yes=yes, urls=(base_url, review_url)) as (opened, found):
            flow.refuse_without_doubts(opened, found)
            settlements = _settlements(opened, found, row, run_id, not_run, run_ids, all_not_run, batch)
            assurance = flow.Assurance(yes=yes, reason=reason, count=count)
            outcome = flow.resolve(opened, found, settlements, screen, assurance)
        for line in words.outcome(outcome, screen.bold):
            screen.answer(line)
        return outcome.as_json(), 0

    return answer(screen, "resolve", told)


def _settlements(
    journal: Journal,
    found: Batch,
    row: int | None,
    run_id: str | None,
    not_run: bool,
    run_ids: Path | None,
    all_not_run: bool,
    named: str,
) -> list[Settlement]:
    from batchrun.flows.resolve import all_not_run as every_row
    from batchrun.io.doubts_sheet import read_doubts
    from batchrun.io.settlements import Settlement, read_run_ids

    ways = [row is not None, run_ids is not None, all_not_run]
    if sum(ways) > 1:
        raise BadCommandLine("say one thing: --row N, or --run-ids F.csv, or --all-not-run")
    if row is not None:
        if (run_id is None) == (not not_run):
            raise BadCommandLine("--row N goes with either --run-id R or --not-run")
        return [Settlement(row, run_id, f"--row {row}")]
    if run_id is not None or not_run:
        raise BadCommandLine("--run-id and --not-run say something of one row, so they go with --row N")
    if run_ids is not None:
        return read_run_ids(run_ids)
    if all_not_run:
        return every_row(journal, found)
    return read_doubts(Path(named) if named.lower().endswith(".xlsx") else Path(found.workbook), found.name)


def retry(
    batch: o.BatchName,
    status: Annotated[
        str, typer.Option("--status", metavar="STATE[,…]", help="refused, failed or cancelled.")
    ] = "refused",
    corrected: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Corrected rows, matched by key.", show_default=False),
    ] = None,
    rows: o.Rows = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="With --input: leave out the rows that have problems.")
    ] = False,
    no_wait: o.NoWait = False,
    wait: o.Wait = None,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Send refused rows again, as they were or corrected. Failed or cancelled ones where --status names them."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> Outcome:
        from batchrun.flows import retry as flow
        from batchrun.flows.sending import Following

        following = Following(follow=not no_wait, wait=o.duration(wait, "--wait"))
        states = flow.parse_states(status)
        with opened_batch(batch, journal, screen, acts=True, yes=yes, urls=(base_url, review_url)) as (opened, found):
            return flow.retry(
                opened,
                found,
                screen,
                states=states,
                rows=rows,
                corrected=corrected,
                skip_invalid=skip_invalid,
                yes=yes,
                following=following,
            )

    return answer_outcome(screen, "retry", work)


def review(
    workbook: Annotated[
        str, typer.Argument(metavar="WORKBOOK", help="The results workbook, filled in.", show_default=False)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")] = False,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Send the other decisions where some are faulty.")
    ] = False,
    no_wait: o.NoWait = False,
    wait: o.Wait = None,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Send the decisions that a reviewer filled in, each once. Then that same file is written again."""
    screen = Screen(as_json=json, quiet=quiet)

    def told() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words
        from batchrun.flows import review as flow
        from batchrun.flows.sending import Following
        from batchrun.io.journal import open_journal

        following = Following(follow=not no_wait, wait=o.duration(wait, "--wait"))
        choice = flow.ReviewChoice(skip_invalid, dry_run, yes, base_url, review_url, following)
        opened = open_journal(journal)
        try:
            outcome = flow.review(opened, workbook, screen, choice)
        finally:
            opened.close()
        for line in words.outcome(outcome, screen.bold):
            screen.answer(line)
        return outcome.as_json(), 0 if dry_run else outcome.exit_code

    return answer(screen, "review", told)


def cancel(
    batch: o.BatchName,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Stop the sender, also in another process; cancel open runs."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> Outcome:
        from batchrun.flows import cancel as flow

        with opened_batch(batch, journal, screen, acts=True, yes=yes, urls=(base_url, review_url)) as (opened, found):
            return flow.cancel(opened, found, screen)

    return answer_outcome(screen, "cancel", work)
