"""What is wrong with a command line is said in plain sentences, with exit code 2, and as JSON where that was asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchrun.cli.main import main

WRONG = [
    (["chek"], 'batchrun has no command "chek"; did you mean "check"?', "batchrun --help"),
    (["key", "foo"], 'batchrun key has no command "foo"; known are "set", "new"', "batchrun key --help"),
    (["--foo"], 'batchrun knows no option "--foo"', "batchrun --help"),
    (["--json", "run", "a.yaml"], "--json stands before the command that it is for; write: batchrun run … --json", ""),
    (["--yes"], "--yes stands before the command that it is for; write: batchrun COMMAND … --yes", ""),
    (["run", "a.yaml", "--jsn"], 'batchrun run knows no option "--jsn"; did you mean "--json"?', "batchrun run --help"),
    (["run", "a.yaml", "-x"], 'batchrun run knows no option "-x"', ""),
    (["run", "a.yaml", "--rate"], "--rate needs a value after it, as in: batchrun run … --rate R", ""),
    (["run", "a.yaml", "-o"], "-o needs a value after it, as in: batchrun run … -o FILE", ""),
    (["run", "a.yaml", "--rate", "--yes"], "--rate needs a value after it, and --yes is an option", ""),
    (["run", "a.yaml", "--rows", ""], "--rows needs a value, and it is empty", ""),
    (["run", "a.yaml", "--rows= "], "--rows needs a value, and it is empty", ""),
    (["run", "a.yaml", "--json=yes"], "--json stands alone and takes no value", ""),
    (
        ["run", "a", "b c.yaml"],
        '"b c.yaml" is more than batchrun run takes; a name with spaces in it stands in quotes',
        "",
    ),
    (["run", "a.yaml", "-e", "prod"], '--environment takes no "prod"; known are "sandbox", "live"', ""),
    (["run", "a.yaml", "-e", "Live"], '--environment takes no "Live"; did you mean "live"?', ""),
    (["run", "a.yaml", "--limit", "x"], '--limit: "x" is not a whole number; write for example --limit 20', ""),
    (["run", "a.yaml", "--limit", "0"], "--limit: 0 is too small; the least is 1", ""),
    (["run", "a.yaml", "--limit", "9" * 5000], "is not a whole number", ""),
    (["run", "a.yaml", "--concurrency", "1000"], "--concurrency: 1000 is too large; the most is 256", ""),
    (["run", "a.yaml", "--expect-rows", "1,000"], '--expect-rows: "1,000" is not a whole number', ""),
    (["check"], "batchrun check needs JOB (the job spec's path): batchrun check JOB", "batchrun check --help"),
    (["show", "last"], "batchrun show needs --row N (the row's number in the sheet): batchrun show BATCH --row N", ""),
    (["approve"], "batchrun approve needs F.plan.json (the plan): batchrun approve F.plan.json --as NAME", ""),
    (["journal", "backup"], "batchrun journal backup needs --output F.db", "batchrun journal backup --help"),
    (["listen", "--signature-encoding", "x"], '--signature-encoding takes no "x"; known are "hex", "base64"', ""),
]


def ended(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as exit:
        main(words)
    return exit.value.code, *capsys.readouterr()


@pytest.mark.parametrize(("words", "told", "following"), WRONG)
def test_a_wrong_command_line_is_told_in_a_plain_sentence(
    words: list[str], told: str, following: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, said = ended(words, capsys)
    assert code == 2
    first, second = said.splitlines()
    assert first.startswith(f"Error: {told}") or told in first
    assert second.startswith(f"Next: {following or 'batchrun '}")
    if "--json" not in words:
        assert out == ""
        code, out, _ = ended([*words[:-1], "--json", *words[-1:]], capsys)
    assert code == 2
    assert json.loads(out)["error"]["code"] == "bad-command-line"


def test_of_an_option_that_is_given_twice_it_is_told_which_one_counts(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["check", "no.yaml", "--limit", "1", "--limit=2", "--rows", "3", "--rows=3", "--param", "a=1"]
    _, _, said = ended([*words, "--param", "b=2"], capsys)
    notes = [line for line in said.splitlines() if line.startswith("Note: ")]
    assert notes == ["Note: --limit is given twice; the last one counts: 2"]


def test_whoever_says_nothing_is_shown_what_can_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, said = ended([], capsys)
    assert (code, out) == (2, "")
    assert "Commands:" in said
    assert "Error" not in said


@pytest.mark.parametrize("flag", ["--rate", "--max-errors"])
def test_a_wrong_rate_or_share_is_told_with_its_option(
    flag: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    job = str(Path(__file__).parents[2] / "jobs/vendor-payouts.yaml")
    code, _, said = ended(["run", job, "--simulate", flag, "x", "--journal", f"{tmp_path}/journal.db"], capsys)
    assert code == 2
    assert f'Error: {flag}: "x" is not a ' in said


@pytest.mark.parametrize("words", [["--help"], ["key", "--help"], ["journal", "--help"]])
def test_no_command_s_summary_is_cut_off_on_a_narrow_terminal(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = ended(words, capsys)
    listed = out.partition("Commands:\n")[2].splitlines()
    assert listed
    assert [line for line in listed if not line.endswith(".") or line.endswith("...") or line[2] == " "] == []


def test_a_tab_is_a_value(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("Invoice\tAmount\nA-1\t19.99\n", encoding="utf-8")
    code, _, said = ended(["init", str(sheet), "-o", str(tmp_path / "job.yaml"), "--delimiter", "\t"], capsys)
    assert code == 0, said
