"""What a spec says of rows and amounts in all: control totals, a trailer that tells them, what is expected, caps."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from batchrun.core.spec_types import Amounts, Column, Part, Text, as_text


class TotalOf(Part):
    """A control total: the sum of a column, or one for each value of the column `by`."""

    sum: Column = Field(description="The column that is added up.")
    by: Column | None = Field(None, description="A column, such as the currency: each of its values has a total.")


def _as_total(value: Any) -> Any:
    return value if isinstance(value, dict | TotalOf) else {"sum": value}


def _as_totals(value: Any) -> Any:
    return (value,) if isinstance(value, str | dict) else value


Total = Annotated[TotalOf, BeforeValidator(_as_total, json_schema_input_type=str | TotalOf)]
Totals = Annotated[
    tuple[Total, ...], BeforeValidator(_as_totals, json_schema_input_type=str | TotalOf | list[str | TotalOf])
]


class TrailerMark(Part):
    """How a trailer is told from a row of data."""

    column: Column = Field(description="The column that shows that a row is the trailer.")
    equals: Annotated[Text, BeforeValidator(as_text, json_schema_input_type=str | int | float)] = Field(
        description="What the trailer says there."
    )


class Trailer(Part):
    """The last row of a sheet, which is no row of data: it says how many there are, and what they add up to."""

    when: TrailerMark = Field(description="What makes a row the trailer.")
    rows: Column | None = Field(None, description="The column in which the trailer tells the number of rows.")
    totals: dict[Column, Column] = Field(
        default_factory=dict, description="Control totals, and the column in which the trailer tells each."
    )

    @model_validator(mode="after")
    def _tells_something(self) -> Trailer:
        if self.rows is None and not self.totals:
            raise ValueError("a trailer tells how many rows there are, or their totals; add rows: or totals:")
        return self


class Expect(Part):
    """What must hold before anything is sent."""

    rows: Annotated[int, Field(ge=0)] | None = Field(None, description="How many rows there are, after filters.")
    totals: Amounts = Field(
        default_factory=dict,
        description="Control totals, Amount or, where it is split, Amount EUR, and each one's sum.",
    )


class Limits(Part):
    """Caps that nothing on live may go beyond."""

    rows: Annotated[int, Field(ge=0)] | None = Field(None, description="The most rows that are sent.")
    total: Amounts = Field(default_factory=dict, description="The most that a control total may be.")
    each: Amounts = Field(default_factory=dict, description="The most that one row's amount may be.")
