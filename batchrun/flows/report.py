"""`report`: writes the workbook again from the journal, or some rows alone in the source's shape."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from batchrun.core.suggestions import did_you_mean
from batchrun.core.totals import counted, decimals_of_columns
from batchrun.errors import BadCommandLine, CouldNotStart
from batchrun.flows import contents, reporting
from batchrun.flows.figures import figures_of
from batchrun.flows.outcome import Outcome, outcome_of
from batchrun.flows.purged import refuse_purged
from batchrun.flows.telling import Teller
from batchrun.io import system
from batchrun.io.journal import Journal
from batchrun.io.journal_batches import Batch
from batchrun.io.rows_file import write_rows
from batchrun.model import State


def report(journal: Journal, batch: Batch, teller: Teller, *, only: str | None, output: Path | None) -> Outcome:
    """Write the whole workbook, or the rows in some states to a .csv, .xlsx or .jsonl file."""
    refuse_purged(journal, batch, "so no row of it can be written")
    if only is None:
        if output is not None and output.suffix.lower() != ".xlsx":
            raise BadCommandLine(
                f"{output.name}: the workbook is an .xlsx file; some rows alone can be .csv, with --only"
            )
        reporting.write(journal, batch.name, teller, None if output is None else output.expanduser().resolve())
        return outcome_of(journal, batch.name)
    if output is None:
        raise BadCommandLine("--only writes those rows alone, so it needs a file: -o F.csv, -o F.xlsx or -o F.jsonl")
    path = reporting.free_name(output.expanduser().resolve(), teller)
    states = _states(only)
    _write_only(journal, batch, teller, states, path)
    outcome = outcome_of(journal, batch.name)
    if states != (State.REFUSED,) or path.suffix.lower() == ".jsonl" or not _can_be_corrected(batch, outcome):
        return outcome
    return replace(outcome, next=f"batchrun retry {batch.name} --input {system.shell_word(str(path))}")


def _can_be_corrected(batch: Batch, outcome: Outcome) -> bool:
    """Tell whether `retry --input` would take rows: some were refused, none is left to send, none was approved."""
    return State.REFUSED in outcome.counts and State.READY not in outcome.counts and not batch.settings.get("plan")


def _states(only: str) -> tuple[State, ...]:
    known = [state.value for state in State]
    words = [word.strip().lower() for word in only.split(",")]
    for word in words:
        if word not in known:
            raise BadCommandLine(f'--only: "{word}" is no state{did_you_mean(word, known)}')
    return tuple(State(word) for word in words)


def _write_only(journal: Journal, batch: Batch, teller: Teller, states: tuple[State, ...], path: Path) -> None:
    amounts = decimals_of_columns(figures_of(journal, batch).totals)
    try:
        count = write_rows(
            path, batch.sheet.header, contents.source_rows(journal, batch, states), amounts=amounts, title=batch.name
        )
    except OSError as error:
        raise CouldNotStart(f"{path} could not be written: {error.strerror}") from None
    teller.say(f"{counted(count, 'row')} written to {path}")
