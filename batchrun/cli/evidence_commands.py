"""The commands about an auditor's pack: evidence, verify, adopt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer
from batchrun.cli.batch_commands import opened_batch
from batchrun.cli.screen import Screen

PackPath = Annotated[Path, typer.Argument(metavar="F.zip", help="The evidence file.", show_default=False)]


def evidence(
    batch: o.BatchName,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="F.zip", help="Where to write it.", show_default=False)
    ],
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Write an auditor's pack: all that is known of a batch. It is one file, in which nothing can be altered unseen."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import evidence_words
        from batchrun.flows import evidence as flow

        with opened_batch(batch, journal, screen) as (opened, found):
            made = flow.make(opened, found, output, screen)
        if made.running:
            screen.warn(f"{made.batch} is being sent: this shows one moment, so make another when it has ended")
        if made.disproof is not None:
            screen.warn(made.disproof)
        for line in evidence_words.made(made, screen.bold):
            screen.answer(line)
        return made.as_json(), 0

    return answer(screen, "evidence", work)


def verify(
    file: PackPath,
    manifest: Annotated[
        str | None,
        typer.Option("--manifest", metavar="SHA256", help="The manifest's SHA-256, as it was written down."),
    ] = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Check an auditor's pack by itself. Every byte against its manifest, and what it says for whether it fits."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import evidence_words
        from batchrun.flows import verify as flow

        verdict = flow.verify(file, manifest)
        for line in evidence_words.verdict(verdict, screen.bold):
            screen.answer(line)
        return verdict.as_json(), verdict.exit_code

    return answer(screen, "verify", work)


def adopt(
    file: PackPath,
    yes: o.Yes = False,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Put a pack's batch into this computer's journal. So it goes on here: for a new laptop."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import evidence_words
        from batchrun.flows import adopt as flow
        from batchrun.io.journal import open_journal

        opened = open_journal(journal)
        try:
            done = flow.adopt(opened, file, screen, yes=yes)
        finally:
            opened.close()
        for line in evidence_words.adopted(done, screen.bold):
            screen.answer(line)
        return done.as_json(), 0

    return answer(screen, "adopt", work)
