"""Runs README's two commands as a newcomer does: in a fresh copy of the project, with nothing installed.

    python tests/readme_commands.py FOLDER

FOLDER is a fresh clone. CI calls this; the tests that README's second command runs cannot call themselves.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def commands(readme: str) -> list[str]:
    """Give the commands of the section `Try it: two commands`."""
    section = readme.split("## Try it: two commands", 1)[1].split("\n## ", 1)[0]
    return [block.strip() for block in re.findall(r"```sh\n(.*?)```", section, re.DOTALL)]


def newcomers_environment(home: Path) -> dict[str, str]:
    """Give an environment in which nothing of this one's Python packages, keys or journal can be seen."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "RAPIDFOLIO", "BATCHRUN", "COVERAGE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return kept | {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}


def main() -> int:
    """Run both, and look for the workbook that the first one promises."""
    folder = Path(sys.argv[1]).resolve()
    found = commands((folder / "README.md").read_text(encoding="utf-8"))
    if len(found) != 2:
        print(f"README shows {len(found)} commands, and promises two")
        return 1
    with tempfile.TemporaryDirectory() as home:
        for command in found:
            print(f"$ {command}", flush=True)
            done = subprocess.run(command, shell=True, cwd=folder, env=newcomers_environment(Path(home)), check=False)
            if done.returncode:
                print(f"README's command ended with {done.returncode}")
                return 1
    if not (folder / "out" / "payouts-2026-10.xlsx").is_file():
        print("README promises out/payouts-2026-10.xlsx, and it is not there")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
