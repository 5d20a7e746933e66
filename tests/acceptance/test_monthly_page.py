"""The page on the monthly batch is held to what the program really prints, command by command."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from finance_desk import SANDBOX_KEY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "the-monthly-batch.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
ADDRESS = "http://127.0.0.1:8020"
ANY = "…"


class Shown(NamedTuple):
    """One command of the page, and the lines that it shows below."""

    command: str
    lines: list[str]


def shown(page: str) -> list[Shown]:
    """Give the commands in their order."""
    found = []
    for text in BLOCK.findall(page):
        parts = [part.rstrip("\n").split("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
        found += [Shown(lines[0], lines[1:]) for lines in parts]
    return found


def pattern(lines: list[str]) -> re.Pattern[str]:
    """Give a pattern for lines in which `…` stands for what differs, and alone on a line for any lines."""
    parts = []
    for alone, group in groupby(lines, key=lambda line: line == ANY):
        parts += [r"(?:.*\n)*"] if alone else [f"{_line(line)}\n" for line in group]
    return re.compile("".join(parts))


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split(ANY))


def environment(folder: Path) -> dict[str, str]:
    """Give a newcomer's environment, with a journal of its own."""
    foreign = ("RAPIDFOLIO", "BATCHRUN")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {"BATCHRUN_JOURNAL": str(folder / "state" / "journal.db"), "PYTHONUNBUFFERED": "1", "HOME": str(folder)}
    return kept | own | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "PYTHONIOENCODING": "utf-8"}


def words(command: str) -> list[str]:
    """Give a command's words as this Python runs them."""
    name, *rest = shlex.split(command)
    assert name == "batchrun"
    return [sys.executable, "-m", "batchrun", *rest]


@contextmanager
def left_running(one: Shown, folder: Path) -> Iterator[str]:
    """Start the simulator of the page on a free port; give its address, and hold what it says to the page."""
    line = [*words(one.command), "--port", "0"]
    with subprocess.Popen(
        line, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            (address,) = re.findall(r"http://[\d.:]+", said)
            assert said.rstrip("\n") == "\n".join(one.lines).replace(ADDRESS, address)
            yield address
        finally:
            process.terminate()


def printed(command: str, folder: Path, more: dict[str, str]) -> str:
    """Run a command; give all that a terminal would show, in its order."""
    done = subprocess.run(
        words(command),
        cwd=folder,
        env=environment(folder) | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


def test_every_command_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    for name in ("jobs", "samples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    simulator, *rest = shown(PAGE)
    exported: dict[str, str] = {}
    with left_running(simulator, tmp_path) as address:
        for command, lines in rest:
            if command.startswith("export "):
                name, _, value = command.removeprefix("export ").partition("=")
                exported[name] = value
                continue
            got = printed(command.replace(ADDRESS, address), tmp_path, exported)
            assert pattern(lines).fullmatch(got), f"$ {command}\n{got}"
    assert (tmp_path / "out" / "compared-2026-11.xlsx").is_file()
    assert exported["RAPIDFOLIO_SANDBOX_KEY"].startswith(SANDBOX_KEY[: len("rsk_sandbox_")])


def test_every_page_that_it_points_at_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).is_file(), target
    heads = {
        re.sub(r"[^a-z0-9 -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", PAGE, re.M)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= heads
