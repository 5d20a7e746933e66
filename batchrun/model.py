"""The nouns that all rooms share: frozen, and without behaviour beyond naming themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, NamedTuple

Environment = Literal["sandbox", "live"]
Mode = Literal["async", "sync"]


class State(StrEnum):
    """A row's state. The API's own words name the API's own states."""

    INVALID = "invalid"
    DUPLICATE = "duplicate"
    READY = "ready"
    SENDING = "sending"
    PENDING = "pending"
    RUNNING = "running"
    AWAITING_REVIEW = "awaiting_review"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True)
class Number:
    """A number cell of a spreadsheet, as the sheet shows it.

    `value` is the shortest decimal of at most 15 significant digits. `width` is the number of digits that a
    zeros-only number format asks for (`00000` is 5, and shows 42 as 00042); 0 where the format is another.
    """

    value: Decimal
    width: int = 0


@dataclass(frozen=True, slots=True)
class DressedNumber(Number):
    """A number that its format shows with more than its digits, as `"INV-"0000` does: it is no text without them."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell that cannot be read without guessing; `code` is stable, `message` says what to do."""

    code: str
    message: str
    shown: str = ""


# What a cell holds. CSV cells are text and the empty text is an empty cell; in spreadsheets an empty cell is None,
# dates are naive datetimes, and whatever would need a guess is Unreadable.
Cell = str | Number | bool | datetime | Unreadable | None


class RowFault(NamedTuple):
    """A fault of a whole row, such as too few cells."""

    code: str
    message: str


class SourceRow(NamedTuple):
    """One row of the source. `number` is the sheet's own (in CSV: the physical line on which it begins)."""

    number: int
    cells: tuple[Cell, ...]
    faults: tuple[RowFault, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetInfo:
    """Where rows come from, and how to name a place in it.

    `header` holds the names of the columns that are read, `positions` each one's zero-based place in the file
    (columns that begin with `_`, and blank ones, are left out).
    """

    file_name: str
    sheet: str | None
    header_row: int
    header: tuple[str, ...]
    positions: tuple[int, ...]
    ignored: tuple[str, ...] = ()

    def row_address(self, number: int) -> str:
        """Name a row: `in.csv!3`, `payouts.xlsx!Payouts!14`."""
        return f"{self._prefix()}!{number}"

    def cell_address(self, number: int, column: int) -> str:
        """Name a cell by its row number and its index in `header`: `payouts.xlsx!Payouts!C14`."""
        return f"{self._prefix()}!{column_letters(self.positions[column])}{number}"

    def _prefix(self) -> str:
        return self.file_name if self.sheet is None else f"{self.file_name}!{self.sheet}"


def column_letters(position: int) -> str:
    """Give a column's letters from its zero-based place: 0 is A, 26 is AA."""
    letters = ""
    rest = position + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one row: data, not an exception."""

    row: int
    cell: str
    column: str | None
    path: str | None
    value: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ResultRow:
    """All that the results workbook says of one source row. Times are aware, in UTC."""

    number: int
    cells: tuple[Cell, ...]
    state: State
    next_step: str = ""
    run_id: str | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    attempts: int = 0
    sent_at: datetime | None = None
    finished_at: datetime | None = None
    seconds: float | None = None
    review_title: str | None = None
    review_data: str | None = None
    decision: str | None = None
    rejection_reason: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    reviewer: str | None = None
    decision_status: str | None = None


class Summed(NamedTuple):
    """What is added up: a column; where `by` names another, each value of that one has a total of its own."""

    column: str
    by: str | None = None


class SplitAmount(NamedTuple):
    """A row's amount, and the value by which it is added up: empty where it is blank, None where nobody can tell."""

    amount: Decimal | None
    value: str | None


# What a row adds to a control total; None where it cannot be read.
Amount = Decimal | SplitAmount | None


@dataclass(frozen=True, slots=True)
class ControlTotal:
    """One control total by state; `unreadable` counts the rows whose amount could not be read.

    `column` is what the total is called: the column that is added up or, where a column splits it, that and the
    value (`Amount EUR`). Then `of` is the column that is added up.
    """

    column: str
    decimals: int
    by_state: Mapping[State, Decimal]
    input: Decimal
    unreadable: int = 0
    of: str | None = None


class ProofLine(NamedTuple):
    """One line of a proof: rows, and an amount for each control total."""

    label: str
    rows: int
    amounts: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Holds what became of the rows against what was read.

    `lines` end with the sum and the input, and with what corrections changed where there were any. `unreadable`
    counts the amounts that could not be read. `verdicts` are those of the rows and of each total.
    """

    totals: tuple[ControlTotal, ...]
    lines: tuple[ProofLine, ...]
    unreadable: tuple[int, ...]
    verdicts: tuple[bool, ...]

    @property
    def holds(self) -> bool:
        """Tell whether all adds up."""
        return all(self.verdicts)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the Summary sheet says.

    `facts` are label and value pairs in reading order. `completions` holds the end of each slice of time (aware,
    UTC) and how many rows had ended by then. `seconds` maps a percentile's label (`p50`) to seconds.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    counts: Mapping[State, int]
    rows: int
    totals: tuple[ControlTotal, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    completions: tuple[tuple[datetime, int], ...] = ()
    notes: tuple[str, ...] = ()
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """One row in doubt, as the Doubts sheet tells it. Times are aware, in UTC.

    `run_id`, `not_run` and `checked_by` are what somebody typed about it before, as text.
    """

    row: int
    key: str
    amount: str
    sent_after: datetime | None
    sent_before: datetime | None
    look_for: str
    run_id: str | None = None
    not_run: str | None = None
    checked_by: str | None = None
