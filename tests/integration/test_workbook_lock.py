"""Who has a workbook open is told by the files that Excel and LibreOffice lay beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from batchrun.io.workbook_lock import SOMEBODY, opened_by


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "payouts.results.xlsx"
    place.write_bytes(b"")
    return place


def owner_file(name: str, code_page: str = "cp1252", wide_at: int = 55) -> bytes:
    """Make what Excel writes: the name twice, padded to 165 bytes."""
    narrow = bytes([len(name)]) + name.encode(code_page, "replace")
    wide = len(name).to_bytes(2, "little") + name.encode("utf-16-le")
    return (narrow.ljust(wide_at, b" " if wide_at == 55 else b"\0") + wide).ljust(165, b" ")


def excel(path: Path, content: bytes) -> None:
    path.with_name(f"~${path.name}").write_bytes(content)


def libreoffice(path: Path, content: str) -> None:
    path.with_name(f".~lock.{path.name}#").write_text(content, encoding="utf-8")


def test_nobody_has_it_open(path: Path) -> None:
    assert opened_by(path) is None
    assert opened_by(path.with_name("none.xlsx")) is None
    assert opened_by(path / "in a file" / "x.xlsx") is None


@pytest.mark.parametrize("name", ["Ida Novak", "Zoë Müller", "王小明", "x", "n" * 52])
def test_excels_user_is_named(path: Path, name: str) -> None:
    excel(path, owner_file(name))
    assert opened_by(path) == name


def test_a_name_in_the_code_page_alone_is_read_too(path: Path) -> None:
    excel(path, b"\x0aZo\xeb M\xfcller")
    assert opened_by(path) == "Zoë Müller"


def test_a_name_at_the_place_where_word_has_it_is_read_too(path: Path) -> None:
    excel(path, owner_file("Ida Novak", wide_at=54))
    assert opened_by(path) == "Ida Novak"


@pytest.mark.parametrize("content", [b"", b"\0" * 165, b"\xff" * 165, b"\x05\x01\x02\x03\x04\x05", b" " * 165])
def test_a_mark_without_a_name_is_somebody(path: Path, content: bytes) -> None:
    excel(path, content)
    assert opened_by(path) == SOMEBODY


@pytest.mark.parametrize(
    ("content", "who"),
    [
        ("Ida Novak,ida,desk-7,27.10.2026 14:03,file:///home/ida/.config/libreoffice/4;", "Ida Novak"),
        (",ida,desk-7,27.10.2026 14:03,file:///home/ida;", "ida"),
        (r"Novak\, Ida \\ \; x,ida,desk-7,,;", "Novak, Ida \\ ; x"),
        ("Žofie 王,z,d,,;", "Žofie 王"),
        (",,,,;", SOMEBODY),
        ("", SOMEBODY),
        ("\\", SOMEBODY),
        ("Ida\x1b[31m\n,ida", "Ida[31m"),
    ],
)
def test_libreoffices_user_is_named(path: Path, content: str, who: str) -> None:
    libreoffice(path, content)
    assert opened_by(path) == who


def test_a_mark_beside_the_file_that_a_link_leads_to_counts(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "mine.xlsx"
    link.parent.mkdir()
    link.symlink_to(path)
    excel(path, owner_file("Ida"))
    assert opened_by(link) == "Ida"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything, Windows has no modes")
def test_a_mark_that_may_not_be_read_is_somebody(path: Path) -> None:
    excel(path, owner_file("Ida"))
    path.with_name(f"~${path.name}").chmod(0)
    assert opened_by(path) == SOMEBODY


def test_whatever_lies_there_nothing_is_raised(path: Path) -> None:
    path.with_name(f"~${path.name}").mkdir()
    assert opened_by(path) == SOMEBODY
    assert opened_by(Path("a\0b.xlsx")) is None
    loop = path.with_name("loop.xlsx")
    loop.symlink_to(loop)
    assert opened_by(loop) is None
