"""A desk at which one person plans and another approves; keys are kept in files below its own home."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import keyring
import pytest
from finance_desk import CANARY, JOB, Desk, Outcome, invoices, leaks
from independent_server import independent_server
from keyring.backends import null

from batchrun.cli.main import main

MAKER = "eve"
OUTPUTS = '{"type": "object", "properties": {"amount": {"type": "number"}}}'
PLANNED = f"{JOB}review: {{outputs: outputs.schema.json}}\n"
PLAN, APPROVAL = "october.plan.json", "october.approval.json"


class PlanDesk(Desk):
    """A desk whose system's user is the maker; its commands run in this very process, which is quick."""

    def command(self, *words: str | Path, key: str | None = None, complete: bool = True, **more: Any) -> Outcome:
        """Run a command to its end; a key replaces the desk's, an empty one takes it away."""
        assert not more
        says = words[0] in {"run", "check", "plan"} and not {"--plan", "--simulate", "--base-url"} & set(words)
        line = [*map(str, words), *(["--base-url", self.server.origin] if says else [])]
        environment = self.environment if key is None else {**self.environment, "RAPIDFOLIO_API_KEY": key}
        out, err = io.StringIO(), io.StringIO()
        with _elsewhere(self.folder, environment), redirect_stdout(out), redirect_stderr(err):
            code = _exit_code(line)
        assert CANARY.decode() not in out.getvalue() + err.getvalue()
        return Outcome(code, out.getvalue(), err.getvalue())

    def in_a_process(self, *words: str | Path) -> Outcome:
        """Run a command as a process of its own."""
        return super().command(*words, origin=False)

    def plan(self, *words: str, output: str = PLAN, **more: Any) -> Outcome:
        """Plan the desk's job."""
        return self.command("plan", "payouts.yaml", "-o", output, "--json", *words, **more)

    def approve(self, *words: str, who: str = "ana", plan: str = PLAN, **more: Any) -> Outcome:
        """Approve the plan."""
        return self.command("approve", plan, "--as", who, "--yes", "--json", *words, **more)

    def run_plan(self, *words: str, plan: str = PLAN, **more: Any) -> Outcome:
        """Run by the plan."""
        return self.command("run", "--plan", plan, "--json", *words, **more)

    def key_new(self, *words: str) -> str:
        """Make a key; give its public half."""
        return str(self.command("key", "new", "--json", *words).ended(0).document["public_key"])

    def asks_for(self, approval: str, **approvers: str) -> None:
        """Let the job ask for an approval."""
        named = f"approvers: {json.dumps(approvers)}\n" if approvers else ""
        self.job(lambda _: f"{PLANNED}approval: {approval}\n{named}")

    def refused(self, *words: str, said: str, **more: Any) -> Outcome:
        """Run by the plan, and hold that nothing was sent, nothing recorded, and why."""
        sent = len(self.server.requests)
        outcome = self.run_plan(*words, **more).ended(2)
        assert said in outcome.document["error"]["message"], outcome.document["error"]["message"]
        assert len(self.server.requests) == sent
        return outcome


def _exit_code(line: list[str]) -> int:
    with pytest.raises(SystemExit) as ended:
        main(line)
    return int(ended.value.code or 0)


@contextmanager
def _elsewhere(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Work in another folder, with another environment, and without this machine's own key store."""
    before, place, store = dict(os.environ), Path.cwd(), keyring.get_keyring()
    try:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update({name: text for name, text in environment.items() if text})
        keyring.set_keyring(null.Keyring())
        yield
    finally:
        keyring.set_keyring(store)
        os.environ.clear()
        os.environ.update(before)
        os.chdir(place)


@contextmanager
def at_a_plan_desk(folder: Path) -> Iterator[PlanDesk]:
    """Give a desk with a job of five rows; afterwards, nothing that was left behind holds an API key."""
    with independent_server() as server:
        desk = PlanDesk(folder, server)
        desk.environment |= {"USER": MAKER, "LOGNAME": MAKER, "XDG_STATE_HOME": str(folder / "home" / "state")}
        (folder / "outputs.schema.json").write_text(OUTPUTS, encoding="utf-8")
        desk.job(lambda _: PLANNED)
        desk.sheet(invoices(5))
        yield desk
    assert leaks(folder) == []


def reseal(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Alter a sealed document and seal it again, as somebody who knows how batchrun does it would."""
    from batchrun.core import sealed_document

    document = sealed_document.opened(path.read_bytes())
    change(document)
    path.write_bytes(sealed_document.sealed(document))
