"""What was chosen on the command line, as words again: for the next command, which has to mean the same."""

from __future__ import annotations

from collections.abc import Iterator

from batchrun.flows.loading import Choice
from batchrun.flows.origins import REVIEW_ORIGIN, RUNNER_ORIGIN, Origins


def choice_words(choice: Choice) -> Iterator[str]:
    """Give the options that choose rows, params, an input and an environment."""
    if choice.environment == "live":
        yield from ("-e", "live")
    for flag, value in (("--input", choice.input), ("--limit", choice.limit), ("--rows", choice.rows)):
        yield from () if value is None else (flag, str(value))
    for name, text in choice.params.items():
        yield from ("--param", f"{name}={text}")
    if choice.skip_invalid:
        yield "--skip-invalid"


def expectation_words(choice: Choice) -> Iterator[str]:
    """Give the options that say what is expected of the sheet."""
    if choice.expect_rows is not None:
        yield from ("--expect-rows", str(choice.expect_rows))
    for name, text in choice.expect_totals.items():
        yield from ("--expect-total", f"{name}={text}")


def origin_words(origins: Origins) -> Iterator[str]:
    """Give the options that name another API than Rapidfolio's."""
    if origins.base != RUNNER_ORIGIN:
        yield from ("--base-url", origins.base)
    if origins.review not in (REVIEW_ORIGIN, origins.base):
        yield from ("--review-url", origins.review)
