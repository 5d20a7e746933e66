"""One JSON document on stdout whatever happens, and one sentence for people; every fault of a spec at once."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from finance_desk import BATCH_COMMANDS, DOCUMENT_KEYS, Desk, Outcome, at_a_desk, invoices

from batchrun.cli.documents import DOCUMENTS

STARTS: dict[str, list[str]] = {
    "no such option": ["run", "payouts.yaml", "--json", "--nope"],
    "no job": ["run", "--json"],
    "an option without its value": ["run", "payouts.yaml", "--json", "--limit"],
    "a limit that is no number": ["run", "payouts.yaml", "--json", "--limit", "x"],
    "no such environment": ["run", "payouts.yaml", "--json", "-e", "production"],
    "a param that the job has not": ["run", "payouts.yaml", "--json", "--param", "x=1"],
    "a total that is none": ["run", "payouts.yaml", "--json", "--expect-total", "Amount=much"],
    "an origin that is none": ["run", "payouts.yaml", "--json", "--base-url", "nowhere"],
    "a missing job": ["run", "missing.yaml", "--json"],
    "a missing input": ["run", "payouts.yaml", "--json", "--input", "missing.csv"],
    "a folder as input": ["run", "payouts.yaml", "--json", "--input", "state"],
    "a journal in a folder that cannot be": ["run", "payouts.yaml", "--json", "--journal", "/proc/none/journal.db"],
    "a text file as journal": ["run", "payouts.yaml", "--json", "--journal", "payouts.csv"],
    "a wait that is none": ["run", "payouts.yaml", "--json", "--wait", "soon"],
    "run with an unknown knob": ["run", "payouts.yaml", "--json", "--simulate", "--knob", "nope=1"],
    "resume of nothing": ["resume", "nothing-001", "--json"],
    "resume without a batch": ["resume", "--json"],
    "refresh of nothing": ["refresh", "last", "--json"],
}
OTHERS: dict[str, list[str]] = {
    "no such command": ["frobnicate", "--json"],
    "show of nothing": ["show", "nothing-001", "--row", "2", "--json"],
    "show without a row": ["show", "last", "--json"],
    "check of nothing": ["check", "missing.yaml", "--json"],
    "simulate with an unknown knob": ["simulate", "--json", "--knob", "nope=1"],
    "a backup without a place": ["journal", "backup", "--json"],
    "a key for nobody": ["key", "new", "--json", "--as"],
}


CASES = {**STARTS, **OTHERS}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with at_a_desk(tmp_path_factory.mktemp("machine")) as desk:
        desk.sheet(invoices(3))
        yield desk
        assert desk.server.requests == []


@pytest.fixture(scope="module")
def outcomes(desk: Desk) -> dict[str, Outcome]:
    """Run every command that cannot start."""

    def outcome(words: list[str]) -> Outcome:
        return desk.command(*words, origin=not {"--base-url", "--simulate"} & set(words), complete=False)

    return {case: outcome(words) for case, words in CASES.items()}


@pytest.mark.parametrize("case", CASES)
def test_a_command_that_cannot_start_says_so_in_one_sentence_and_one_document(
    outcomes: dict[str, Outcome], case: str
) -> None:
    words = CASES[case]
    outcome = outcomes[case].ended(2)
    if words[0] in BATCH_COMMANDS:
        assert set(outcome.document) == DOCUMENT_KEYS
    assert outcome.document["version"] == 1
    assert set(outcome.document["error"]) == {"code", "message"}
    sentence = outcome.document["error"]["message"]
    assert " ".join(sentence.split()) in outcome.words
    assert len([line for line in outcome.stderr.splitlines() if line.startswith("Error: ")]) == 1
    assert "Traceback" not in outcome.stderr
    if words[0] in ("journal", "key"):
        assert set(outcome.document) == set(DOCUMENTS[" ".join(words[:2])])
        assert f"Next: batchrun {' '.join(words[:2])} --help" in outcome.stderr
    if words[0] == "check":
        assert {name: outcome.document[name] for name in ("rows", "valid", "invalid", "duplicates", "problems")} == {
            **dict.fromkeys(("rows", "valid", "invalid", "duplicates"), 0),
            "problems": [],
        }


NAMED = {
    "no job": "JOB",
    "an option without its value": "--limit",
    "a limit that is no number": "--limit",
    "no such environment": "production",
    "a param that the job has not": "x",
    "an origin that is none": "nowhere",
    "resume without a batch": "BATCH",
    "show without a row": "--row",
    "run with an unknown knob": "nope",
    "simulate with an unknown knob": "nope",
    "a text file as journal": "payouts.csv",
}


@pytest.mark.parametrize("case", NAMED)
def test_a_usage_error_names_what_is_wrong(outcomes: dict[str, Outcome], case: str) -> None:
    message = outcomes[case].ended(2).document["error"]["message"]
    assert NAMED[case] in message, message


def test_the_next_command_in_the_document_is_the_one_that_people_read(outcomes: dict[str, Outcome]) -> None:
    outcome = outcomes["no such option"].ended(2)
    said = [line.removeprefix("Next: ") for line in outcome.stderr.splitlines() if line.startswith("Next: ")]
    assert said == ([outcome.document["next"]] if outcome.document["next"] else [])


def test_a_missing_key_is_one_sentence_and_nothing_is_sent(desk: Desk) -> None:
    outcome = desk.run(key="").ended(2)
    assert "RAPIDFOLIO_API_KEY" in outcome.document["error"]["message"]
    assert desk.batches() == []


def test_every_fault_of_a_spec_is_reported_at_once_with_its_line(tmp_path: Path) -> None:
    faults = {
        "vendor: Vendor\n": "vendor: Vender\n",
        "dueDate: Due\n": "dueDat: Due\n",
        "rate: 200/s\n": "rate: fast\n",
        "concurrency: 8\n": "concurrency: 0\nfoo: 1\n",
        "key: Invoice No\n": "key: Invoice Number\n",
    }

    def spoiled(text: str) -> str:
        for good, bad in faults.items():
            text = text.replace(good, bad)
        return text

    with at_a_desk(tmp_path) as desk:
        text = desk.job(spoiled).read_text(encoding="utf-8")
        desk.sheet(invoices(3))
        outcome = desk.run().ended(2)
        lines = {line: number for number, line in enumerate(text.splitlines(), 1)}
        for wrong, told in {
            "  vendor: Vender": 'did you mean "Vendor"',
            "  dueDat: Due": 'did you mean "dueDate"',
            "rate: fast": "fast",
            "concurrency: 0": "concurrency",
            "foo: 1": "foo",
            "key: Invoice Number": 'did you mean "Invoice No"',
        }.items():
            [message] = [line for line in outcome.stderr.splitlines() if f"payouts.yaml:{lines[wrong]}:" in line]
            assert told in message
        assert desk.server.requests == []


def test_a_doubled_key_in_the_spec_is_refused_with_its_line(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        text = desk.job(lambda text: text + "rate: 5/s\n").read_text(encoding="utf-8")
        desk.sheet(invoices(3))
        message = desk.run().ended(2).document["error"]["message"]
        assert f"payouts.yaml:{len(text.splitlines())}" in message
        assert "rate" in message


def test_schema_prints_a_json_schema(desk: Desk) -> None:
    assert desk.command("schema", "--json").ended(0).document["type"] == "object"


@pytest.mark.slow
def test_doctor_answers_with_a_document_and_starts_no_run(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        outcome = desk.command("doctor", "--json").ended(0)
        assert outcome.document["error"] is None
        assert desk.server.starts == []


def test_no_colour_and_no_bar_when_stderr_is_no_terminal(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(20))
        outcome = desk.command("run", "payouts.yaml").ended(0)
        assert "\x1b" not in outcome.stdout + outcome.stderr
        assert "\r" not in outcome.stdout + outcome.stderr
        assert "%|" not in outcome.stderr


@pytest.mark.slow
def test_quiet_says_less_and_the_document_stays(tmp_path: Path) -> None:
    with at_a_desk(tmp_path) as desk:
        desk.sheet(invoices(3))
        quiet = desk.run("--quiet").ended(0)
        loud = desk.run("--again", "--allow-duplicates").ended(0)
        assert quiet.document["counts"] == loud.document["counts"] == {"completed": 3}
        assert len(quiet.stderr) < len(loud.stderr)


def test_help_answers_in_under_0_3_seconds_of_cpu(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}  # without coverage, which would be measured too
    spent = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "batchrun", "--help"], env=environment, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(spent) < 0.3, spent
