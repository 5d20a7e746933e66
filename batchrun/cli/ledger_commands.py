"""The commands about the journal as a whole: history, purge, journal backup, journal path."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from batchrun.cli import options as o
from batchrun.cli.answering import answer, error_document
from batchrun.cli.screen import Screen

journal_app = typer.Typer(help="Tell where the journal lies, or copy it.", no_args_is_help=True, rich_markup_mode=None)


def history(
    key: Annotated[
        list[str],
        typer.Argument(metavar="KEY...", help="The key as it stands in the sheet; several are its columns."),
    ],
    verify: Annotated[
        bool, typer.Option("--verify", help="Read its runs from the API again, and tell what differs.")
    ] = False,
    also: Annotated[
        list[Path] | None, typer.Option("--also", metavar="PATH", help="Search this journal, too.", show_default=False)
    ] = None,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Tell one key's life over all batches of the journal. Keys that are nearly the same are named, too."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import history_words
        from batchrun.flows import history as flow

        told = flow.history(key, journal, also or [], screen, verify=verify)
        for line in history_words.lines(told, screen.bold):
            screen.answer(line)
        document = history_words.document(told)
        if told.error is None:
            return document, 0
        screen.error(told.error.message)
        failed = error_document("history", told.error.code, told.error.message)
        return {**document, "error": failed["error"]}, told.error.exit_code

    return answer(screen, "history", work)


def purge(
    before: Annotated[
        str,
        typer.Option(
            "--before", metavar="DATE", help="Batches made before this day, as 2025-01-31.", show_default=False
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed; remove nothing.")] = False,
    yes: o.Yes = False,
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Remove payloads, cells and files of old batches. Keys, hashes, run ids, states and amounts stay."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import ledger_words
        from batchrun.flows import purge as flow

        report = flow.purge(journal, flow.parse_day(before), screen, yes=yes, dry_run=dry_run)
        for line in ledger_words.purge_lines(report):
            screen.answer(line)
        return report.as_json(), 0

    return answer(screen, "purge", work)


@journal_app.command("path")
def journal_path(journal: o.JournalPath = None, json: o.Json = False, quiet: o.Quiet = False) -> int:
    """Tell where the journal lies."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.io.journal_place import place_of

        place = place_of(journal)
        screen.answer(str(place))
        if not place.exists():
            screen.say("Nothing is there yet: the first run makes it.")
        return {"version": 1, "journal": str(place), "exists": place.exists(), "error": None}, 0

    return answer(screen, "journal path", work)


@journal_app.command("backup")
def journal_backup(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="F.db", help="The new file to copy it to.", show_default=False)
    ],
    journal: o.JournalPath = None,
    json: o.Json = False,
    quiet: o.Quiet = False,
) -> int:
    """Copy the whole journal into a new file. Also while a batch is sent; it is checked before it gets its name."""
    screen = Screen(as_json=json, quiet=quiet)

    def work() -> tuple[dict[str, Any], int]:
        from batchrun.cli import ledger_words
        from batchrun.flows import keeping as flow

        place, copied = flow.backup(journal, output)
        for line in ledger_words.backup_lines(place, copied):
            screen.answer(line)
        document = {
            "version": 1,
            "journal": str(place),
            "backup": str(copied.path),
            "batches": copied.batches,
            "rows": copied.rows,
            "bytes": copied.bytes,
            "sha256": copied.sha256,
            "error": None,
        }
        return document, 0

    return answer(screen, "journal backup", work)
