"""Turns what a command did, or why it could not, into words, one JSON document, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchrun.cli import words
from batchrun.cli.screen import Screen
from batchrun.errors import BatchrunError, Interrupted, InvalidRows

BATCH_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "batch": None,
    "job": None,
    "environment": None,
    "rows": 0,
    "runs": 0,
    "counts": {},
    "totals": {},
    "workbook": None,
    "stopped": None,
    "next": None,
    "error": None,
}
CHECK_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "rows": 0,
    "valid": 0,
    "invalid": 0,
    "duplicates": 0,
    "totals": {},
    "problems": [],
    "error": None,
}
INIT_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "job": None,
    "schema": None,
    "matched": [],
    "unmatched_columns": [],
    "unmatched_paths": [],
    "error": None,
}
COMPARE_DOCUMENT: dict[str, Any] = {
    "version": 1,
    "job": None,
    "with": None,
    "rows": 0,
    "invalid": 0,
    "same": 0,
    "new": [],
    "missing": [],
    "changed": [],
    "moved": [],
    "by": None,
    "totals": {},
    "notes": [],
    "workbook": None,
    "error": None,
}
PLAIN_DOCUMENT: dict[str, Any] = {"version": 1, "error": None}
DOCUMENTS = {
    "init": INIT_DOCUMENT,
    "check": CHECK_DOCUMENT,
    "compare": COMPARE_DOCUMENT,
    **dict.fromkeys(("run", "resume", "refresh", "review", "resolve", "retry", "cancel", "report"), BATCH_DOCUMENT),
}


def answer(
    screen: Screen, command: str, work: Callable[[], tuple[dict[str, Any], int]], *, answered_already: bool = False
) -> int:
    """Do a command's work and answer; `work` shows its own words and gives its document and exit code.

    `answered_already` says that work which ends well has printed its document itself.
    """
    try:
        document, code = work()
        if answered_already:
            return code
    except BatchrunError as error:
        document, code = failed(screen, command, error)
    except KeyboardInterrupt:
        document, code = failed(screen, command, Interrupted("interrupted; nothing more was done"))
    if screen.as_json:
        screen.document(document)
    return code


def failed(screen: Screen, command: str, error: BatchrunError) -> tuple[dict[str, Any], int]:
    """Show an error, and give its document and exit code."""
    if isinstance(error, InvalidRows):
        for line in words.problems(error.problems, error.total):
            screen.answer(line)
    screen.error(error.message)
    if error.next:
        screen.say(f"Next: {error.next}")
    return error_document(command, error.code, error.message, error.next), error.exit_code


def error_document(command: str, code: str, message: str, next_command: str | None = None) -> dict[str, Any]:
    """Give a command's document with every key, zeros, and an error."""
    document = {**DOCUMENTS.get(command, PLAIN_DOCUMENT), "error": {"code": code, "message": message}}
    if next_command and "next" in document:
        document["next"] = next_command
    return document
