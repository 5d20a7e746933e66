"""The job spec's model: one declaration gives parsing, messages and the JSON Schema for editors."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, field_validator, model_validator
from pydantic_core import CoreSchema

from batchrun.core import durations
from batchrun.core.approval import person
from batchrun.core.spec_totals import Expect, Limits, Totals, Trailer
from batchrun.core.spec_types import (
    Approver,
    Blank,
    Column,
    Columns,
    Duration,
    Names,
    Part,
    PublicKey,
    Rate,
    Text,
    as_text,
    null_as_word,
)
from batchrun.model import Summed

SAFE_PARAM = re.compile(r"[A-Za-z0-9._-]+")
SOURCES = ("column", "value", "param", "expr")
DEFAULT_RATE = "5/s"
DEFAULT_CONCURRENCY = 8


class Param(Part):
    """A value given when the job runs: `--param NAME=VALUE`."""

    pattern: str | None = Field(None, description="A regular expression that the whole value must match.")
    default: Annotated[str | None, BeforeValidator(as_text, json_schema_input_type=str | int | float)] = Field(
        None, description="The value when none is given; without one the param must be given."
    )
    description: str | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"the pattern is no regular expression: {error}") from None
        return pattern


class Procedure(Part):
    """Which procedure runs, and how."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]+$")] = Field(description="The procedure's id.")
    version: Text | None = Field(None, description="Pins a published version, such as v2.")
    mode: Literal["async", "sync"] = Field("async", description="async answers at once; sync waits for the end.")
    timeout: Duration | None = Field(None, description="sync only: how long a run may take, from 1s to 300s.")
    not_run: tuple[int, ...] = Field((), description="Statuses that your team knows to mean: not run.")
    repeatable: bool = Field(False, description="Running a row twice is harmless, so rows in doubt are sent again.")

    @field_validator("timeout")
    @classmethod
    def _in_range(cls, timeout: str | None) -> str | None:
        if timeout is not None and not 1 <= durations.parse_duration(timeout) <= 300:
            raise ValueError("the timeout must be from 1s to 300s")
        return timeout

    @field_validator("not_run")
    @classmethod
    def _are_errors(cls, statuses: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 400 <= status <= 599 for status in statuses):
            raise ValueError("not_run takes statuses from 400 to 599")
        return statuses

    @model_validator(mode="after")
    def _timeout_is_for_sync(self) -> Procedure:
        if self.timeout is not None and self.mode != "sync":
            raise ValueError("a timeout goes with mode: sync only")
        return self

    @property
    def timeout_ms(self) -> int | None:
        """The executionTimeout in milliseconds; None in async mode or where the API's default holds."""
        return None if self.timeout is None else round(durations.parse_duration(self.timeout) * 1000)


class Source(Part):
    """Where the rows come from."""

    file: Text = Field(description="The sheet, relative to the spec; {param} is replaced.")
    sheet: str | int | None = Field(None, description="Its name or number; needed when several sheets have data.")
    header_row: Annotated[int, Field(ge=1)] | None = Field(None, description="The row that holds the column names.")
    encoding: Text | None = Field(None, description="For CSV that is neither UTF-8 nor UTF-16 with BOM.")
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = Field(None, description="For CSV.")
    hidden_rows: Literal["include", "skip", "refuse"] | None = Field(
        None, description="What to do about rows that are hidden or filtered out; by default they are refused."
    )
    where: Text | None = Field(None, description="An expression; rows for which it is false are left out.")
    trailer: Trailer | None = Field(None, description="A last row that tells how many rows there are, or their totals.")
    double_read: bool = Field(True, description="Read .xlsx with two independent readers that must agree.")
    max_size: Annotated[str, Field(pattern=r"^\d+ ?(MB|GB)$")] | None = Field(
        None, description="How large an Excel file may be once unpacked; 300 MB by default."
    )

    @field_validator("sheet", mode="before")
    @classmethod
    def _is_name_or_number(cls, sheet: Any) -> Any:
        if isinstance(sheet, bool) or not isinstance(sheet, str | int | None):
            raise ValueError("the sheet is a name or a number")  # noqa: TRY004  # pydantic's way
        return sheet

    @property
    def max_bytes(self) -> int | None:
        """The largest unpacked size in bytes."""
        if self.max_size is None:
            return None
        return int(self.max_size[:-2]) * (10**6 if self.max_size.endswith("MB") else 10**9)


class Target(Part):
    """Where one value of the payload comes from: exactly one of column, value, param, expr."""

    column: Column | None = Field(None, description="A column of the sheet.")
    value: Any = Field(None, description="A fixed value.")
    param: Text | None = Field(None, description="A param of the job.")
    expr: Text | None = Field(None, description='A Jinja2 expression over row["..."] and params.')
    type: Literal["string", "number", "integer", "boolean", "date", "date-time"] | None = Field(
        None, description="Overrides the type that the schema asks for."
    )
    map: dict[str, Any] | None = Field(None, description="Words of the sheet and what each means.")
    split: Text | None = Field(None, description="Makes a list: the text between these marks.")
    default: Any = Field(None, description="The value of an empty cell.")
    blank: Annotated[Literal["omit", "null", "error"], BeforeValidator(null_as_word, json_schema_input_type=Blank)] = (
        Field("omit", description="What an empty cell does; omit by default.")
    )
    blank_values: tuple[str, ...] = Field((), description="Words that mean an empty cell in this column.")
    date_format: Text | None = Field(None, description="The form of dates in text, such as %d/%m/%Y.")
    timezone: Text | None = Field(None, description="The zone of date-times without one, such as Europe/Berlin.")
    decimal: Literal[".", ","] | None = Field(None, description="The decimal sign of numbers in text.")
    thousands: Literal[",", ".", "'", "’", " ", "_"] | None = Field(None, description="The mark between thousands.")

    @model_validator(mode="after")
    def _one_source(self) -> Target:
        given = [name for name in SOURCES if name in self.model_fields_set]
        empty = [name for name in given if name != "value" and getattr(self, name) is None]
        if empty:
            raise ValueError(f"{empty[0]} is empty; fill it in")
        if len(given) != 1:
            said = "none" if not given else " and ".join(given)
            raise ValueError(f"a value has exactly one source out of column, value, param and expr; this has {said}")
        if "default" in self.model_fields_set and "blank" in self.model_fields_set:
            raise ValueError("default and blank say two things about an empty cell; keep one of them")
        if (self.decimal or ".") == self.thousands:
            raise ValueError("decimal (a point where none is given) and thousands cannot be the same sign")
        return self._options_fit()

    def _options_fit(self) -> Target:
        reading = {"map", "split", "blank", "blank_values", "default"}
        reading |= {"date_format", "timezone", "decimal", "thousands"}
        unfit = sorted(reading & self.model_fields_set)
        if unfit and self.column is None and self.expr is None:
            raise ValueError(f"{' and '.join(unfit)} can only be used with a column or an expr")
        if self.split is not None and self.column is None:
            raise ValueError("split goes with a column; an expr can use .split() itself")
        return self

    @property
    def has_default(self) -> bool:
        """Tell whether an empty cell has a value."""
        return "default" in self.model_fields_set

    @property
    def source(self) -> str:
        """The name of the one source."""
        return next(name for name in SOURCES if name in self.model_fields_set)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        own = handler.resolve_ref_schema(handler(core_schema))
        own["oneOf"] = [{"required": [name]} for name in SOURCES]
        return own


def _as_target(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


class Results(Part):
    """The results workbook."""

    file: Text | None = Field(None, description="Where it is written, relative to the spec; {param} is replaced.")
    output: Names | None = Field(None, description="Which output fields become columns; by default all that are seen.")
    totals: Totals = Field((), description="Columns whose sums are control totals; {sum, by} splits one by another.")

    @property
    def summed(self) -> tuple[Summed, ...]:
        """What the control totals add up."""
        return tuple(Summed(one.sum, one.by) for one in self.totals)


class Review(Part):
    """How reviews are decided."""

    four_eyes: bool = Field(False, description="Who started a batch may not decide its reviews.")
    outputs: Text | None = Field(
        None, description="JSON Schema of a review's outputs, relative to the spec; it types the _override columns."
    )


class JobSpec(Part):
    """A job: which rows become which runs."""

    job: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(description="The job's name, a slug.")
    description: str | None = None
    params: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_-]*$")], Param] = Field(default_factory=dict)
    procedure: Procedure
    source: Source
    key: Columns = Field(description="The column, or columns, that name a row.")
    group_by: Columns = Field(
        (), description="Rows that agree in these columns are one payload; targets such as lines[].sku take a row each."
    )
    once_per: Names = Field((), description="Params: a key may come again with another value of them.")
    schema_file: Text = Field(alias="schema", description="The procedure's input schema, relative to the spec.")
    data: dict[str, Annotated[Target, BeforeValidator(_as_target, json_schema_input_type=str | Target)]] = Field(
        min_length=1, description="Target path in the payload <- where the value comes from."
    )
    rate: Rate = Field(DEFAULT_RATE, description="5/s, 300/min, 1000/h or unlimited.")
    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(
        DEFAULT_CONCURRENCY, description="How many requests may be under way at once."
    )
    results: Results = Field(default_factory=Results)
    review: Review = Field(default_factory=Review)
    account_rate: Rate | None = Field(
        None, description="What all processes on this computer that use the same API key may send together."
    )
    canary: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Send so many rows first, wait for them, show what came of them, and ask."
    )
    approval: Literal["required", "signed"] | None = Field(
        None, description="A run needs a plan that a second person approved; signed wants a signature, too."
    )
    approvers: Annotated[dict[Approver, PublicKey], Field(min_length=1)] | None = Field(
        None, description="Who may approve, each with the public key that `batchrun key new` prints."
    )
    expect: Expect = Field(default_factory=Expect)
    limits: Limits = Field(default_factory=Limits)
    simulate: dict[str, Any] = Field(default_factory=dict, description="The simulator's knobs for this job.")

    @field_validator("key")
    @classmethod
    def _names_a_row(cls, key: tuple[str, ...]) -> tuple[str, ...]:
        if not key:
            raise ValueError("the key is empty; name the column, or columns, that name a row")
        return key

    @field_validator("approvers")
    @classmethod
    def _are_different_people(cls, approvers: dict[str, str] | None) -> dict[str, str] | None:
        names = [person(name) for name in approvers or {}]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f'"{twice}" stands twice among the approvers')
        return approvers

    @property
    def per_second(self) -> float:
        """The rate in sends a second."""
        return durations.parse_rate(self.rate)


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema (2020-12) of the job spec, for editors."""
    made = JobSpec.model_json_schema(by_alias=True, mode="validation")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "batchrun job spec",
        **{name: value for name, value in made.items() if name != "title"},
    }
