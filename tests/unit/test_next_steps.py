"""One plain sentence for each state."""

from __future__ import annotations

from batchrun.core.next_steps import SENTENCES, sentence
from batchrun.model import State


def test_every_state_has_one_plain_sentence() -> None:
    assert set(SENTENCES) == set(State)
    assert "batchrun resume last" in sentence(State.READY, "last", "out.xlsx")
    assert "batchrun review out.xlsx" in sentence(State.AWAITING_REVIEW, "last", "out.xlsx")
    assert "never sent again" in sentence(State.FAILED, "last", "out.xlsx", rejected=True)
    assert "never" not in sentence(State.FAILED, "last", "out.xlsx")
    assert all("{" not in sentence(state, "b", "w") for state in State)
