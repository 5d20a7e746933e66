"""What is said of a text that is no ISO date: the form that fits this very text, and none that doesn't."""

from __future__ import annotations

import pytest

from batchrun.core.cells import Fault, Reading, as_date, as_date_time
from batchrun.core.date_forms import forms_of

NO_DAY = "the calendar has no such day; correct the cell"
NO_DATE = "not a date such as 2026-10-31; correct the cell"


def said(text: str, date_format: str | None = None) -> str:
    found = as_date(text, Reading(date_format=date_format))
    assert isinstance(found, Fault)
    assert found.code == "not-a-date"
    return found.message


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("30.11.2026", "%d.%m.%Y"),
        ("3.4.2026", "%d.%m.%Y"),
        ("30. 11. 2026", "%d. %m. %Y"),
        ("11.30.2026", "%m.%d.%Y"),
        ("30.11.26", "%d.%m.%y"),
        ("30/11/2026", "%d/%m/%Y"),
        ("11/30/2026", "%m/%d/%Y"),
        ("30-11-2026", "%d-%m-%Y"),
        ("30 11 2026", "%d %m %Y"),
        ("2026/11/30", "%Y/%m/%d"),
        ("2026-1-5", "%Y-%m-%d"),
        ("2026/11/5", "%Y/%m/%d"),
        ("99-12-31", "%y-%m-%d"),
        ("20261130", "%Y%m%d"),
        ("30 Nov 2026", "%d %b %Y"),
        ("30-Nov-2026", "%d-%b-%Y"),
        ("30 November 2026", "%d %B %Y"),
        ("1 May 2026", "%d %b %Y"),
        ("Nov 30, 2026", "%b %d, %Y"),
        ("30.11.2026 00:00", "%d.%m.%Y %H:%M"),
        ("30.11.2026 00:00:00", "%d.%m.%Y %H:%M:%S"),
    ],
)
def test_the_form_that_fits_the_text_is_named_and_reads_it(text: str, form: str) -> None:
    assert said(text) == f"{NO_DATE}, or declare its form: `date_format: '{form}'`"
    assert isinstance(as_date(text, Reading(date_format=form)), str)


def test_where_day_and_month_may_be_either_way_both_forms_are_named() -> None:
    forms = "`date_format: '%d/%m/%Y'` or `date_format: '%m/%d/%Y'`"
    assert said("03/04/2026") == f"{NO_DATE}, or declare which form is meant, both are possible: {forms}"
    forms = "`date_format: '%d-%m-%y'` or `date_format: '%m-%d-%y'` or `date_format: '%y-%m-%d'`"
    assert said("03-04-05") == f"{NO_DATE}, or declare which form is meant, each is possible: {forms}"
    assert forms_of("26-10-31") == ("%d-%m-%y", "%y-%m-%d")


@pytest.mark.parametrize(
    "text",
    [
        *("31.11.2026", "30.02.2026", "31/11/2026", "00.00.0000", "32.13.2026", "31-11-26", "31 Nov 2026"),
        *("2026-02-30", "20261131", "2026/02/30", "31.11.2026 00:00"),
    ],
)
def test_a_day_that_is_not_there_is_said_so_without_a_form(text: str) -> None:
    assert said(text) == NO_DAY
    assert said(text, "%d.%m.%Y") == NO_DAY


@pytest.mark.parametrize(
    "text", ["soon", "30.11.", "2026", "30.11-2026", "30 Foo 2026", "31, 2026", "1.2.2026 25:00", "x" * 999]
)
def test_what_is_no_date_gets_no_hint_to_a_form(text: str) -> None:
    assert said(text) == NO_DATE


def test_a_date_with_a_time_of_day_is_not_to_be_declared_a_date() -> None:
    assert said("30.11.2026 14:30") == NO_DATE


def test_a_text_of_another_form_than_the_declared_is_to_be_corrected() -> None:
    assert said("30/11/2026", "%d.%m.%Y") == "not a date in the form %d.%m.%Y; correct the cell"


def test_a_date_time_is_told_its_form_too() -> None:
    found = as_date_time("30.11.2026 14:30", Reading())
    hint = "; correct the cell, or declare its form: `date_format: '%d.%m.%Y %H:%M'`"
    assert found == Fault("not-a-date-time", f"not a date-time such as 2026-10-31T14:30:00+01:00{hint}")
    for text in ("soon", "30.11.2026"):
        assert as_date_time(text, Reading()).message == "not a date-time such as 2026-10-31T14:30:00+01:00"
