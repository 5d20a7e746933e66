"""The types of a spec's fields: what each may hold, and how it is written; and what all its parts share."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from batchrun.core import approval, durations, public_key

_AMOUNT = re.compile(r"\s*[+-]?(?=.{1,100}\Z)([0-9]+\.?[0-9]*|\.[0-9]+)\s*")


class Part(BaseModel):
    """What every part of a spec shares: unknown keys are faults, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_as_tuples(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: tuple(member) if isinstance(member, list) else member for name, member in value.items()}


def _rate(text: str) -> str:
    durations.parse_rate(text)
    return text


def _with_unit(kind: str, example: str) -> BeforeValidator:
    def told(value: Any) -> Any:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            raise ValueError(f"{value} is not a {kind}; write it with its {example}")  # noqa: TRY004  # pydantic's way
        return value

    return BeforeValidator(told, json_schema_input_type=str)


def _duration(text: str) -> str:
    durations.parse_duration(text)
    return text


def as_header(name: str) -> str:
    """Give a column's name as headers are compared: trimmed, composed (NFC), no-break spaces as spaces."""
    return unicodedata.normalize("NFC", name.replace("\xa0", " ")).strip()


def _as_list(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def as_text(value: Any) -> Any:
    """Give a number of YAML as it was written; anything else as it is."""
    return format(Decimal(value), "f") if isinstance(value, int | Decimal) and not isinstance(value, bool) else value


def null_as_word(value: Any) -> Any:
    """Give the bare word null, which YAML reads as no value, as a word."""
    return "null" if value is None else value  # YAML reads the bare word null as no value


Blank = Literal["omit", "null", "error"] | None
Rate = Annotated[str, AfterValidator(_rate), _with_unit("rate", "time, such as 5/s")]
Duration = Annotated[str, AfterValidator(_duration), _with_unit("duration", "unit, such as 60s")]
Text = Annotated[str, Field(min_length=1)]
Column = Annotated[Text, AfterValidator(as_header)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]
Columns = Annotated[tuple[Column, ...], BeforeValidator(_as_list, json_schema_input_type=str | list[str])]


def _amount(text: str) -> str:
    if not is_amount(text):
        raise ValueError(f'"{text}" is no amount; write it as 48210.55')
    return text


def is_amount(text: str) -> bool:
    """Tell whether a text is an amount written out, as people write it: no exponents, which can be of any length."""
    return _AMOUNT.fullmatch(text) is not None


AmountText = Annotated[str, BeforeValidator(as_text, json_schema_input_type=str | int | float), AfterValidator(_amount)]
Amounts = dict[Column, AmountText]


def _approver(name: str) -> str:
    fault = approval.name_fault(name)
    if fault is not None:
        raise ValueError(f'"{name[:80]}" cannot approve: {fault}')
    return name


def _public_key(text: str) -> str:
    public_key.key_bytes(text)
    return text


Approver = Annotated[str, AfterValidator(_approver)]
PublicKey = Annotated[str, AfterValidator(_public_key), Field(json_schema_extra={"pattern": public_key.PATTERN})]
