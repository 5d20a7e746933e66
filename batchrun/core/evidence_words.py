"""The page that an auditor reads first: what each file of a pack is, and how to check it."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import fill

from batchrun.core.evidence import Missing

WIDTH = 96
FILES = {
    "spec/": "the job spec: how the sheet's columns became requests",
    "schema/": "the schema that every request was checked against, and that of review outputs, if any",
    "input/": "the sheet, byte for byte as it was read",
    "plan/": "the sealed plan and its approval, if the batch was run from one",
    "handed-in/": "review workbooks and corrected sheets, byte for byte as people handed them in",
    "workbook/": "the results workbook, written from the journal when this evidence was made",
    "journal/batch.json": "what ran, when, by whom, where; counts and control totals by state; hashes",
    "journal/rows.jsonl": "one line a row: its cells, the request's data, state, run id, output, times",
    "journal/events.jsonl": "every step of every row, in order: sent, answered, decided, settled. In a group of rows "
    "that share a request, the steps are those of the first",
    "journal/decisions.jsonl": "reviewers' decisions, with the key under which each was sent",
    "journal/decision_answers.jsonl": "every answer to a decision",
    "journal/deliveries.jsonl": "webhooks about this batch's runs, as they came",
    "journal/corrections.jsonl": "what rows held before they were corrected, by whom, from which file",
    "journal/run_ids.jsonl": "each run id, and the row that it belongs to",
    "journal/workbooks.jsonl": "where results workbooks were written, with their hashes",
    "journal/versions_seen.jsonl": "the versions of the procedure that the runs were seen to have",
    "journal/purges.jsonl": "whether personal data were removed, when and by whom",
    "journal/adoptions.jsonl": "whether the batch came from another computer, by which evidence",
    "versions.json": "the versions of batchrun, Python and what it is made with",
    "manifest.json": "the SHA-256 and the size of every other file in here",
}


def readme(batch: str, made_at: str, made_by: str, missing: Sequence[Missing], *, running: bool) -> str:
    """Write the page."""
    parts = [f"EVIDENCE OF {batch}", f"Made {made_at} (UTC) by {made_by}, with batchrun.", ""]
    if running:
        parts += _paragraph(
            "The batch was being sent when this was made. It shows one moment; make another afterwards."
        )
    parts += ["What each file is", ""]
    width = max(map(len, FILES)) + 2
    for name, meaning in FILES.items():
        parts.append(fill(meaning, WIDTH, initial_indent=f"{name:<{width}}", subsequent_indent=" " * width))
    parts += ["", "A row's `position` counts from 0 in the sheet's order; its `number` is the sheet's own.", ""]
    if missing:
        parts += ["What is not in here", "", *(f"- {one.what}: {one.why}" for one in missing), ""]
    parts += _how_to_check()
    return "\n".join(parts) + "\n"


def _how_to_check() -> list[str]:
    return [
        "How to check it",
        "",
        *_paragraph(
            "With batchrun, on any computer, without a key or a journal: `batchrun verify F.zip --manifest SHA256`, "
            "where SHA256 is the hash of manifest.json that was written down when this was made."
        ),
        *_paragraph(
            "By hand: unpack it. Take the SHA-256 of manifest.json and compare it with the one written down; then "
            'take each file\'s and compare it with the "sha256" that manifest.json lists. On Linux `sha256sum FILE`, '
            "on a Mac `shasum -a 256 FILE`, on Windows `certutil -hashfile FILE SHA256`."
        ),
        *_paragraph(
            "Without the hash that was written down, a check shows that the files fit each other, and not that nobody "
            "made all of them anew."
        ),
    ]


def _paragraph(text: str) -> list[str]:
    return [fill(text, WIDTH, break_on_hyphens=False, break_long_words=False), ""]
