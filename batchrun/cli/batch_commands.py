"""The commands about a batch: resume, status, show, refresh, report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen
from batchrun.io import system

if TYPE_CHECKING:
    from batchrun.flows.outcome import Outcome
    from batchrun.flows.show import RowLife
    from batchrun.flows.status import BatchLine
    from batchrun.io.journal import Journal
    from batchrun.io.journal_batches import Batch


@contextmanager
def opened_batch(
    named: str,
    path: Path | None,
    screen: Screen,
    *,
    acts: bool = False,
    yes: bool = False,
    urls: tuple[str | None, str | None] = (None, None),
) -> Iterator[tuple[Journal, Batch]]:
    """Open the journal and find a batch; `urls` are --base-url and --review-url."""
    from batchrun.flows.finding import at_origins, find_batch
    from batchrun.io.journal import open_journal

    journal = open_journal(path)
    try:
        yield journal, at_origins(find_batch(journal, named, screen, acts=acts, yes=yes), *urls)
    finally:
        journal.close()


def answer_outcome(screen: Screen, command: str, work: Callable[[], Outcome]) -> int:
    def told() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words

        outcome = work()
        if outcome.interrupted:  # whoever presses Ctrl-C twice shall still read how to go on
            system.ignore_interrupts()
        for line in words.outcome(outcome, screen.bold):
            screen.answer(line)
        return outcome.as_json(), outcome.exit_code

    return answer(screen, command, told)


def resume(
    batch: o.BatchName,
    max_errors: o.MaxErrors = None,
    confirm: Annotated[
        bool,
        typer.Option(
            "--confirm",
            help="Somebody has looked at what holds the batch (a canary, a new version, or that it was cancelled on "
            "live): send the rest.",
        ),
    ] = False,
    no_wait: o.NoWait = False,
    wait: o.Wait = None,
    grace: o.Grace = None,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Go on with a batch that stopped. With nothing left to send, follow and write."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> Outcome:
        from batchrun.flows import run as flow
        from batchrun.flows.sending import Following

        following = Following(follow=not no_wait, wait=o.duration(wait, "--wait"))
        seconds = o.duration(grace, "--grace")
        with opened_batch(batch, journal, screen, acts=True, yes=yes, urls=(base_url, review_url)) as (opened, found):
            return flow.resume(
                opened,
                found,
                screen,
                max_errors=max_errors,
                following=following,
                grace=seconds,
                confirm=confirm,
            )

    return answer_outcome(screen, "resume", work)


def refresh(
    batch: o.BatchName,
    yes: o.Yes = False,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Read every open run once, and write the workbook."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> Outcome:
        from batchrun.flows import refresh as flow

        with opened_batch(batch, journal, screen, acts=True, yes=yes, urls=(base_url, review_url)) as (opened, found):
            return flow.refresh(opened, found, screen)

    return answer_outcome(screen, "refresh", work)


def report(
    batch: o.BatchName,
    only: Annotated[
        str | None, typer.Option("--only", metavar="STATE[,…]", help="Only the rows in these states.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Where to write it.", show_default=False)
    ] = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write the workbook again from the journal, or some rows. Those are in the source's shape."""
    screen = Screen(as_json=json, quiet=quiet)

    def told() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words
        from batchrun.flows import report as flow

        with opened_batch(batch, journal, screen) as (opened, found):
            outcome = flow.report(opened, found, screen, only=only, output=output)
        for line in words.outcome(outcome, screen.bold):
            screen.answer(line)
        return outcome.as_json(), 0

    return answer(screen, "report", told)


def status(
    batch: Annotated[str | None, typer.Argument(metavar="[BATCH]", help="One batch; without it, all.")] = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """List batches, or show one batch's counts. A running one is never disturbed."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import words
        from batchrun.flows import status as flow

        if batch is not None:
            outcome = flow.one_batch(batch, journal, screen)
            for line in words.outcome(outcome, screen.bold):
                screen.answer(line)
            return outcome.as_json(), 0
        path, lines = flow.list_batches(journal)
        _show_list(screen, path, lines)
        return {
            "version": 1,
            "journal": str(path),
            "batches": [line.as_json() for line in lines],
            "groups": [group.as_json() for group in flow.grouped(lines)],
            "error": None,
        }, 0

    return answer(screen, "status", work)


def _show_list(screen: Screen, path: Path, lines: list[BatchLine]) -> None:
    from batchrun.cli import words
    from batchrun.flows.status import grouped

    screen.say(f"Journal: {path}")
    if not lines:
        screen.answer("No batch yet. Start one with: batchrun run JOB --simulate")
        return
    for group in grouped(lines):
        where = "simulated" if group.simulated else group.environment
        screen.answer(screen.bold(f"{group.job} ({where})"))
        for text in words.batches(group.batches):
            screen.answer(text)


def show(
    batch: o.BatchName,
    row: Annotated[int, o.number_option("--row", help="The row's number in the sheet.", show_default=False)],
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Show one row's whole life: cells, payload, attempts, answers."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import row_words
        from batchrun.flows import show as flow

        life: RowLife = flow.show(batch, row, journal, screen)
        for line in row_words.lines(life, screen.bold):
            screen.answer(line)
        return row_words.document(life), 0

    return answer(screen, "show", work)
