"""Turns what a command did, or why it could not, into words, one JSON document, and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from batchrun.cli import words
from batchrun.cli.documents import DOCUMENTS, PLAIN_DOCUMENT
from batchrun.cli.screen import Screen
from batchrun.errors import BatchrunError, Interrupted, InvalidRows


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
        for line in words.problems(error.problems, error.causes, words.SEE_EACH.format("batchrun check …")):
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
