"""The command that holds a job's sheet against an earlier batch: compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.screen import Screen


def compare(
    job: o.JobPath,
    with_batch: Annotated[
        str | None,
        typer.Option("--with", metavar="BATCH", help="The batch to compare with (default: the last of other params)."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="Compare the sums by this column, too.")
    ] = None,
    threshold: Annotated[
        str, typer.Option("--threshold", metavar="N%", help="Tell amounts that moved by more than this.")
    ] = "20%",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="F.xlsx", help="Write all of it to a new workbook.")
    ] = None,
    environment: o.Environment = o.EnvironmentName.SANDBOX,
    param: o.Params = None,
    input: o.Input = None,
    limit: o.Limit = None,
    rows: o.Rows = None,
    base_url: o.BaseUrl = None,
    review_url: o.ReviewUrl = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Compare a job's sheet with an earlier batch; send nothing. So this month is held against the last."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli.compare_words import comparison
        from batchrun.flows import compare as flow
        from batchrun.flows.loading import Choice
        from batchrun.flows.origins import origins

        choice = Choice(environment.value, o.pairs(param, "--param"), input, limit, rows)
        wanted = flow.Wanted(with_batch, threshold, by, output)
        found = flow.compare(job, choice, origins(base_url, review_url), journal, screen, wanted)
        for line in comparison(found, screen.bold):
            screen.answer(line)
        for note in found.notes:
            screen.warn(note)
        if found.workbook:
            screen.announce(f"Workbook: {found.workbook}")
        return found.as_json() if json else {}, 0  # of 100,000 rows it is large

    return answer(screen, "compare", work)
