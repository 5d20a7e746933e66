"""`review`: what reviewers put in arrives typed by the schema, or by the cell, to the very digit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from crashing_batchrun import Crasher
from review_desk import ReviewDesk, at_a_review_desk, invoice

FIRST, SECOND = invoice(1), invoice(2)


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[ReviewDesk]:
    with at_a_review_desk(tmp_path, crasher) as one:
        yield one


@pytest.fixture
def typed(desk: ReviewDesk) -> ReviewDesk:
    """Give a desk whose job says what reviewers may put in."""
    desk.job(lambda text: text + "review: {outputs: outputs.schema.json}\n")
    desk.waits(3)
    return desk


def test_the_fields_of_the_schema_are_columns_to_fill_in(typed: ReviewDesk) -> None:
    header = set(typed.results()[FIRST])
    assert {"_override.overrideAmount", "_override.account", "_override.level"} <= header


@pytest.mark.parametrize(
    ("field", "cell", "sent"),
    [
        ("overrideAmount", "19.90", b"19.90"),
        ("overrideAmount", 19.9, b"19.9"),
        ("overrideAmount", 250, b"250"),
        ("overrideAmount", 0.1 + 0.2, b"0.3"),
        ("account", "00123", b'"00123"'),
        ("account", 123, b'"123"'),
        ("urgent", True, b"true"),
        ("urgent", "FALSE", b"false"),
        ("level", "high", b'"high"'),
        ("payOn", datetime(2026, 11, 30), b'"2026-11-30"'),
        ("payOn", "2026-11-30", b'"2026-11-30"'),
    ],
)
def test_an_override_is_typed_by_the_schema(typed: ReviewDesk, field: str, cell: Any, sent: bytes) -> None:
    with typed.typing() as typist:
        typist.type(FIRST, _decision="approve", **{f"_override__{field}": cell})
        typist.approve(SECOND)
    typed.review().ended(4)
    typed.wrote_once_each(FIRST, SECOND)
    (acted,) = typed.server.acted(FIRST)
    assert set(acted.body["outputs"]) == {field}
    assert re.search(rb'"%s"\s*:\s*%s\s*[,}]' % (field.encode(), re.escape(sent)), acted.raw), acted.raw
    assert "outputs" not in typed.server.acted(SECOND)[0].body


@pytest.mark.parametrize(
    ("field", "cell"),
    [
        ("overrideAmount", "many"),
        ("overrideAmount", "1,250.00"),
        ("overrideAmount", -5),
        ("overrideAmount", True),
        ("urgent", "perhaps"),
        ("level", "middle"),
        ("payOn", "30.11.2026"),
        ("account", 1234567890123456),
        ("nonsense", "anything"),
    ],
)
def test_an_override_that_the_schema_does_not_take_is_told_by_its_cell(
    typed: ReviewDesk, field: str, cell: Any
) -> None:
    with typed.typing() as typist:
        typist.type(FIRST, _decision="approve", **{f"_override__{field}": cell})
        typist.approve(SECOND)
        address = typist.address(FIRST, f"_override.{field}")
    typed.refused(told=[address])


def test_without_a_schema_a_column_of_the_scripts_own_is_typed_by_its_cells(desk: ReviewDesk) -> None:
    cells = [19.9, 250, "00123", "19.90", True, 0.1 + 0.2, "Müller & Söhne"]
    desk.waits(len(cells) + 1)
    with desk.typing() as typist:
        for number, cell in enumerate(cells, 1):
            typist.type(invoice(number), _decision="approve", _override__value=cell)
        typist.approve(invoice(len(cells) + 1))
    desk.review().ended(0)
    sent = [desk.server.acted(invoice(number))[0].body["outputs"]["value"] for number in range(1, len(cells) + 1)]
    assert sent == [Decimal("19.9"), 250, "00123", "19.90", True, Decimal("0.3"), "Müller & Söhne"]
    assert [type(one) for one in sent] == [Decimal, int, str, str, bool, Decimal, str]
    assert "outputs" not in desk.server.acted(invoice(len(cells) + 1))[0].body
    desk.review().ended(0)
    assert len(desk.server.arrivals) == len(cells) + 1


def test_an_override_is_kept_in_the_workbook_that_is_written_again(desk: ReviewDesk) -> None:
    desk.waits(2)
    with desk.typing() as typist:
        typist.type(FIRST, _decision="approve", _override__account="00123", _reviewer="Erika Beispiel")
        typist.type(SECOND, _override__account="00456")
    desk.review().ended(4)
    shown = desk.results()
    assert shown[FIRST]["_override.account"] == "00123"
    assert shown[SECOND]["_override.account"] == "00456"
    with desk.typing() as typist:
        typist.approve(SECOND)
    desk.review().ended(0)
    assert desk.server.acted(SECOND)[0].body["outputs"] == {"account": "00456"}
