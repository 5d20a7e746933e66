"""The options that commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from batchrun.cli.command_line import one_of, whole_number
from batchrun.errors import BadCommandLine

if TYPE_CHECKING:
    from batchrun.flows.loading import Choice


class EnvironmentName(StrEnum):
    """The two environments of the API."""

    SANDBOX = "sandbox"
    LIVE = "live"


def number_option(
    flag: str, *, help: str, least: int | None = None, most: int | None = None, such_as: int = 20, **more: Any
) -> Any:
    """Give an option that takes a whole number."""
    return typer.Option(flag, metavar="N", parser=whole_number(flag, least, most, such_as), help=help, **more)


def words_option(*flags: str, words: type[StrEnum], help: str) -> Any:
    """Give an option that takes one of a few words."""
    known = list(words)
    return typer.Option(
        *flags, metavar=f"[{'|'.join(known)}]", parser=one_of(flags[-1], words), autocompletion=lambda: known, help=help
    )


JobPath = Annotated[Path, typer.Argument(metavar="JOB", help="The job spec's path.", show_default=False)]
BatchName = Annotated[
    str, typer.Argument(metavar="BATCH", help="A batch's name, its results workbook, or last.", show_default=False)
]
Environment = Annotated[
    EnvironmentName,
    words_option("-e", "--environment", words=EnvironmentName, help="Where the runs are started."),
]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Gives a param of the job.")]
Input = Annotated[Path | None, typer.Option("--input", metavar="FILE", help="Another sheet than the job's.")]
Limit = Annotated[int | None, number_option("--limit", least=1, help="Only the first N rows.")]
Rows = Annotated[str | None, typer.Option("--rows", metavar="5-20,31", help="Only these rows of the sheet.")]
SkipInvalid = Annotated[bool, typer.Option("--skip-invalid", help="Go on without the rows that are invalid.")]
ExpectRows = Annotated[int | None, number_option("--expect-rows", help="Stop unless there are N rows.")]
ExpectTotal = Annotated[
    list[str] | None,
    typer.Option("--expect-total", metavar="COLUMN=AMOUNT", help="Stop unless a control total is this."),
]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="ORIGIN", help="Another origin of the Runner API.")]
ReviewUrl = Annotated[str | None, typer.Option("--review-url", metavar="ORIGIN", help="Another origin of reviews.")]
JournalPath = Annotated[Path | None, typer.Option("--journal", metavar="PATH", help="Another journal.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say only what matters.")]
Yes = Annotated[bool, typer.Option("--yes", help="Answer yes to what would be asked.")]
MaxErrors = Annotated[
    str | None,
    typer.Option("--max-errors", metavar="N|N%", help="Stop when more rows than this are refused (default 100%)."),
]
Wait = Annotated[
    str | None,
    typer.Option("--wait", metavar="DURATION", help="How long to follow (default: for ever on a terminal, else 1h)."),
]
Grace = Annotated[
    str | None, typer.Option("--grace", metavar="DURATION", help="How long answers may take after Ctrl-C.")
]
JobPathUnlessPlanned = Annotated[
    Path | None, typer.Argument(metavar="JOB", help="The job spec's path; a plan knows its own.", show_default=False)
]
Rate = Annotated[str | None, typer.Option("--rate", metavar="R", help="Another rate, such as 5/s.")]
Concurrency = Annotated[
    int | None,
    number_option("--concurrency", least=1, most=256, such_as=8, help="Requests under way at once, at most 256."),
]
Simulate = Annotated[bool, typer.Option("--simulate", help="Run against the local simulator; no key.")]
Knobs = Annotated[list[str] | None, typer.Option("--knob", metavar="NAME=VALUE", help="Turns a knob of the simulator.")]
Again = Annotated[bool, typer.Option("--again", help="Run the very same sheet once more.")]
AllowDuplicates = Annotated[bool, typer.Option("--allow-duplicates", help="Send rows whose key was sent before.")]
OrResume = Annotated[bool, typer.Option("--or-resume", help="Go on with the same, if it ran before.")]
ApprovedPlan = Annotated[
    Path | None, typer.Option("--plan", metavar="F.plan.json", help="Run an approved plan, and nothing else.")
]
Canary = Annotated[
    int | None,
    number_option("--canary", least=1, such_as=3, help="Send N rows first, show what came of them, and ask."),
]
Results = Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Another results workbook.")]
Events = Annotated[Path | None, typer.Option("--events", metavar="F.jsonl", help="Write every step as a line of JSON.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Stop after sending.")]


def pairs(given: list[str] | None, flag: str) -> dict[str, str]:
    """Give NAME=VALUE options as a dict; raise BadCommandLine where one is no such pair, or comes twice."""
    found: dict[str, str] = {}
    for text in given or []:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise BadCommandLine(f'{flag}: "{text}" is not NAME=VALUE')
        if name in found:
            raise BadCommandLine(f"{flag}: {name} is given twice")
        found[name] = value
    return found


def duration(text: str | None, flag: str) -> float | None:
    """Give seconds for a duration option."""
    from batchrun.core.durations import parse_duration

    try:
        return None if text is None else parse_duration(text)
    except ValueError as error:
        raise BadCommandLine(f"{flag}: {error}") from None


def choice(
    environment: EnvironmentName,
    param: list[str] | None,
    input: Path | None,
    limit: int | None,
    rows: str | None,
    skip_invalid: bool,
    expect_rows: int | None,
    expect_total: list[str] | None,
) -> Choice:
    """Give what the options choose of a job."""
    from batchrun.flows.loading import Choice

    return Choice(
        environment=environment.value,
        params=pairs(param, "--param"),
        input=input,
        limit=limit,
        rows=rows,
        skip_invalid=skip_invalid,
        expect_rows=expect_rows,
        expect_totals=pairs(expect_total, "--expect-total"),
    )
