"""`listen`: receives webhooks into the journal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from batchrun.core.webhooks import Delivery, Signing
from batchrun.errors import BatchrunError
from batchrun.flows.clock import SystemClock
from batchrun.io import journal_deliveries
from batchrun.io.api_key import webhook_secret
from batchrun.io.journal import Journal, open_journal
from batchrun.io.webhook_receiver import PATH, application, listening, serve

HEARTBEAT_SECONDS = 5.0


def listen(host: str, port: int, signing: Signing, journal_path: Path | None, told: Callable[[str], None]) -> None:
    """Receive until a signal; raise where the secret is missing or the port is taken."""
    secret = webhook_secret(Path.cwd())
    journal = open_journal(journal_path)
    try:
        with listening(host, port) as listener:
            address = listener.getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            told(f"http://{shown}:{address[1]}{PATH}")
            _serve(journal, secret, signing, lambda app: serve(app, listener))
    finally:
        journal.close()


def _serve(journal: Journal, secret: str, signing: Signing, run: Callable[..., None]) -> None:
    def keep(delivery: Delivery, body: bytes) -> None:
        with journal.writing() as connection:
            journal_deliveries.keep(connection, delivery, body, SystemClock().now())

    over = threading.Event()
    heart = threading.Thread(target=_beat, args=(journal, over), daemon=True)
    heart.start()
    try:
        run(application(keep, secret, signing))
    finally:
        over.set()
        heart.join()


def _beat(journal: Journal, over: threading.Event) -> None:
    """Say in the journal that somebody listens, so that runs are read less often."""
    while True:
        _say(journal, listening_now=True)
        if over.wait(HEARTBEAT_SECONDS):
            _say(journal, listening_now=False)
            return


def _say(journal: Journal, *, listening_now: bool) -> None:
    try:
        with journal.writing() as connection:
            journal_deliveries.say_listening(connection, SystemClock().now() if listening_now else None)
    except BatchrunError:
        return  # it is only a hint; whoever follows then reads more often
