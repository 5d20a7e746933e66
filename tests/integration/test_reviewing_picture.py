"""The picture of docs/reviewing-in-excel.md: a real workbook, filled in and reviewed, as LibreOffice shows it.

The test always makes the picture and looks at it. To replace the one in docs/:

    BATCHRUN_PICTURES=write python -m pytest tests/integration/test_reviewing_picture.py
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import pytest
from openpyxl import load_workbook
from results_books import column, edited

from batchrun.io.workbook_style import FILL_IN, FILL_IN_HEADER, OWN_HEADER, SOURCE_HEADER, TINTS
from batchrun.model import State

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reviewing-in-excel.md"
PICTURE = PAGE.with_suffix(".png")
DOTS_PER_INCH, MARGIN = 144, 12

FILLED_IN = {
    "R-00004": {"_decision": "approve", "_reviewer": "Anna"},
    "R-00012": {"_decision": "Approve ", "_reviewer": "Anna"},
    "R-00013": {"_decision": "reject", "_rejection_reason": "Paid in May", "_reviewer": "Anna"},
    "R-00021": {"_decision": "aprove", "_override.amount": "2400", "_reviewer": "Anna"},
    "R-00028": {"_decision": "approve", "_reviewer": "Anna"},
    "R-00034": {"_decision": "reject", "_reviewer": "Anna"},
}
WAIT_STILL = ("R-00004", "R-00021", "R-00028", "R-00034", "R-00039")
SHOWN = {  # what the picture shows, each column as wide as it needs; the others are hidden
    "Refund No": 12.0,
    "_status": 18.0,
    "_review_title": 29.0,
    "_decision": 12.0,
    "_rejection_reason": 20.0,
    "_override.amount": 19.0,
    "_reviewer": 12.0,
    "_decision_status": 57.0,
}
TO_FILL_IN = ("_decision", "_rejection_reason", "_override.amount", "_reviewer")


class Box(NamedTuple):
    """Where a word stands, in pixels."""

    left: float
    top: float
    right: float
    bottom: float


class Photo(NamedTuple):
    """A page as pixels of three bytes each, and where its words stand."""

    width: int
    height: int
    pixels: bytes
    words: Mapping[str, Box]

    def colour(self, x: float, y: float) -> str:
        """Give the colour at a place, as `FFF9E3`."""
        at = 3 * (int(y) * self.width + int(x))
        return self.pixels[at : at + 3].hex().upper()

    def band(self, top: int, bottom: int) -> bytes:
        """Give the pixels of some lines."""
        return self.pixels[3 * top * self.width : 3 * bottom * self.width]

    def inked(self) -> Box:
        """Give the part of the page that is not white."""
        white = b"\xff" * 3 * self.width
        lines = [y for y in range(self.height) if self.band(y, y + 1) != white]
        top, bottom = lines[0], lines[-1] + 1
        part = self.band(top, bottom)
        blank = b"\xff" * (bottom - top)
        across = [x for x in range(self.width) if any(part[3 * x + hue :: 3 * self.width] != blank for hue in range(3))]
        return Box(across[0], top, across[-1] + 1, bottom)


class Desk:
    """A folder in which the ready job `refunds` waits for its reviews."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workbook = folder / "refunds.xlsx"
        foreign = ("RAPIDFOLIO", "BATCHRUN")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)} | {
            "BATCHRUN_JOURNAL": str(folder / "journal.db"),
            "RAPIDFOLIO_WEBHOOK_SECRET": "whsec_picture",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        }

    def batchrun(self, *words: str) -> list[str]:
        """Run a command; give its lines, what goes to stderr first."""
        done = subprocess.run(
            [sys.executable, "-m", "batchrun", *words],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )
        return (done.stderr + done.stdout).rstrip("\n").split("\n")

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Receive webhooks meanwhile; give the address."""
        words = [sys.executable, "-m", "batchrun", "listen", "--port", "0"]
        with subprocess.Popen(
            words, cwd=self.folder, env=self._environment, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stderr is not None
                yield process.stderr.readline().split("Listening on ")[1].split(";")[0]
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=20)
                assert process.returncode == 0
            finally:
                process.kill()

    def fill_in(self, decisions: Mapping[str, Mapping[str, str]]) -> None:
        """Type into the workbook."""
        with edited(self.workbook) as book:
            sheet = book["Results"]
            lines = {cell.value: cell.row for cell in sheet["A"]}
            for key, cells in decisions.items():
                for name, typed in cells.items():
                    sheet.cell(lines[key], column(sheet, name)).value = typed

    def results(self) -> dict[str, dict[str, Any]]:
        """Give the rows of the workbook by their keys."""
        header, *lines = load_workbook(self.workbook)["Results"].iter_rows(values_only=True)
        return {str(line[0]): dict(zip(map(str, header), line, strict=True)) for line in lines}


def console_blocks() -> list[tuple[str, list[str]]]:
    """Give each console block of the page: a command, and what it prints."""
    found = re.findall(r"```console\n\$ (.*?)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return [(command, shown.rstrip("\n").split("\n")) for command, shown in found]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Let refunds wait, fill in their workbook, review it as the page shows, and then all the same."""
    desk = Desk(tmp_path_factory.mktemp("reviewing"))
    with desk.listening() as address:
        knobs = ["run-time=50ms", "second-review=0.3", f"webhook-url={address}"]
        words = [word for knob in knobs for word in ("--knob", knob)]
        rows = ("--rows", "4-5,13-14,22,29,35,40", "-o", "refunds.xlsx")
        desk.batchrun("run", str(ROOT / "jobs" / "refunds.yaml"), "--simulate", *words, *rows)
        desk.fill_in(FILLED_IN)
        for command, lines in console_blocks():
            name, *words = command.split()
            assert name == "batchrun"
            assert desk.batchrun(*words) == lines
        assert "4 decisions sent and taken." in desk.batchrun("review", "refunds.xlsx", "--skip-invalid")
    return desk


@pytest.mark.slow
def test_the_command_of_the_page_prints_what_it_shows_and_the_rows_are_as_it_tells(desk: Desk) -> None:
    assert [command for command, _ in console_blocks()] == ["batchrun review refunds.xlsx"]
    rows = desk.results()
    assert [key for key, row in rows.items() if row["_status"] == "awaiting_review"] == list(WAIT_STILL)
    told = {key: row["_decision_status"] or "" for key, row in rows.items()}
    assert told["R-00012"].startswith("done: approved by Anna on ")
    assert told["R-00013"].startswith('done: rejected ("Paid in May") by Anna on ')
    assert [told[key] for key in WAIT_STILL] == ["due (review 2)", "due", "due (review 2)", "due", "due"]
    assert {key: rows[key]["_decision"] for key in WAIT_STILL} == {
        **dict.fromkeys(WAIT_STILL),
        "R-00021": "aprove",
        "R-00034": "reject",
    }
    assert all(rows[key]["_review_title"].startswith("Approve payment of ") for key in WAIT_STILL)


@pytest.mark.slow
def test_the_picture_shows_what_waits_shaded_and_what_became_of_the_rest(desk: Desk, tmp_path: Path) -> None:
    pdf = printed(set_up(desk.workbook, tmp_path), tmp_path)
    photo = taken(pdf, tmp_path)
    words, rows = photo.words, desk.results()

    for name in SHOWN:
        first = words[name.split()[0]]
        colour = FILL_IN_HEADER if name in TO_FILL_IN else OWN_HEADER if name.startswith("_") else SOURCE_HEADER
        assert photo.colour(first.left - 2, (first.top + first.bottom) / 2) == colour, name
    for key, row in rows.items():
        middle = (words[key].top + words[key].bottom) / 2
        shades = {photo.colour(x, middle - 5) for x in between_the_words(photo)}
        assert shades == {FILL_IN if key in WAIT_STILL else "FFFFFF"}, (key, shades)
        state = State(row["_status"])
        assert photo.colour(words["_status"].left, words[key].bottom + 1) == TINTS[state].fill, key
    told = " ".join(text_of(pdf).split())
    for text in ("aprove", "Paid in May", "due (review 2)", "done: approved by Anna on", "2400"):
        assert text in told

    made = developed(pdf, photo.inked(), tmp_path)
    assert made.read_bytes().startswith(b"\x89PNG")
    if os.environ.get("BATCHRUN_PICTURES") == "write":
        shutil.copyfile(made, PICTURE)
    assert pixels_across(PICTURE.read_bytes()) == pytest.approx(pixels_across(made.read_bytes()), abs=40)


def set_up(workbook: Path, folder: Path) -> Path:
    """Make a copy for the camera: one page with the letters and numbers of Excel, the columns that are spoken of."""
    book = load_workbook(workbook, rich_text=True)
    for other in book.worksheets[1:]:
        other.sheet_state = "hidden"
    sheet = book["Results"]
    for cell in sheet[1]:
        look = sheet.column_dimensions[cell.column_letter]
        look.hidden, look.width = cell.value not in SHOWN, SHOWN.get(cell.value, look.width)
        cell.comment = None
    sheet.print_area, sheet.print_title_rows, sheet.print_title_cols = sheet.dimensions, None, None
    sheet.col_breaks.brk = []
    sheet.page_setup.paperSize, sheet.page_setup.scale = 8, None  # A3
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.page_setup.fitToWidth = sheet.page_setup.fitToHeight = 1
    sheet.print_options.headings = sheet.print_options.gridLines = True
    for part in (sheet.oddHeader, sheet.oddFooter):
        part.left.text = part.center.text = part.right.text = None
    book.save(folder / "camera.xlsx")
    return folder / "camera.xlsx"


def printed(workbook: Path, folder: Path) -> Path:
    """Let LibreOffice print a workbook."""
    office = shutil.which("soffice")
    assert office, "LibreOffice is needed: apt-get install libreoffice-calc"
    home = f"-env:UserInstallation={(folder / 'office').as_uri()}"
    run(office, home, "--headless", "--convert-to", "pdf", "--outdir", str(folder), str(workbook))
    return workbook.with_suffix(".pdf")


def taken(pdf: Path, folder: Path) -> Photo:
    """Read a page's pixels, and where each word first stands."""
    run("pdftoppm", "-r", str(DOTS_PER_INCH), "-singlefile", str(pdf), str(folder / "page"))
    kind, width, height, most, pixels = (folder / "page.ppm").read_bytes().split(maxsplit=4)
    assert (kind, most, len(pixels)) == (b"P6", b"255", 3 * int(width) * int(height))
    boxes = ElementTree.fromstring(run("pdftotext", "-bbox", "-l", "1", str(pdf), "-"))
    words: dict[str, Box] = {}
    for word in boxes.iter("{http://www.w3.org/1999/xhtml}word"):
        sides = (float(word.attrib[side]) * DOTS_PER_INCH / 72 for side in ("xMin", "yMin", "xMax", "yMax"))
        words.setdefault(word.text or "", Box(*sides))
    return Photo(int(width), int(height), pixels, words)


def between_the_words(photo: Photo) -> Sequence[float]:
    """Give places in the columns to fill in, near their right edges, where no word reaches."""
    return [photo.words[after].left - 30 for after in (*TO_FILL_IN[1:], "_decision_status")]


def text_of(pdf: Path) -> str:
    return run("pdftotext", "-layout", str(pdf), "-")


def developed(pdf: Path, part: Box, folder: Path) -> Path:
    """Make the picture of a part of the page."""
    left, top = int(part.left) - MARGIN, int(part.top) - MARGIN
    size = ("-W", str(int(part.right) + MARGIN - left), "-H", str(int(part.bottom) + MARGIN - top))
    place = ("-x", str(left), "-y", str(top))
    run("pdftoppm", "-png", "-r", str(DOTS_PER_INCH), *place, *size, "-singlefile", str(pdf), str(folder / "picture"))
    return folder / "picture.png"


def pixels_across(png: bytes) -> int:
    return int.from_bytes(png[16:20], "big")


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, timeout=180).stdout.decode("utf-8", "replace")
