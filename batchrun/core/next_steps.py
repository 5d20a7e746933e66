"""One plain sentence for each state: what it means, and what to do."""

from __future__ import annotations

from collections.abc import Mapping

from batchrun.model import State

SENTENCES: Mapping[State, str] = {
    State.INVALID: "Not sent: the row has problems (see the Problems sheet). Correct it and run the sheet again.",
    State.DUPLICATE: "Not sent: a row with this key was sent before. Look at that one first.",
    State.READY: "Not sent yet. Go on with: batchrun resume {batch}",
    State.SENDING: "Being sent. If nothing sends any more, go on with: batchrun resume {batch}",
    State.PENDING: "Accepted; the run has not begun yet. Read it again with: batchrun refresh {batch}",
    State.RUNNING: "Accepted and running. Read it again with: batchrun refresh {batch}",
    State.AWAITING_REVIEW: "Waits for a decision: fill in _decision, save this file, then: batchrun review {workbook}",
    State.COMPLETED: "Done. Nothing is left to do.",
    State.FAILED: "The run ended without success. Read _error, and look at the run before anything is repeated.",
    State.CANCELLED: "The run was cancelled. Look at the run before anything is repeated.",
    State.REFUSED: "The API refused the row and started no run. Read _error and correct the row.",
    State.IN_DOUBT: "Sent, but no answer came: the run may exist. Look for it in the dashboard; it is not sent again.",
}


REJECTED = "Rejected at its review, so the run ended. It is never sent again."
NO_WEBHOOK = " What is asked stands in the dashboard: no webhook came (batchrun listen receives them)."


def sentence(state: State, batch: str, workbook: str, *, told: bool = True, rejected: bool = False) -> str:
    """Say what a state means for its row, and what to do next; `told` is False where no webhook named the review."""
    if rejected and state is State.FAILED:
        return REJECTED
    text = SENTENCES[state].format(batch=batch, workbook=workbook)
    return text + NO_WEBHOOK if state is State.AWAITING_REVIEW and not told else text
