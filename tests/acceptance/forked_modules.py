"""Modules that batchrun starts as processes of their own, as forks of the one that has loaded them already.

A fork has pipes, an exit code and a death of its own as any process has; only Python and the libraries are not loaded
once more for each workbook. That the real ones start, are limited and die well is held in tests/integration.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

FORKED = {"batchrun.io.excel_child": "batchrun.io.excel_child", "batchrun.simulator": "batchrun.simulator.__main__"}
LONGEST = 300  # seconds for a process, lest one that hangs stays


def fork_them(first: Callable[[], None]) -> None:
    """Load these modules, and fork what `subprocess` is asked to start of them; `first` is called in each fork."""
    for name in FORKED.values():
        importlib.import_module(name)

    class Forked(subprocess.Popen[Any]):
        """A process that is forked where that will do."""

        def _execute_child(self, args: Any, *more: Any) -> None:
            if _module(args) is None:
                super()._execute_child(args, *more)  # type: ignore[misc]
                return
            environment, pipes, new_session = more[5], more[9:15], more[20]  # in the order in which Python has them
            self.pid = os.fork()
            if self.pid == 0:
                _become(args, environment, pipes, first, new_session=new_session)
            self._child_created = True
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]

    subprocess.Popen = Forked  # type: ignore[misc]


def _module(args: Any) -> str | None:
    if isinstance(args, str) or "-m" not in args or args[0] != sys.executable:
        return None
    return FORKED.get(args[args.index("-m") + 1])


def _become(
    args: Sequence[str], environment: Any, pipes: Sequence[int], first: Callable[[], None], *, new_session: bool
) -> None:
    """Become the module that was asked for; never returns."""
    code: object = 1
    try:
        gc.freeze()  # what the parent left, its connections say, is not this one's to close
        _take(pipes)
        if new_session:
            os.setsid()
        _calm_signals()
        if environment is not None:
            os.environ.clear()
            os.environ.update(environment)
        first()
        name = _module(args)
        assert name is not None
        sys.argv = [name, *args[args.index("-m") + 2 :]]
        code = sys.modules[name].main() or 0
    except SystemExit as ended:
        code = ended.code or 0
    except BaseException:  # noqa: BLE001  # it is told as Python tells it, and ends here
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def _take(pipes: Sequence[int]) -> None:
    p2cread, _, _, c2pwrite, _, errwrite = pipes
    for number, descriptor in enumerate((p2cread, c2pwrite, errwrite)):
        if descriptor != -1:
            os.dup2(descriptor, number)
    os.closerange(3, min(os.sysconf("SC_OPEN_MAX"), 1 << 16))
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        for number, mode in enumerate(("r", "w", "w"))
    )


def _calm_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.alarm(LONGEST)
