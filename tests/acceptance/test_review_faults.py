"""`review`: a faulty decision is told by its cell, and nothing at all is sent, kept or written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crashing_batchrun import Crasher
from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from review_desk import ReviewDesk, Typist, at_a_review_desk, invoice, typing_into, waiting
from review_server import Kind

BAD, GOOD, OTHER, DONE = invoice(1), invoice(2), invoice(3), invoice(4)

Typing = Callable[[Typist], None]


@pytest.fixture
def desk(tmp_path: Path, crasher: Crasher) -> Iterator[ReviewDesk]:
    """Give a desk where three runs wait and one has ended."""
    with at_a_review_desk(tmp_path, crasher) as one:
        one.waits(waiting(4, _4=Kind.PASS))
        yield one


def of(key: str, **cells: object) -> Typing:
    """Type into the cells of one invoice."""
    return lambda typist: typist.type(key, **cells)


def moved(typist: Typist) -> None:
    """Say that a row is another row of the sheet, which waits too."""
    typist.type(BAD, _decision="approve", _row=typist.cell(OTHER, "_row").value)


def in_other_letters(typist: Typist) -> None:
    """Write a run id in capitals."""
    typist.type(BAD, _decision="approve", _run_id=typist.cell(BAD, "_run_id").value.upper())


def exchanged(typist: Typist) -> None:
    """Exchange the run ids of two rows that wait."""
    mine, theirs = (typist.cell(key, "_run_id").value for key in (BAD, OTHER))
    typist.type(BAD, _decision="approve", _run_id=theirs)
    typist.type(OTHER, _run_id=mine)


def pasted(typist: Typist) -> None:
    """Paste a row once more below, and decide the other way."""
    source, below = typist.row_of(BAD), typist.sheet.max_row + 1
    for column in typist.columns.values():
        typist.sheet.cell(below, column).value = typist.sheet.cell(source, column).value
    typist.sheet.cell(source, typist.columns["_decision"]).value = "approve"
    typist.sheet.cell(below, typist.columns["_decision"]).value = "reject"
    typist.sheet.cell(below, typist.columns["_rejection_reason"]).value = "no"


DECISION, REASON, RUN_ID, ROW = "_decision", "_rejection_reason", "_run_id", "_row"
OVERRIDE = "_override.amount"
FAULTS: dict[str, tuple[Typing, str, tuple[str, ...]]] = {
    # what is typed, whose row it is, and which cells may be told
    "a rejection without a reason": (of(BAD, _decision="reject"), BAD, (REASON, DECISION)),
    "a rejection with a blank reason": (of(BAD, _decision="reject", _rejection_reason=" \t"), BAD, (REASON, DECISION)),
    "an override on a rejection": (
        of(BAD, _decision="reject", _rejection_reason="no", _override__amount=5),
        BAD,
        (OVERRIDE, DECISION),
    ),
    "a word that is neither": (of(BAD, _decision="maybe"), BAD, (DECISION,)),
    "a word that is nearly one": (of(BAD, _decision="approved"), BAD, (DECISION,)),
    "a word that begins as one": (of(BAD, _decision="approve?"), BAD, (DECISION,)),
    "a boolean": (of(BAD, _decision=True), BAD, (DECISION,)),
    "a number": (of(BAD, _decision=1), BAD, (DECISION,)),
    "an error": (of(BAD, _decision="#N/A"), BAD, (DECISION,)),
    "a formula that was never calculated": (of(BAD, _decision='=LOWER("APPROVE")'), BAD, (DECISION,)),
    "a reason that was never calculated": (
        of(BAD, _decision="reject", _rejection_reason='=CONCATENATE("no"," money")'),
        BAD,
        (REASON,),
    ),
    "an override that was never calculated": (
        of(BAD, _decision="approve", _override__amount="=B2*2"),
        BAD,
        (OVERRIDE,),
    ),
    "an override that is an error": (of(BAD, _decision="approve", _override__amount="#REF!"), BAD, (OVERRIDE,)),
    "an approval of a run that has ended": (of(DONE, _decision="approve"), DONE, (DECISION,)),
    "a rejection of a run that has ended": (of(DONE, _decision="reject", _rejection_reason="no"), DONE, (DECISION,)),
    "another run id": (of(BAD, _decision="approve", _run_id="run_99999r"), BAD, (RUN_ID,)),
    "a run id in other letters": (in_other_letters, BAD, (RUN_ID,)),
    "no run id": (of(BAD, _decision="approve", _run_id=None), BAD, (RUN_ID,)),
    "the run id of another row": (exchanged, BAD, (RUN_ID, ROW)),
    "another row's number": (moved, BAD, (ROW, RUN_ID)),
    "a row number that is none of the sheet": (of(BAD, _decision="approve", _row=99), BAD, (ROW, RUN_ID)),
    "a row number that is text": (of(BAD, _decision="approve", _row="two"), BAD, (ROW, RUN_ID)),
    "no row number": (of(BAD, _decision="approve", _row=None), BAD, (ROW, RUN_ID)),
    "a row twice, with two minds": (pasted, BAD, (DECISION, ROW, RUN_ID)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_decision_is_told_by_its_cell_and_nothing_is_sent(desk: ReviewDesk, fault: str) -> None:
    typing, key, columns = FAULTS[fault]
    with desk.typing() as typist:
        typist.approve(GOOD)
        typing(typist)
        row = typist.row_of(key)
        addresses = [typist.address(key, column) for column in columns]
        good = typist.address(GOOD, DECISION)
    outcome = desk.refused()
    told = [address for address in addresses if f"{address} " in f"{outcome.words.replace(':', ' ')} "]
    assert told, f"none of {addresses} is told (row {row}):\n{outcome.stderr}"
    assert good not in outcome.words, "that one is right"


def test_a_decision_below_the_rows_is_told(desk: ReviewDesk) -> None:
    with desk.typing() as typist:
        typist.approve(GOOD)
        typist.sheet.cell(9, typist.columns[DECISION]).value = "approve"
    outcome = desk.refused(told=["results.xlsx!Results!"])
    assert any(f"!Results!{get_column_letter(column)}9" in outcome.words for column in typist.columns.values())


def test_all_faults_are_told_at_once(desk: ReviewDesk) -> None:
    with desk.typing() as typist:
        typist.type(BAD, _decision="perhaps")
        typist.type(OTHER, _decision="approve", _run_id="run_other")
        typist.type(DONE, _decision="approve")
        told = [typist.address(BAD, DECISION), typist.address(OTHER, RUN_ID), typist.address(DONE, DECISION)]
    desk.refused(told=told)
    desk.refused("--dry-run", told=told)


def test_skip_invalid_sends_the_rest_and_leaves_the_faulty_cells_as_they_are(desk: ReviewDesk) -> None:
    with desk.typing() as typist:
        typist.type(BAD, _decision="reject", _reviewer="Erika Beispiel")
        typist.approve(GOOD)
        typist.type(OTHER, _decision="perhaps")
        told = [typist.address(OTHER, DECISION)]
    outcome = desk.review("--skip-invalid")
    assert outcome.code in (1, 4), outcome
    assert told[0] in outcome.words
    desk.wrote_once_each(GOOD)
    shown = desk.results()
    assert (shown[BAD]["_decision"], shown[BAD]["_reviewer"]) == ("reject", "Erika Beispiel")
    assert shown[OTHER]["_decision"] == "perhaps"
    assert shown[GOOD]["_status"] == "completed"
    with desk.typing() as typist:
        typist.type(BAD, _rejection_reason="too late")
        typist.type(OTHER, _decision="Approve")
    desk.review().ended(1)
    desk.wrote_once_each(BAD, GOOD, OTHER)


# The wrong file


def of_another_journal(desk: ReviewDesk) -> Path:
    """Give a workbook of a batch that the journal does not know."""
    folder = desk.folder / "elsewhere"
    folder.mkdir()
    with at_a_review_desk(folder) as other:
        other.waits(2)
        with other.typing() as typist:
            typist.approve(GOOD)
        return other.workbook


def without_results(desk: ReviewDesk) -> Path:
    """Give an Excel file of something else."""
    book = Workbook()
    book.active.append(["Some", "thing"])  # type: ignore[union-attr]
    book.save(desk.folder / "else.xlsx")
    return desk.folder / "else.xlsx"


def without_columns(desk: ReviewDesk) -> Path:
    """Give a workbook from which somebody has deleted the columns to decide by."""
    book = load_workbook(desk.workbook)
    sheet = book["Results"]
    sheet.delete_cols([cell.value for cell in sheet[1]].index(RUN_ID) + 1)
    sheet.cell(2, [cell.value for cell in sheet[1]].index(DECISION) + 1).value = "approve"
    book.save(desk.folder / "poorer.xlsx")
    return desk.folder / "poorer.xlsx"


def with_two_columns(desk: ReviewDesk) -> Path:
    """Give a workbook in which two columns hold decisions."""
    with desk.typing() as typist:
        typist.approve(GOOD)
        typist.column(DECISION)
        typist.reject(GOOD)
    return desk.workbook


def truncated(desk: ReviewDesk) -> Path:
    """Give half a workbook."""
    whole = desk.workbook.read_bytes()
    (desk.folder / "half.xlsx").write_bytes(whole[: len(whole) // 2])
    return desk.folder / "half.xlsx"


WRONG_FILES: dict[str, Callable[[ReviewDesk], Path]] = {
    "the sheet itself": lambda desk: desk.folder / "payouts.csv",
    "the job": lambda desk: desk.folder / "payouts.yaml",
    "no file at all": lambda desk: desk.folder / "nobody.xlsx",
    "a folder": lambda desk: desk.folder,
    "half a file": truncated,
    "another kind of workbook": without_results,
    "a workbook without its columns": without_columns,
    "a column twice": with_two_columns,
    "a batch that this journal does not know": of_another_journal,
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_file_that_is_no_workbook_of_a_batch_is_refused_in_words(desk: ReviewDesk, wrong: str) -> None:
    path = WRONG_FILES[wrong](desk)
    outcome = desk.refused(path=path)
    assert path.name in outcome.words
    assert desk.server.acted() == []


def test_rows_of_another_batch_are_never_mixed_in(desk: ReviewDesk) -> None:
    desk.sheet([{**row, "Invoice No": f"9000{place}"} for place, row in enumerate(waiting(4))], "others.csv")
    others = Path(desk.run("--input", "others.csv", "--again").ended(4).document["workbook"])
    assert others != desk.workbook
    theirs = Typist(others)
    with desk.typing() as typist:
        for column in theirs.columns:  # their second line over our second line
            typist.sheet.cell(3, typist.columns[column]).value = theirs.sheet.cell(3, theirs.columns[column]).value
        typist.type("90001", _decision="approve")
        typist.approve(BAD)
        address = typist.address("90001", RUN_ID)
    desk.refused(told=[address])
    desk.review("--skip-invalid")
    desk.wrote_once_each(BAD)
    with typing_into(others) as typist:
        typist.approve("90001")
    desk.review(path=others).ended(4)
    desk.wrote_once_each(BAD, "90001")


# Looking before


def test_a_dry_run_sends_nothing_changes_nothing_and_shows_what_would_be_sent(desk: ReviewDesk) -> None:
    with desk.typing() as typist:
        typist.approve(BAD)
        typist.reject(GOOD, reason="over the limit of May")
        typist.type(GOOD, _reviewer="Erika Beispiel")
    workbook, journal = desk.workbook.read_bytes(), desk.dump()
    outcome = desk.review("--dry-run")
    assert outcome.code in (0, 4), outcome
    plain = desk.command("review", desk.workbook, "--dry-run")
    assert plain.code == outcome.code
    for said in (outcome.stderr, plain.stdout + plain.stderr):
        words = " ".join(said.split())
        assert "over the limit of May" in words
        assert "approve" in words
        assert "reject" in words
    assert desk.server.arrivals == []
    assert desk.dump() == journal
    assert desk.workbook.read_bytes() == workbook
    desk.review().ended(1)
    desk.wrote_once_each(BAD, GOOD)


def test_a_command_line_that_is_wrong_is_told_as_a_document(desk: ReviewDesk) -> None:
    for words in (["--nonsense"], [desk.folder / "second.xlsx"]):
        outcome = desk.review(*words).ended(2)
        assert outcome.document["error"]["code"] == "bad-command-line"


def test_without_a_key_nothing_is_sent(desk: ReviewDesk) -> None:
    with desk.typing() as typist:
        typist.approve(BAD)
    desk.refused(key="")
    desk.review().ended(4)
    desk.wrote_once_each(BAD)
