"""In which forms a text can be a date: what `date_format` may say of it, for the hint to a cell that is not ISO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

_NUMBERS = re.compile(r"(\d{4}|\d{1,2})(\. ?|[/ -])\d{1,2}\2(\d{4}|\d{1,2})", re.ASCII)
_COMPACT = re.compile(r"(?:19|20)\d{6}", re.ASCII)
_WORDS = re.compile(r"(?:([A-Za-z]{3,9}) )?\d{1,2}(?:[ -]([A-Za-z]{3,9})[ -]|, )\d{4}", re.ASCII)
_TIME = re.compile(r"(.*\S) (?:[01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?", re.ASCII)
_LONGEST = 40  # of a date; a longer text is not looked through
_LAST_DAY = 31
_WITH_NAMES = ("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%B-%Y", "%b %d, %Y", "%B %d, %Y")


@lru_cache(4_096)  # a sheet has few dates in many rows, and to try a form takes long
def forms_of(text: str) -> tuple[str, ...] | None:
    """Give the forms by which a text is a date, such as `%d.%m.%Y`; none where the calendar has no such day.

    None is given where the text does not look like a date at all.
    """
    if len(text) > _LONGEST:
        return None
    timed = _TIME.fullmatch(text)
    day, clock = (text, "") if timed is None else (timed[1], " %H:%M:%S" if timed[2] else " %H:%M")
    if (numbers := _NUMBERS.fullmatch(day)) is not None:
        found = tuple(_of_numbers(day, *numbers.groups()))
    elif _COMPACT.fullmatch(day):
        found = tuple(form for form in ("%Y%m%d",) if _fits(day, form))
    elif (words := _WORDS.fullmatch(day)) is not None and _names_a_month(words[1] or words[2]):
        found = tuple(form for form in _WITH_NAMES if _fits(day, form))[:1]
    else:
        return None
    return tuple(f"{form}{clock}" for form in found)


def _of_numbers(day: str, first: str, mark: str, last: str) -> Iterator[str]:
    """Give the forms of three numbers that fit; beside dots the month comes first only where nothing else fits."""
    year = "%Y" if len(last) == 4 else "%y"
    day_first, month_first, year_first = (f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}", f"%y{mark}%m{mark}%d")
    if len(first) == 4:
        year_first = f"%Y{mark}%m{mark}%d"
    fitting = [form for form in (day_first, month_first) if _fits(day, form)]
    yield from fitting[:1] if "." in mark else fitting
    # 31-11-26 is meant as a day that is not there rather than as one in 2031.
    sure = int(first) > _LAST_DAY or (bool(fitting) and "." not in mark)
    if sure and len(last) < 4 and _fits(day, year_first):
        yield year_first


def _names_a_month(word: str | None) -> bool:
    return word is not None and any(_fits(f"1 {word} 2000", form) for form in ("%d %b %Y", "%d %B %Y"))


def _fits(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    return True
