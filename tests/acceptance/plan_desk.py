"""A desk at which one person plans and another approves; keys are kept in files below its own home."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crashing_batchrun import Crash, Crasher, QuickCommands
from finance_desk import JOB, Outcome, invoices, leaks
from independent_server import independent_server

MAKER = "eve"
OUTPUTS = '{"type": "object", "properties": {"amount": {"type": "number"}}}'
PLANNED = f"{JOB}review: {{outputs: outputs.schema.json}}\n"
PLAN, APPROVAL = "october.plan.json", "october.approval.json"


class PlanDesk(QuickCommands):
    """A desk whose system's user is the maker; the server's address goes where it may be said."""

    def crash(self, crash_at: int | None, *words: str, environment: Any = None) -> Crash:
        """Run a command up to its n-th point."""
        says = words[0] in {"run", "check", "plan"} and not {"--plan", "--simulate", "--base-url"} & set(words)
        line = [*words, *(["--base-url", self.server.origin] if says else [])]
        return self.crasher.run(line, self.folder, environment or self.environment, crash_at)

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


@contextmanager
def at_a_plan_desk(folder: Path, crasher: Crasher) -> Iterator[PlanDesk]:
    """Give a desk with a job of five rows; afterwards, nothing that was left behind holds an API key."""
    with independent_server() as server:
        desk = PlanDesk(folder, server)
        desk.crasher = crasher
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
