"""batchrun with doors that count what passes them, and that end the process at the n-th: a power cut to order.

As a script it reads commands, one JSON object a line, runs each in a child of its own and answers with its exit code,
so that Python and the libraries are loaded once and not a hundred times:
`{"crash_at": 7, "words": ["resume", "last"], "folder": "/somewhere", "environment": {...}}`.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from finance_desk import CANARY, Desk, Outcome
from forked_modules import fork_them
from ledger_server import LedgerDesk, at_a_ledger

CRASHED = 137
LONGEST = 300  # seconds for a command
TRACED = {
    "http11.send_request_headers.started": "the first byte is about to leave",
    "http11.send_request_body.complete": "the last byte has left",
    "http11.receive_response_headers.complete": "the answer's header is here",
}


@dataclass(frozen=True)
class Crash:
    """How a command ended: at the point `at`, or by itself with `at` empty."""

    code: int
    stdout: str
    stderr: str

    @property
    def at(self) -> str:
        """Give the name of the point at which the process ended."""
        return self.stderr.rsplit("CRASHED AT: ", 1)[1].strip() if self.code == CRASHED else ""


class Crasher:
    """The script as a process, fed with commands."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._busy = threading.Lock()

    def try_run(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> Outcome | None:
        """Run one command to its end; None where another thread's is under way, since they run one by one."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            done = self._run(words, folder, environment, None)
        finally:
            self._busy.release()
        assert "Traceback" not in done.stderr, done.stderr
        return Outcome(done.code, done.stdout, done.stderr)

    def run(self, words: list[str], folder: Path, environment: Mapping[str, str], crash_at: int | None = None) -> Crash:
        """Run one command, ending it at its n-th point."""
        with self._busy:
            return self._run(words, folder, environment, crash_at)

    def _run(self, words: list[str], folder: Path, environment: Mapping[str, str], crash_at: int | None) -> Crash:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"crash_at": crash_at, "words": words, "folder": str(folder), "environment": dict(environment)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Crash(answer["code"], answer["stdout"], answer["stderr"])


@contextmanager
def a_crasher(environment: Mapping[str, str] = os.environ) -> Iterator[Crasher]:
    """Start the script; it ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**environment, "PYTHONWARNINGS": "error"},
        text=True,
        encoding="utf-8",
    ) as process:
        yield Crasher(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0


class QuickCommands(Desk):
    """A desk whose commands run in the crasher's children, which is quick; what is `started` is a process as ever."""

    crasher: Crasher

    def crash(self, crash_at: int | None, *words: str, environment: Mapping[str, str] | None = None) -> Crash:
        """Run a command up to its n-th point."""
        line = [*words, *(["--base-url", self.server.origin] if words[0] in {"run", "check"} else [])]
        return self.crasher.run(line, self.folder, environment or self.environment, crash_at)

    def command(self, *words: str | Path, key: str | None = None, complete: bool = True, **more: Any) -> Outcome:
        """Run a command to its end; a key replaces the desk's, an empty one takes it away."""
        environment = {**self.environment, **more.pop("environment", {})}
        if key is not None:
            environment["RAPIDFOLIO_API_KEY"] = key
        assert not more
        done = self.crash(
            None, *map(str, words), environment={name: text for name, text in environment.items() if text}
        )
        assert CANARY.decode() not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return Outcome(done.code, done.stdout, done.stderr)


class CrashDesk(QuickCommands, LedgerDesk):
    """A desk with a ledger, whose commands are quick and can be made to crash."""


@contextmanager
def at_a_crash_desk(folder: Path, crasher: Crasher, **switches: Any) -> Iterator[CrashDesk]:
    """Give a desk whose commands are quick, and can be made to crash."""
    with at_a_ledger(folder, desk=CrashDesk, **switches) as desk:
        assert isinstance(desk, CrashDesk)
        desk.crasher = crasher
        yield desk


class Points:
    """Counts the points that are passed, and ends the process at the n-th."""

    def __init__(self) -> None:
        self.crash_at: int | None = None
        self.passed = 0

    def forget(self) -> None:
        """Let a process that this one starts pass every point."""
        self.crash_at = None

    def __call__(self, name: str) -> None:
        self.passed += 1
        if self.passed == self.crash_at:
            sys.stdout.flush()
            print(f"CRASHED AT: {name}", file=sys.stderr, flush=True)
            os._exit(CRASHED)


def wrap_the_doors(point: Points) -> None:
    """Put points before and after all that leaves a trace: commits, requests, answers, the workbook."""
    from batchrun.io import exchange, runner_api
    from batchrun.io.journal import Journal

    methods: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()
    writing, start, trace = Journal.writing, runner_api.RunnerApi.start, exchange._Progress.trace

    @contextmanager
    def counted_writing(journal: Any) -> Iterator[Any]:
        with writing(journal) as connection:
            yield connection
            point("before a commit")
        point("after a commit")

    async def counted_start(api: Any, body: bytes, before_write: Any) -> Any:
        point("before a request")
        seen = await start(api, body, before_write)
        point("after an answer")
        return seen

    async def counted_trace(progress: Any, name: str, info: dict[str, Any]) -> None:
        await trace(progress, name, info)
        if "request" in info:
            methods[progress] = info["request"].method
        if name in TRACED and methods.get(progress) == b"POST":
            point(TRACED[name])

    setattr(Journal, "writing", counted_writing)  # noqa: B010
    setattr(runner_api.RunnerApi, "start", counted_start)  # noqa: B010
    setattr(exchange._Progress, "trace", counted_trace)  # noqa: B010
    _wrap_the_last_step_of_a_file(point)


def _wrap_the_last_step_of_a_file(point: Points) -> None:
    replace, link = Path.replace, Path.hardlink_to

    def counted_replace(path: Path, target: Path) -> Path:
        if not path.name.startswith(".batchrun-"):
            return replace(path, target)
        point("before the workbook is replaced")
        done = replace(path, target)
        point("after the workbook was replaced")
        return done

    def counted_link(path: Path, target: Path) -> None:
        point("before the workbook is put in its place")
        link(path, target)
        point("after the workbook was put in its place")

    setattr(Path, "replace", counted_replace)  # noqa: B010
    setattr(Path, "hardlink_to", counted_link)  # noqa: B010


def _run(order: dict[str, Any], point: Points) -> None:
    from batchrun.cli.main import main

    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    point.crash_at = order["crash_at"]
    code: object = 0
    try:
        main(order["words"])
    except SystemExit as ended:
        code = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code) if isinstance(code, int) else 1)


def _in_a_child(order: dict[str, Any], point: Points) -> dict[str, Any]:
    places = [SPOKEN / name for name in ("stdout", "stderr")]
    child = os.fork()
    if child == 0:
        for number, place in enumerate(places, 1):
            os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        signal.alarm(LONGEST)
        try:
            _run(order, point)
        finally:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
            os._exit(70)
    _, status = os.waitpid(child, 0)
    stdout, stderr = (place.read_text(encoding="utf-8") for place in places)
    return {"code": os.waitstatus_to_exitcode(status), "stdout": stdout, "stderr": stderr}


LOADED = (  # once, for every child
    *("openpyxl", "pandas", "anyio._backends._asyncio", "keyring", "jsonschema_rs", "batchrun.cli.main"),
    *("openpyxl.packaging.extended", "pydantic.type_adapter", "typer._adapters", "typer._click.decorators"),
    *("encodings.cp437", "encodings.utf_16_le", "encodings.utf_8_sig", "batchrun.simulator.serve"),
    *(f"batchrun.io.excel_{name}" for name in ("calamine", "reading")),
    *(
        f"batchrun.flows.{name}"
        for name in ("cancel", "check", "compare", "init", "report", "resolve", "retry", "review", "run", "status")
    ),
    *(f"batchrun.io.{name}" for name in ("csv_source", "doubts_sheet", "workbook", "workbook_body")),
)


def _save_coverage() -> None:
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage is not None else None
    if measuring is not None:
        measuring.save()
        # Which files never ran is told by now; a child need not look at each of them once more.
        setattr(measuring, "_post_save_work", lambda: None)  # noqa: B010


def _build_the_command_line() -> None:
    """Make Typer's commands once, and what turns their words into values; each child takes them up as they are."""
    import typer

    from batchrun.cli.main import app

    setattr(typer.main, "get_command", cache(typer.main.get_command))  # noqa: B010
    waiting: list[Any] = [typer.main.get_command(app)]
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        for parameter in command.params:
            if isinstance(parameter, (typer.core.TyperArgument, typer.core.TyperOption)):
                parameter.get_runtime_param()


SPOKEN = Path()  # where children say what they say


def _serve() -> None:
    global SPOKEN  # noqa: PLW0603  # the script's own
    for name in LOADED:
        importlib.import_module(name)
    _build_the_command_line()
    point = Points()
    wrap_the_doors(point)
    fork_them(point.forget)
    _save_coverage()  # so that no child saves the loading of everything once more
    with tempfile.TemporaryDirectory() as spoken:
        SPOKEN = Path(spoken)
        for line in sys.stdin:
            print(json.dumps(_in_a_child(json.loads(line), point)), flush=True)


if __name__ == "__main__":
    _serve()
