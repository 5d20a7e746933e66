"""How the values of knobs are written: durations, shares, rates, limits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from email.utils import formatdate
from pathlib import Path

_UNITS = {"ms": Decimal(1), "s": Decimal(1000), "m": Decimal(60_000), "min": Decimal(60_000), "h": Decimal(3_600_000)}
_PERIODS = {"s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:\s*/\s*(s|min|m|h))?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_ORIGIN = re.compile(r"https?://[^\s/]+\S*")
_YES_NO = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


@dataclass(frozen=True, slots=True)
class Span:
    """From the least to the most, in milliseconds."""

    low: float
    high: float

    def at(self, share: float) -> float:
        """Pick the point that lies at a share (0 to 1) of the way."""
        return self.low + (self.high - self.low) * share


@dataclass(frozen=True, slots=True)
class Above:
    """A dotted path into the input, and the amount above which it matters."""

    path: tuple[str, ...]
    amount: Decimal


@dataclass(frozen=True, slots=True)
class NewVersion:
    """After how many runs the procedure has another version, and which."""

    after: int
    id: str


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """What the header `Retry-After` says: seconds, an HTTP date that many seconds ahead, or nothing (`None`)."""

    seconds: int | None
    as_date: bool = False

    def header(self, now: float) -> str | None:
        """Word the header for `now`, in seconds since the epoch."""
        if self.seconds is None:
            return None
        return formatdate(int(now) + self.seconds, usegmt=True) if self.as_date else str(self.seconds)


def read_span(text: str) -> Span:
    """Read `50ms` or `20ms..80ms`."""
    low, dots, high = text.partition("..")
    span = Span(_milliseconds(low), _milliseconds(high if dots else low))
    if span.low > span.high:
        raise ValueError("begins above its end")
    return span


def _milliseconds(text: str) -> float:
    if text.strip() == "0":
        return 0.0
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError("is no duration; write it like 50ms, 1.5s or 200ms..2s")
    return float(Decimal(found[1]) * _UNITS[found[2]])


def read_new_version(text: str) -> NewVersion | None:
    """Read `10=pv_2`; `none` is no other version."""
    if text == "none":
        return None
    after, _, version = text.partition("=")
    if not (after.strip().isascii() and after.strip().isdigit() and version.strip()):
        raise ValueError("names no version; write it like 10=pv_2")
    return NewVersion(int(after), version.strip())


def read_share(text: str) -> float:
    """Read `2%` or `0.02` as 0.02."""
    body = text.strip()
    try:
        share = float(Decimal(body.removesuffix("%").strip())) / (100 if body.endswith("%") else 1)
    except InvalidOperation:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("is no share; write it like 2% or 0.02, from 0 to 1")
    return share


def read_above(text: str) -> Above | None:
    """Read `amount=10000` or `invoice.total=99.50`; `none` is no limit."""
    if text == "none":
        return None
    path, _, amount = text.partition("=")
    names = tuple(path.strip().split("."))
    try:
        limit = Decimal(amount.strip())
    except InvalidOperation:
        limit = Decimal("NaN")
    if not limit.is_finite() or not all(names):
        raise ValueError("is no field and amount; write it like amount=10000 or invoice.total=99.50")
    return Above(names, limit)


def read_retry_after(text: str) -> RetryAfter:
    """Read whole seconds, `date`, or `none`."""
    if text == "none":
        return RetryAfter(None)
    if text == "date":
        return RetryAfter(2, as_date=True)
    if not (text.isascii() and text.isdigit()):
        raise ValueError("is neither whole seconds, nor date, nor none")
    return RetryAfter(int(text))


def read_rate(text: str) -> float | None:
    """Read `5/s`, `300/min` or `1000/h` as starts a second; a bare number is a second's; `none` is no limit."""
    if text == "none":
        return None
    found = _RATE.fullmatch(text.strip())
    if found is None or float(found[1]) == 0:
        raise ValueError("is no rate; write it like 5/s, 300/min or none")
    return float(found[1]) / _PERIODS[found[2] or "s"]


def read_switch(text: str) -> bool:
    """Read true or false."""
    if text.lower() not in _YES_NO:
        raise ValueError("is neither true nor false")
    return _YES_NO[text.lower()]


def read_times(text: str) -> int:
    """Read a whole number of at least 1."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 100:
        raise ValueError("is no whole number from 1 to 100")
    return int(text)


def read_url(text: str) -> str | None:
    """Read an http or https address; `none` is no address."""
    if text == "none":
        return None
    if not _ORIGIN.fullmatch(text):
        raise ValueError("is no address; write it like http://127.0.0.1:8030/webhooks")
    return text


def read_header_name(text: str) -> str:
    """Read the name of an HTTP header."""
    if not _HEADER_NAME.fullmatch(text):
        raise ValueError("is no name of an HTTP header")
    return text


def read_name(text: str) -> str | None:
    """Read a plain word; `none` is no word."""
    return None if text == "none" else text


def read_file(text: str) -> Path | None:
    """Read the path of a file that is there; `none` is no file."""
    if text == "none":
        return None
    if not Path(text).is_file():
        raise ValueError("is no file")
    return Path(text)
