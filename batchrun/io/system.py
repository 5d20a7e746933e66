"""The only module that knows which operating system this is: users, file modes, signals, locks, folders."""

from __future__ import annotations

import contextlib
import getpass
import os
import select
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import filelock
import platformdirs

if sys.platform != "win32":
    import fcntl

from batchrun.errors import JournalUnusable

_SYNC_FOLDERS = ("onedrive", "dropbox", "google drive", "googledrive", "icloud", "nextcloud", "box sync")
_SOON = 0.25  # seconds
_NETWORK_TYPES = {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "ncpfs", "davfs"}


def state_folder() -> Path:
    """Give the folder where each system keeps a user's state."""
    return Path(platformdirs.user_state_dir("batchrun", appauthor=False))


def user_name() -> str:
    """Give the system's name for who is working."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def shell_word(text: str) -> str:
    """Quote a word as this system's command line takes it, where that is needed."""
    if sys.platform == "win32":
        return f'"{text}"' if " " in text else text
    return shlex.quote(text)


def host_name() -> str:
    """Give this machine's name."""
    return socket.gethostname()


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner can enter."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def make_private(path: Path) -> None:
    """Let only the owner read and write a file; Windows' user folders are private already."""
    if os.name != "nt":
        path.chmod(0o600)


def refuse_shared_folder(folder: Path) -> None:
    """Refuse a folder on a network or in a sync client: SQLite's locks do not hold there."""
    parts = " ".join(part.lower() for part in folder.resolve().parts)
    synced = next((name for name in _SYNC_FOLDERS if name in parts), None)
    if synced or _is_network(folder.resolve()):
        why = "is kept in step by a sync client" if synced else "is on a network drive"
        raise JournalUnusable(
            f"the journal cannot be in {folder}: the folder {why}, and a journal there can be damaged; "
            "choose a folder on this machine with --journal or BATCHRUN_JOURNAL"
        )


def _is_network(folder: Path) -> bool:
    if os.name == "nt":
        return str(folder).startswith("\\\\")
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return False
    best, kind = "", ""
    for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines():
        _, point, filesystem, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = str(folder) == point or str(folder).startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, filesystem
    return kind in _NETWORK_TYPES


@contextlib.contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold an operating-system lock that dies with its holder; yield False where another process has it."""
    lock = filelock.FileLock(path, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def hold(file: BinaryIO) -> None:
    """Let others see that a file is in use, until it is closed.

    By its own descriptor: on a Windows share a lock refuses whatever comes through another. Source: flock(2), "CIFS
    details".
    """
    _flock(file.fileno())


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Let others see that a file or folder is in use; on Windows nobody can remove what is open anyway."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        _flock(handle)
        yield
    finally:
        os.close(handle)


def is_held(path: Path) -> bool:
    """Tell whether a process may be using a file or folder; where nobody can tell, one may."""
    if sys.platform == "win32":
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        return not _flock(handle)
    finally:
        os.close(handle)


def _flock(handle: int) -> bool:
    if sys.platform != "win32":
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:  # another has it; or it is a network drive that knows no locks
            return False
    return True


def is_own(seen: os.stat_result) -> bool:
    """Tell whether a file belongs to who is working; Windows keeps that elsewhere."""
    return sys.platform == "win32" or seen.st_uid == os.getuid()


@contextlib.contextmanager
def on_interrupt(first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
    """Call `first` on the first Ctrl-C or SIGTERM, and `second` on the next."""
    if threading.current_thread() is not threading.main_thread():  # as in a notebook; Python takes signals there alone
        yield
        return
    seen = [0]

    def handle(_number: int, _frame: object) -> None:
        seen[0] += 1
        (first if seen[0] == 1 else second)()

    numbers = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class Interrupts:
    """What Ctrl-C and SIGTERM do for a while: the first and the second as is set, any later one leaves at once."""

    def __init__(self) -> None:
        self.seen = 0
        self.first: Callable[[], None] = self.leave
        self.second: Callable[[], None] = lambda: None

    @staticmethod
    def leave() -> None:
        """Leave what is being done, as Python does by itself."""
        raise KeyboardInterrupt

    @contextlib.contextmanager
    def calling(self, first: Callable[[], None], second: Callable[[], None]) -> Iterator[None]:
        """Call these meanwhile."""
        before = self.first, self.second
        self.first, self.second = first, second
        try:
            yield
        finally:
            self.first, self.second = before

    def handle(self) -> None:
        """Take one more."""
        self.seen += 1
        (self.first, self.second, self.leave)[min(self.seen, 3) - 1]()


@contextlib.contextmanager
def interrupts(*, taken: bool) -> Iterator[Interrupts]:
    """Take Ctrl-C and SIGTERM; where they are not `taken`, or cannot be, none is ever seen."""
    taking = Interrupts()
    if not taken or threading.current_thread() is not threading.main_thread():  # Python takes signals there alone
        yield taking
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(number, lambda _number, _frame: taking.handle()) for number in numbers]
    try:
        yield taking
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def ignore_interrupts() -> None:
    """Let nothing interrupt the last words of a command, which ends at once after them."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def is_terminal() -> bool:
    """Tell whether a person watches: both the words and the answers go through a terminal."""
    return sys.stderr.isatty()


def can_ask() -> bool:
    """Tell whether a question can be put and answered."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def answered_line() -> str:
    """Read the line that somebody types.

    A Ctrl-C that comes just before the reading begins would wait for the line, too; so its coming is looked for first,
    where the system can wait for a terminal with an end to it.
    """
    while sys.platform != "win32" and not select.select([sys.stdin], [], [], _SOON)[0]:
        pass
    return sys.stdin.readline()


def is_locked(path: Path) -> bool:
    """Tell whether a process holds a lock, by trying it for a moment; a file that is not there is not locked."""
    if not path.exists():
        return False
    with try_lock(path) as mine:
        return not mine
