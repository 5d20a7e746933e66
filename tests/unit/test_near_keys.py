"""Keys that are nearly one another: how near, and found among others by a quick look."""

from __future__ import annotations

import pytest

from batchrun.core import near_keys
from batchrun.core.near_keys import Wanted, periods, skeletons, spellings


def apart(one: str, other: str) -> str | None:
    """Say in what two keys differ; the quick look must never overlook what the slow one finds."""
    likeness = Wanted((one,)).likeness((other,))
    if likeness is not None:
        assert Wanted((one,)).may_be(skeletons(f'["{other}"]')[0])
    return None if likeness is None else likeness.apart


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("INV-1204", "inv-1204", near_keys.ANOTHER_CASE),
        ("INV-1204", "INV - 1204", near_keys.ANOTHER_SPACE),
        ("INV-1204", "INV\u00a01204", near_keys.ANOTHER_MARK),
        ("INV-1204", "INV/1204.", near_keys.ANOTHER_MARK),
        ("INV-1204", "INV\u20131204", near_keys.ANOTHER_MARK),
        ("INV-1204", "INV1204", near_keys.ANOTHER_MARK),
        ("00123", "123", near_keys.ANOTHER_ZERO),
        ("INV-0012", "inv 12", near_keys.ANOTHER_ZERO),
        ("2026-01", "2026-1", near_keys.ANOTHER_ZERO),
        ("INV-1O04", "INV-1004", near_keys.LOOKS_ALIKE),
        ("INV-l204", "INV-1204", near_keys.LOOKS_ALIKE),
        ("INV-1204", "\uff29NV-1204", near_keys.ANOTHER_CASE),
        ("INV-1204", "INV-1240", near_keys.SWAPPED),
        ("INV-1204", "VIN-1204", None),
        ("INV-1204", "INV-12044", near_keys.LEFT_OUT),
        ("INV-1204", "NV-1204", near_keys.LEFT_OUT),
        ("INV-1204", "INW-1204", near_keys.REPLACED),
        ("INV-1204", "INV-12S4", near_keys.REPLACED),
        ("INV-0012", "INW-12", near_keys.REPLACED),
        ("INV-1204", "INV-12x04", near_keys.LEFT_OUT),
        ("INV-1204", "INV-12204", near_keys.LEFT_OUT),
        ("INV-1104", "INV-104", near_keys.LEFT_OUT),
        ("INV-0102", "INV-0012", near_keys.SWAPPED),
        ("INV-1204", "INV-1304", None),
        ("INV-1204", "INV-120", None),
        ("INV-1204", "INV-12049", None),
        ("INV-0003", "INV-0033", None),
        ("INV-1204", "INV-1305", None),
        ("INV-1204", "INV-120444", None),
        ("INV-1204", "INV-13044", None),
        ("INV-1204", "INV-4021", None),
        ("INV-1204", "INV-1204", None),
        ("Müller 12", "müller-12", near_keys.ANOTHER_MARK),
        ("注文-12号", "注文12号", near_keys.ANOTHER_MARK),
        ("7", "8", None),
        ("007", "7", near_keys.ANOTHER_ZERO),
        ("123", "1234", None),
        ("1234", "123", None),
        ("#", "##", None),
        ("-", "- ", near_keys.ANOTHER_SPACE),
        ("7" * 200, "7" * 199, near_keys.LEFT_OUT),
        ("7" * 201, "7" * 200, None),
    ],
)
def test_two_keys_are_as_near_as_their_difference(one: str, other: str, expected: near_keys.Likeness | None) -> None:
    assert apart(one, other) == (None if expected is None else expected.apart)


def test_the_likelier_mistake_comes_first() -> None:
    near = [near_keys.ANOTHER_CASE, near_keys.ANOTHER_ZERO, near_keys.SWAPPED, near_keys.REPLACED]
    assert sorted(near, reverse=True) == near[::-1]


@pytest.mark.parametrize("form", ["RE-2027-{:04d}", "RE-2027-{}", "{:06d}", "{}"])
def test_the_neighbours_of_a_numbered_key_are_not_near_it(form: str) -> None:
    wanted = Wanted((form.format(2_003),))
    near = [number for number in range(10_000) if wanted.likeness((form.format(number),))]
    assert all(sorted(f"{number:04d}") == sorted("2003") or number in {203, 2_003} for number in near)


def test_a_small_number_filled_with_zeros_has_one_key_near_it() -> None:
    wanted = Wanted(("RE-2027-0003",))
    near = [f"RE-2027-{number:04d}" for number in range(10_000) if wanted.likeness((f"RE-2027-{number:04d}",))]
    assert near == ["RE-2027-0030"], "two digits that have changed places"


def test_every_slip_passes_the_quick_look() -> None:
    key = "INV-2026-00417"
    wanted = Wanted((key,))
    slips = [key[:place] + "x" + key[place + 1 :] for place in range(len(key))]
    slips += [key[:place] + key[place + 1 :] for place in range(len(key))]
    slips += [key[:place] + "x" + key[place:] for place in range(len(key) + 1)]
    slips += [key[:place] + key[place + 1] + key[place] + key[place + 2 :] for place in range(len(key) - 1)]
    found = [slip for slip in slips if wanted.likeness((slip,)) is not None]
    assert len(found) > 40
    assert all(wanted.may_be(skeletons(slip)[0]) for slip in found)


def test_keys_of_a_sequence_hardly_pass_the_quick_look() -> None:
    wanted = Wanted(("INV-2026-123456",))
    passed = sum(map(wanted.may_be, skeletons("\n".join(f"INV-2026-{number:06d}" for number in range(20_000)))))
    assert passed < 1_100


def test_the_parts_of_a_key_are_compared_as_one_text() -> None:
    likeness = Wanted(("INV-1204", "2026-10")).likeness(("INV-1204", "2026-1O"))
    assert likeness == near_keys.LOOKS_ALIKE
    assert Wanted(("INV-1204", "2026-10")).may_be(skeletons('["inv1204","202610"]')[0])


def test_words_are_the_parts_of_a_key() -> None:
    assert spellings(["INV-1", "2026-10"]) == [("INV-1", "2026-10")]


def test_one_word_is_a_key_or_its_parts_joined() -> None:
    assert spellings(["INV-1"]) == [("INV-1",)]
    assert spellings(["INV-1, 2026-10"]) == [("INV-1, 2026-10",), ("INV-1", "2026-10")]
    assert set(spellings(["Doe, Jane, 7"])) == {
        ("Doe, Jane, 7",),
        ("Doe, Jane", "7"),
        ("Doe", "Jane, 7"),
        ("Doe", "Jane", "7"),
    }
    assert len(spellings([", ".join("abcdefgh")])) == 2


def test_a_key_may_come_once_in_any_of_its_batchs_periods() -> None:
    assert periods({}) == [()]
    assert periods({"period": "2026-10"}) == [(), (("period", "2026-10"),)]
    assert (("b", "2"), ("a", "1")) in periods({"a": "1", "b": "2"})
    assert len(periods(dict.fromkeys("abcdefgh", "1"))) == 10
