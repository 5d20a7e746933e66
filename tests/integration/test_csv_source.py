"""What a CSV file says is what the rows say, and each way in which it can be broken has its own plain sentence."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest

from batchrun.errors import BadInput
from batchrun.io.source import Source, SourceOptions, open_source
from batchrun.model import SourceRow


def write(folder: Path, content: bytes | str, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def opened(path: Path, **options: object) -> Source:
    return open_source(SourceOptions(path, **options))  # type: ignore[arg-type]


def rows_of(path: Path, **options: object) -> list[SourceRow]:
    with opened(path, **options) as source:
        return list(source.rows())


def cells_of(path: Path, **options: object) -> list[tuple[object, ...]]:
    return [row.cells for row in rows_of(path, **options)]


def notes_of(path: Path, **options: object) -> tuple[str, ...]:
    with opened(path, **options) as source:
        list(source.rows())
        return source.notes()


def fault_of(path: Path, **options: object) -> str:
    with pytest.raises(BadInput) as caught, opened(path, **options) as source:
        list(source.rows())
    assert "\n" not in caught.value.message
    return caught.value.message


def test_cells_are_kept_exactly_as_stored(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,Name,Land,Empty\n00123, Null ,NA,\n19.90,nan,-,\n")
    assert cells_of(path) == [("00123", " Null ", "NA", ""), ("19.90", "nan", "-", "")]


def test_the_source_knows_how_to_name_its_cells(tmp_path: Path) -> None:
    with opened(write(tmp_path, "_row,Id,Name\n1,a,b\n")) as source:
        assert source.info.header == ("Id", "Name")
        assert source.info.ignored == ("_row",)
        assert source.info.cell_address(2, 1) == "in.csv!C2"
        assert list(source.rows()) == [SourceRow(2, ("a", "b"))]
        assert source.notes() == ("Columns ignored because their names begin with _: _row.",)


def test_rows_can_be_read_twice(tmp_path: Path) -> None:
    with opened(write(tmp_path, "Id\na\n\nb\n")) as source:
        assert list(source.rows()) == list(source.rows())
        assert source.notes() == ("1 blank row skipped (row 3).",)


@pytest.mark.parametrize(
    "content",
    [
        "Näme\nMüller\n".encode(),
        b"\xef\xbb\xbf" + "Näme\nMüller\n".encode(),
        "Näme\nMüller\n".encode("utf-16"),
        b"\xfe\xff" + "Näme\nMüller\n".encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with mark", "utf-16", "utf-16 big endian"],
)
def test_unicode_is_recognised(tmp_path: Path, content: bytes) -> None:
    with opened(write(tmp_path, content)) as source:
        assert source.info.header == ("Näme",)
        assert [row.cells for row in source.rows()] == [("Müller",)]


def test_a_declared_encoding_is_used(tmp_path: Path) -> None:
    assert cells_of(write(tmp_path, "Name\nMüller €\n".encode("cp1252")), encoding="cp1252") == [("Müller €",)]
    marked = write(tmp_path, b"\xef\xbb\xbfName\nx\n")
    with opened(marked, encoding="utf-8") as source:
        assert source.info.header == ("Name",)
    wide = write(tmp_path, "\ufeffName\nx\n".encode("utf-16-le"))
    with opened(wide, encoding="utf-16-le") as source:
        assert source.info.header == ("Name",)


def test_a_cp1252_file_is_refused_with_line_and_byte(tmp_path: Path) -> None:
    path = write(tmp_path, b"Id,Name\n" + b"1,ok\r\n" * 30_000 + b"2,M\xfcller\n")
    message = fault_of(path)
    assert "line 30002 holds the byte 0xFC (byte 180,012 of the file)" in message
    assert "source.encoding: cp1252" in message


def test_a_wrong_declared_encoding_is_refused(tmp_path: Path) -> None:
    assert "line 2 holds the byte 0xC3" in fault_of(write(tmp_path, "Id\nü\n"), encoding="ascii")
    assert "no known encoding" in fault_of(write(tmp_path, "Id\n1\n"), encoding="latin99")
    assert "mark of UTF-8" in fault_of(write(tmp_path, b"\xef\xbb\xbfId\n1\n"), encoding="cp1252")


@pytest.mark.parametrize(("codec", "advice"), [("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be")])
def test_utf16_without_a_mark_is_refused_and_named(tmp_path: Path, codec: str, advice: str) -> None:
    assert f"source.encoding: {advice}" in fault_of(write(tmp_path, "Id\n1\n".encode(codec)))


def test_utf32_is_refused(tmp_path: Path) -> None:
    assert "UTF-32" in fault_of(write(tmp_path, "Id\n1\n".encode("utf-32")))


def test_a_file_cut_within_a_character_is_refused(tmp_path: Path) -> None:
    assert "line 2" in fault_of(write(tmp_path, b"Id\nM\xc3"))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_the_one_whose_header_holds_every_needed_column(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path, delimiter.join(["Id", "Amount", "Note"]) + "\n" + delimiter.join(["1", "2", "x"]) + "\n")
    assert cells_of(path, columns_needed=("Id", "Amount")) == [("1", "2", "x")]
    assert cells_of(path) == [("1", "2", "x")]


def test_commas_within_headers_do_not_mislead(tmp_path: Path) -> None:
    path = write(tmp_path, "Name, first;Amount, net, EUR;Id\nx;1,5;7\n")
    assert cells_of(path, columns_needed=("Id", "Name, first")) == [("x", "1,5", "7")]


def test_a_delimiter_that_cannot_be_told_is_asked_for(tmp_path: Path) -> None:
    assert "source.delimiter" in fault_of(write(tmp_path, "a,b;c\n1,2;3\n"))


def test_a_declared_delimiter_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b~c\n1,2~3\n")
    assert cells_of(path, delimiter="~") == [("1,2", "3")]
    assert cells_of(write(tmp_path, "a\tb\n1\t2\n"), delimiter="tab") == [("1", "2")]
    assert "one character" in fault_of(path, delimiter="::")


def test_a_separator_line_is_honoured(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "sep=;\na,b;c\n1;2\n")) == [SourceRow(3, ("1", "2"))]


def test_a_tsv_of_one_column_is_read(tmp_path: Path) -> None:
    assert cells_of(write(tmp_path, "Id\n1\n", "in.tsv")) == [("1",)]


def test_quoted_line_breaks_keep_the_physical_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path, 'Id,"Long\nheader"\n1,"two\nlines"\n2,x\n')
    assert rows_of(path) == [SourceRow(3, ("1", "two\nlines")), SourceRow(5, ("2", "x"))]


def test_blank_lines_are_skipped_and_counted_and_numbers_stay(tmp_path: Path) -> None:
    path = write(tmp_path, "\n\nId,Name\n\n1,a\n,\n\n2,b\n\n")
    assert [row.number for row in rows_of(path)] == [5, 8]
    assert notes_of(path) == ("4 blank rows skipped (rows 4, 6, 7, 9).",)


def test_many_blank_rows_are_named_briefly(tmp_path: Path) -> None:
    assert notes_of(write(tmp_path, "Id\n1\n" + "\n" * 9)) == ("9 blank rows skipped (rows 3, 4, 5, 6, 7 and 4 more).",)


def test_a_given_header_row_is_a_physical_line(tmp_path: Path) -> None:
    path = write(tmp_path, 'Report "October\n\nId,Name\n1,a\n')
    assert rows_of(path, header_row=3) == [SourceRow(4, ("1", "a"))]
    assert "no line 9" in fault_of(path, header_row=9)


def test_short_and_long_rows_are_faults_of_those_rows_alone(tmp_path: Path) -> None:
    short, good, long = rows_of(write(tmp_path, "a,b,c\n1,2\n1,2,3\n1,2,3,4\n"))
    assert (short.cells, short.faults[0].code) == (("1", "2", ""), "too-few-cells")
    assert good.faults == ()
    assert (long.cells, long.faults[0].code) == (("1", "2", "3"), "too-many-cells")
    assert "the row has 4 cells, but the header has 3" in long.faults[0].message


def test_an_unterminated_quotation_mark_does_not_swallow_the_file(tmp_path: Path) -> None:
    message = fault_of(write(tmp_path, 'a,b\n1,2\n3,"open\n5,6\n7,8\n'))
    assert message.startswith("in.csv!3: a quotation mark opens")


def test_text_after_a_closing_quotation_mark_is_refused(tmp_path: Path) -> None:
    assert fault_of(write(tmp_path, 'a,b\n1,"x"y\n')).startswith("in.csv!2: text follows")


def test_quotation_marks_of_the_header_must_match(tmp_path: Path) -> None:
    assert "in.csv!1: the quotation marks of the header row" in fault_of(write(tmp_path, '"a"x,b\n1,2\n'))


def test_a_cell_over_128_kib_is_refused_with_its_row(tmp_path: Path) -> None:
    assert "in.csv!2: a cell of this row is longer than 131,072" in fault_of(write(tmp_path, "a\n" + "x" * 131_073))


def test_mixed_line_ends_are_read(tmp_path: Path) -> None:
    assert [row.number for row in rows_of(write(tmp_path, b"a,b\r\n1,2\n3,4\r5,6\r\n"))] == [2, 3, 4]


@pytest.mark.parametrize("end", ["1,2\n\x1a", "1,2\r\n\x1a\r\n", "1,2\x1a"])
def test_an_end_of_file_mark_of_dos_is_no_row(tmp_path: Path, end: str) -> None:
    assert cells_of(write(tmp_path, "a,b\n" + end)) == [("1", "2")]


def test_the_same_mark_within_the_file_is_text(tmp_path: Path) -> None:
    assert cells_of(write(tmp_path, "a\n1\x1a\n2\n3\n")) == [("1\x1a",), ("2",), ("3",)]


def test_control_characters_are_left_to_the_cell_rules(tmp_path: Path) -> None:
    filler = "x" * 5000
    path = write(tmp_path, f"a,b\n{filler},\ufffd\n\x00,\x85\n")
    assert cells_of(path)[1] == ("\x00", "\x85")


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", ";;;\n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: str) -> None:
    assert "header row" in fault_of(write(tmp_path, content))


def test_a_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, "Id,Name")) == []


def test_headers_are_compared_trimmed_composed_and_with_plain_spaces(tmp_path: Path) -> None:
    with opened(write(tmp_path, " Invoice\xa0No ,Cafe\u0301\n1,2\n")) as source:
        assert source.info.header == ("Invoice No", "Café")


def test_duplicate_headers_are_refused_with_both_cells(tmp_path: Path) -> None:
    message = fault_of(write(tmp_path, "Id,Amount,Amount \n1,2,3\n"))
    assert 'the header "Amount" stands twice, in in.csv!B1 and in in.csv!C1' in message


def test_duplicate_ignored_headers_are_harmless(tmp_path: Path) -> None:
    assert cells_of(write(tmp_path, "Id,_x,_x\n1,2,3\n")) == [("1",)]


def test_a_blank_header_over_nothing_is_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, "Id,,Name,\n1,,a,\n2,,b,\n")
    assert cells_of(path) == [("1", "a"), ("2", "b")]


def test_a_blank_header_over_data_is_refused(tmp_path: Path) -> None:
    message = fault_of(write(tmp_path, "Id,,Name\n1,,a\n2,x,b\n"))
    assert "the cell in.csv!B3 holds data, but its column has no header in in.csv!B1" in message


def test_gzip_is_unpacked_and_its_copy_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    path = write(tmp_path, gzip.compress(b"Id\tName\n1\ta\n"), "in.tsv.gz")
    with opened(path) as source:
        assert [row.cells for row in source.rows()] == [("1", "a")]
        assert source.info.row_address(2) == "in.tsv.gz!2"
    assert list((tmp_path / "temp").iterdir()) == []


def test_broken_or_oversized_gzip_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(b"Id\n" + b"1\n" * 50_000)
    assert "damaged or incomplete gzip" in fault_of(write(tmp_path, packed[:-20], "in.csv.gz"))
    assert "larger than 0 MB" in fault_of(write(tmp_path, packed, "in.csv.gz"), max_size=1000)
    assert "unpack it first" in fault_of(write(tmp_path, gzip.compress(b"PK\x03\x04"), "in.xlsx.gz"))


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Id;Name\n1;a\n")))
    with opened(Path("-")) as source:
        assert source.info.file_name == "stdin"
        assert [row.cells for row in source.rows()] == [("1", "a")]


@pytest.mark.parametrize(
    ("name", "content", "claim"),
    [
        ("in.xlsx", b"Id,Name\n1,a\n", "named like a workbook"),
        ("in.xls", b"<html><table><tr><td>1</table>", "web page"),
        ("in.csv", b"\xef\xbb\xbf  <!DOCTYPE html><html>", "web page"),
        ("in.xls", b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "Excel 2003 XML"),
        ("in.csv", b"PK\x03\x04rest", "holds an Excel workbook"),
        ("in.csv", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1rest", "ends in .xls,"),
        ("in.csv", b"%PDF-1.7", "PDF"),
    ],
)
def test_what_is_no_csv_is_named_for_what_it_is(tmp_path: Path, name: str, content: bytes, claim: str) -> None:
    assert claim in fault_of(write(tmp_path, content, name))


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    assert "there is no file" in fault_of(tmp_path / "missing.csv")
    assert "is a folder" in fault_of(tmp_path)


def test_a_sheet_name_is_not_used_and_said_so(tmp_path: Path) -> None:
    assert notes_of(write(tmp_path, "a\n1\n"), sheet="X") == ("source.sheet was not used: a CSV file has no sheets.",)


@pytest.mark.parametrize(
    "encoding", ["rot13", "hex", "zip", "idna", "undefined", "unicode_escape", "punycode", "utf-32", "a\0b"]
)
def test_what_no_file_is_written_in_is_no_encoding(tmp_path: Path, encoding: str) -> None:
    assert "no known encoding" in fault_of(write(tmp_path, "Id\n1\n"), encoding=encoding)


def test_utf16_that_is_declared_without_its_order_needs_a_mark(tmp_path: Path) -> None:
    message = fault_of(write(tmp_path, "Id\n1\n".encode("utf-16-le")), encoding="utf-16")
    assert "source.encoding: utf-16-le" in message


@pytest.mark.parametrize("line", ["sep=;", "Sep=;;", '"sep=;"', "sep=; "])
def test_a_separator_line_may_be_padded(tmp_path: Path, line: str) -> None:
    assert rows_of(write(tmp_path, f"{line}\na,b;c\n1;2\n")) == [SourceRow(3, ("1", "2"))]


def test_a_header_of_megabytes_is_no_header(tmp_path: Path) -> None:
    assert "in.csv!1: a header is longer than 131,072" in fault_of(write(tmp_path, "Id," + "x" * 200_000))


def test_what_is_packed_twice_is_named(tmp_path: Path) -> None:
    twice = gzip.compress(gzip.compress(b"Id\n1\n"))
    assert "in.csv.gz is packed twice with gzip" in fault_of(write(tmp_path, twice, "in.csv.gz"))


def test_gzip_of_several_members_is_read_to_the_end(tmp_path: Path) -> None:
    packed = gzip.compress(b"Id\n1\n") + gzip.compress(b"2\n") + bytes(64)
    assert cells_of(write(tmp_path, packed, "in.csv.gz")) == [("1",), ("2",)]
    assert "damaged or incomplete" in fault_of(write(tmp_path, packed + b"rest", "in.csv.gz"))


def test_line_ends_of_old_macs_are_read(tmp_path: Path) -> None:
    assert rows_of(write(tmp_path, b"a,b\r1,2\r\r3,4")) == [SourceRow(2, ("1", "2")), SourceRow(4, ("3", "4"))]


def test_cp1252_with_some_utf8_bytes_is_refused(tmp_path: Path) -> None:
    mixed = "Id\nMüller\n".encode() + "Jürgen\n".encode("cp1252")
    assert "line 3 holds the byte 0xFC" in fault_of(write(tmp_path, mixed))
