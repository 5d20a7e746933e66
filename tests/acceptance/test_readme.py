"""README is held to what the program really prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
OWN_JOB = README.split("## Your first own job", 1)[1].split("\n## ", 1)[0]


def block(language: str) -> str:
    """Give the section's one block in a language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", OWN_JOB, re.DOTALL)
    return text


def console_blocks() -> list[list[tuple[str, list[str]]]]:
    """Give each console block as pairs of a command and the lines that it shows."""
    found = []
    for text in re.findall(r"```console\n(.*?)```", OWN_JOB, re.DOTALL):
        parts = [part.rstrip("\n").split("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
        found.append([(lines[0], lines[1:]) for lines in parts])
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "invoices.csv").write_text(block("csv"), encoding="utf-8")
    (tmp_path / "invoice.schema.json").write_text(block("json"), encoding="utf-8")
    (tmp_path / "invoices.yaml").write_text(block("yaml"), encoding="utf-8")
    return tmp_path


def run(command: str, folder: Path) -> list[str]:
    """Run a command as shown; give its lines, what goes to stderr first."""
    name, *arguments = command.split()
    assert name == "batchrun"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAPIDFOLIO")}
    done = subprocess.run(
        [sys.executable, "-m", "batchrun", *arguments],
        cwd=folder,
        env=environment | {"BATCHRUN_JOURNAL": str(folder / "journal.db")},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return (done.stderr + done.stdout).rstrip("\n").split("\n")


def shown_as(line: str) -> re.Pattern[str]:
    """Give a pattern for a line of README, in which `…` stands for what differs from machine to machine."""
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))


def test_the_first_own_job_prints_what_readme_shows(folder: Path) -> None:
    first, second = console_blocks()
    for command, lines in first:
        assert run(command, folder) == lines
    sheet = folder / "invoices.csv"
    sheet.write_text(sheet.read_text(encoding="utf-8").replace("30.11.2026", "2026-11-30"), encoding="utf-8")
    for command, lines in second:
        printed = run(command, folder)
        assert len(printed) == len(lines), printed
        for got, shown in zip(printed, lines, strict=True):
            assert shown_as(shown).fullmatch(got), (got, shown)
    assert (folder / "invoices.results.xlsx").is_file()


def test_every_command_that_readme_names_exists() -> None:
    named = set(re.findall(r"batchrun ([a-z]+)", README)) - {"turns", "import"}
    helped = subprocess.run(
        [sys.executable, "-m", "batchrun", "--help"], capture_output=True, text=True, check=True
    ).stdout
    known = set(re.findall(r"^  ([a-z]+) ", helped, re.MULTILINE))
    assert named <= known


def test_every_page_that_readme_points_at_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).is_file(), target
