"""Goes through a job's rows once: selected, prepared, and counted."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice

from batchrun.core import drafting, group_reading, group_survey, keys, spec_checks
from batchrun.core.keys import KeyIndex
from batchrun.core.prepare import Prepared, prepare, prepare_all, selected_key
from batchrun.core.totals import Totals, amount_of, counted, name_of
from batchrun.core.trailers import SheetTrailer, trailer_of
from batchrun.errors import BadInput
from batchrun.flows.held_rows import MOST_BYTES, HeldRows
from batchrun.flows.loading import LoadedJob
from batchrun.flows.telling import Counting
from batchrun.model import Amount, Problem, SourceRow, SplitAmount, Summed

CHUNK = 500  # rows that are prepared together
OPEN_IN_EXCEL = "{} is open in a spreadsheet program just now; what is not saved there is not read."


@dataclass
class Pass:
    """What one pass over the rows has counted.

    `read` adds up the amounts of its rows as they were read, whatever becomes of them.
    """

    job: LoadedJob
    rows: int = 0
    left_out: int = 0
    keys: KeyIndex = field(default_factory=KeyIndex)
    repeats: dict[int, tuple[int, ...]] = field(default_factory=dict)
    largest: dict[str, tuple[Decimal, int]] = field(default_factory=dict)  # by total: the amount, and whose it is
    read: Totals = field(init=False)
    trailer: SheetTrailer | None = field(init=False)

    def __post_init__(self) -> None:
        self.read = Totals(self.job.spec.results.summed)
        self.trailer = trailer_of(self.job.spec, self.job.preparer)


def prepared_rows(through: Pass, counting: Counting) -> Iterator[Prepared]:
    """Give each selected row, prepared; once they are exhausted, the keys that come twice are known."""
    return chain.from_iterable(prepared_chunks(through, counting))


def prepared_chunks(through: Pass, counting: Counting) -> Iterator[list[Prepared]]:
    """Give the same, some rows at a time."""
    for some in _grouped_rows(through, counting) if through.job.preparer.group_columns else _rows(through, counting):
        if through.job.spec.limits.each:
            for one in some:
                _note_largest(through, one)
        yield some


def _sheet_rows(through: Pass) -> Iterator[SourceRow]:
    """Give the sheet's rows of data: a trailer is none."""
    rows = through.job.source.rows()
    return rows if through.trailer is None else through.trailer.data_rows(rows)


def _rows(through: Pass, counting: Counting) -> Iterator[list[Prepared]]:
    rows = _sheet_rows(through)
    for some in _selected(through, rows):
        through.rows += len(some)
        through.keys.add(one.key for one in some if _names_its_row(one.key))
        counting(through.rows)
        yield some
    if through.trailer is not None:
        deque(rows, maxlen=0)  # it speaks of the rows beyond --limit, too
    suspects = through.keys.suspects()
    if suspects:
        through.repeats = keys.same_keys(suspects, _numbered_keys(through))


def _names_its_row(key: tuple[str, ...]) -> bool:
    return bool(key) and all(key)


def _numbered_keys(through: Pass) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Read the selected rows' keys once more, for those that seem to come twice."""
    selected = ((row.number, selected_key(through.job.preparer, row)) for row in through.job.source.rows())
    keyed = ((number, key) for number, key in selected if key is not None)
    return ((number, key) for number, key in islice(keyed, through.rows) if _names_its_row(key))


def _note_largest(through: Pass, one: Prepared) -> None:
    """Remember the largest amount of each total, for the job's limits; a faulty row is not sent anyhow."""
    if not one.is_invalid:
        note_largest(through.largest, through.read.entries, one.amounts, one.row.number)


def note_largest(
    largest: dict[str, tuple[Decimal, int]], entries: Iterable[Summed], amounts: Iterable[Amount], row: int
) -> None:
    """Remember a row's amounts where they are the largest of their totals."""
    for summed, amount in zip(entries, amounts, strict=True):
        number = amount_of(amount)
        if number is not None:
            value = amount.value if isinstance(amount, SplitAmount) else None
            for name in {name_of(summed, value), summed.column}:
                known = largest.get(name)
                if known is None or number > known[0]:
                    largest[name] = (number, row)


def _grouped_rows(through: Pass, counting: Counting) -> Iterator[list[Prepared]]:
    """Give the rows of a job that makes one payload of several rows: each is looked at twice."""
    job = through.job
    held = HeldRows(MOST_BYTES if job.source.is_slow else 0)
    # A row is counted in halves: when it is read, and when it is given.
    found = group_survey.survey(
        job.preparer, held.passing(_sheet_rows(through)), job.choice.limit, lambda read: counting(read // 2)
    )
    through.rows, through.left_out = found.rows, found.left_out
    made = group_reading.gathered(job.preparer, found, lambda: held.again() or _data_rows_again(through))
    given = 0
    while some := list(islice(made, CHUNK)):
        given += len(some)
        counting((len(found.flags) + given) // 2)
        yield some


def _data_rows_again(through: Pass) -> Iterator[SourceRow]:
    source, trailer = through.job.source, through.trailer
    try:
        for row in source.rows():
            if trailer is None or not trailer.is_trailer(row):
                yield row
    except OSError as error:
        raise BadInput(
            f"{source.info.file_name} could not be read a second time ({error.strerror}); run the command again"
        ) from None


def _selected(through: Pass, rows: Iterator[SourceRow]) -> Iterator[list[Prepared]]:
    limit, taken = through.job.choice.limit, 0
    # Never more than are still wanted: what lies beyond --limit is not read, so it cannot be told as broken either.
    while some := list(islice(rows, CHUNK if limit is None else min(CHUNK, limit - taken))):
        made = [one for one in prepare_all(through.job.preparer, some) if one is not None]
        through.left_out += len(some) - len(made)
        taken += len(made)
        if made:
            yield made


def repeated_rows(through: Pass) -> Iterator[Prepared]:
    """Give the rows whose key comes twice, from a second reading; none where no key does."""
    if not through.repeats:
        return
    for row in through.job.source.rows():
        if row.number in through.repeats:
            one = prepare(through.job.preparer, row)
            if one is not None:
                yield one


def repeat_problem(through: Pass, one: Prepared) -> Problem:
    """Say with which rows a row shares its key."""
    preparer = through.job.preparer
    return keys.repeated(preparer.info, one.row, preparer.key_columns, through.repeats[one.row.number])


def refuse_no_rows(through: Pass) -> None:
    """Zero rows are an error: somebody meant some."""
    if through.rows == 0:
        what = through.job.preparer.info.row_address(through.job.preparer.info.header_row)
        left = f"; {through.left_out:,} were left out by `where` or --rows" if through.left_out else ""
        raise BadInput(f"there are no rows below the header ({what}){left}")


def notes_of(through: Pass) -> list[str]:
    """Say what was done besides reading."""
    notes = list(through.job.source.notes())
    if through.left_out:
        were = "was" if through.left_out == 1 else "were"
        notes.append(f"{counted(through.left_out, 'row')} {were} left out by `where` or --rows.")
    if through.job.choice.limit is not None:
        first = "row was" if through.rows == 1 else f"{through.rows:,} rows were"
        notes.append(f"Only the first {first} taken (--limit).")
    if through.trailer is not None:
        notes.append(
            f"The trailer ({through.trailer.address}) agrees with the {counted(through.trailer.rows, 'row')} above it."
        )
    if not spec_checks.key_is_in_payload(through.job.spec):
        notes.append(
            "The key is not part of what is sent, so a run that is in doubt can never be proved to belong to a row."
        )
    if drafting.is_unfinished(through.job.spec):
        notes.append(f"procedure.id is still {drafting.PROCEDURE_ID}: write the procedure's id there before you run.")
    return notes
