"""The older and other kinds of workbook follow the same rules as .xlsx, down to errors and hidden rows."""

from __future__ import annotations

import base64
import lzma
import struct
import zipfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from batchrun.errors import BadInput
from batchrun.io.excel_ole import workbook_stream
from batchrun.io.source import SourceOptions, open_source
from batchrun.model import DressedNumber, Number, Unreadable

# Written by LibreOffice 7: a row of headers, errors, a hidden row 5, A6 and A7 merged.
XLS = lzma.decompress(
    base64.b85decode(
        b"{Wp48S^xk9=GL@E0stWa761SMbT8$j;2Hk~O<e$JGrk;#Fn3_|q=YHL-W+x(g7T4u+=$92y5sv3#s1$Y|6@ZSfQ3MUD>BRRg-WROuZTSRwY6lI$%"
        b"OQ~$AsH{xQcTkWE3{EHT&2|ziIY4a-S8PTlWgOs~1DQFtRg=Q+)%^wzJ5fuEXruO-5u&A^}wv8;aVXVXaYNvtMoLPg50AnLEL_%Rd5j@lWU}-"
        b"H+$rY41a(T6wrW;}&_$mv|sJ*tcPB;kJ`(`tM+!Zu?zQdcax%`4`)A=9`4Mzj9-WZFxoe5^1s1;ATUr1z?Qpf%fRwRtS9DO-bMd2Skg#LCa7-"
        b"Ubi$b^-USdBUz-u`2Hn^$P~PY^t#;Kb3BjNY_>6dg!l+;N19FBqXfEviCKTBWs?@f4=0KzkP&iCMUubk7PxKO7g^FOA?-"
        b"bD(Gyy~zvlxOylTKH*DK5!c2gd96k-e=j-"
        b"_3HQuP@dFyN#Fl~=Fb={)S!|41y$>)4Lwll1(Ih+queqcS#IsFb#X8b9!v5~2XIe6(F)tUYlirDRMG#KXXv(t94KQjneFo44~PCprB8%-"
        b"882`GOt6HckjLRa={R@xXewf?lLx%2AY`x4>pu`sH`(Sd4QL0yuS0+9`!GxvvkuW$dY5t*;`hhv;a`;;I6=JsySGvz@fNh~~1sVm`zYM(axpxg;l"
        b"jH@p|>#EU@wh3(2nv^Ek)t+9fK^mVj#>@L52NX|<eDQjQ6L|2#n9GByxkc%?^qs`q?o;fv7SJB||$PC0`_F835!V97tGE=dg$mxS`#{>b8lf*w*N"
        b"jV~4iyyZQtqSF8X;M;3<pbwye&JLSBt@*N?tFpzXoKl{_#}bC9iM$k2F$CdGyLDwp|gU|1pE8a<S&d33>9zqQ(AW*tKv~dOPj)vnK5b=`aEjew$Y"
        b"q2rQmArzdYWA5zci(L3WO@+xzI_0aY8L+R%G8Cnc4Wk=_Nz;RjvLnsCW1W*o>st09R?dM<RjTyW~H15nMWU^mLh{I_=LxtQPD{todS{fRgt+$xCY"
        b"j&z_51nUn5K;2qj2}KeuZ{OnilZE`kLQ4g$HVb8J$~cRL?YVe=fF!wC0dzZEQ)}RCG236a^*LZ>pRYV79r%CLJuD-Oim|eQUew2+umbxp9zf#jD;"
        b"*A)BHZt{9Wt02Dv3>kaLoFH-b2*Py|c#^p~mff<Jl+r$(Ko1R1HZNTIaksS|GPRj6^$#(2^)(VBfN{z`REoTj|T0W!iMhWjsd7esmdS=dgVG@t-"
        b"k*18XIvh6VLzVhMws_LL>D&hskRXO{-ea5@e}EgMfbVvra{!-"
        b"|92xL_{7xT^EL<ddfaI0OoJ?*D`hE#AF%!L+EgGLplf8a&+okpMCs^HJubhy2XWsa>wxhs}+>KAMO3&e41n?nL&YfsU+_^jqLJ^hyu;Q|nEd&0pO"
        b"jGG)4q7okD$V%O#@7K2~bIdBeZ8FHtyVq?2VmMxn{^OG#Hv&iPq|NHSt_Q!;963_d>lQ-rF?=#z_b+(@B1&GNy4imL6*WIvK@hZ~GK(|Li&_&LOs"
        b"n)f>c+7B*Z<4Urf?BJX#J4-"
        b"Grl#=Q2&SOIIer@C2=bfMj^rFhsTBc@qS!1_E|)%+k{62J(9+;y!VnKV!paP$e0)VU3@382S3<9Qf}vgRqIF9L&gfqBl?C9JdV;D+s_FMl5(qtfR"
        b"@3`+==`~7l0i0cCD%f{LH@bqPK&&fH}nvo%={KJ<cbAW-"
        b"xf>Hx)Hf#>)ECy{d0WA2b%>5T3CI7yK@EV?UO3jy8Cjc<aj5?00000kg8<(NNP8W00HR=fHVLAL4B2WvBYQl0ssI200dcD"
    )
)

OPEN_DOCUMENT = """<office:document-content xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:calcext="c"
xmlns:draw="d">
<office:body><office:spreadsheet>{tables}</office:spreadsheet></office:body></office:document-content>"""
TEXT = '<table:table-cell office:value-type="string"{more}><text:p>{text}</text:p></table:table-cell>'
ERROR = (
    '<table:table-cell table:formula="of:=NA()" office:value-type="string" office:string-value="" '
    'calcext:value-type="error"><text:p>#N/A</text:p></table:table-cell>'
)


def rows_of(path: Path, **options: object) -> dict[int, tuple[object, ...]]:
    with open_source(SourceOptions(path, **options)) as source:  # type: ignore[arg-type]
        return {
            row.number: tuple(cell.code if isinstance(cell, Unreadable) else cell for cell in row.cells)
            for row in source.rows()
        }


def fault_of(path: Path, **options: object) -> str:
    with pytest.raises(BadInput) as caught:
        rows_of(path, **options)
    return caught.value.message


def open_document(path: Path, *rows: str, name: str = "Data", manifest: str = "") -> Path:
    """Write an .ods file of one sheet."""
    table = f'<table:table table:name="{name}">{"".join(rows)}</table:table>'
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml", f'<manifest:manifest xmlns:manifest="m">{manifest}</manifest:manifest>'
        )
        archive.writestr("content.xml", OPEN_DOCUMENT.format(tables=table))
    return path


def row_of(*cells: str, more: str = "") -> str:
    return f"<table:table-row{more}>{''.join(cells)}</table:table-row>"


def text(content: str, more: str = "") -> str:
    return TEXT.format(text=content, more=more)


def test_an_xls_file_is_read_by_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "in.xls"
    path.write_bytes(XLS)
    assert "in.xls!Data has 1 hidden row with data (row 5)" in fault_of(path)
    rows = rows_of(path, hidden_rows="skip")
    assert rows[2][:3] == ("00123", Number(Decimal("19.99"), 5), datetime(2026, 10, 1, 9, 12, 33))
    assert rows[2][3:] == ("error-cell", True, "duration")
    assert rows[3][:1] == ("error-cell",)
    assert rows[4] == ("x", Number(Decimal("0.3")), "date-too-early", "#N/A", None, None)
    assert [rows[6][0], rows[7][0]] == ["m1", "merged-cell"]
    assert 5 not in rows


def test_a_broken_xls_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "in.xls"
    path.write_bytes(XLS[:76] + struct.pack("<I", 1) + XLS[80:])  # the allocation table is said to lie elsewhere
    assert "damaged" in fault_of(path)


def test_an_ods_file_is_read_by_the_same_rules(tmp_path: Path) -> None:
    path = open_document(
        tmp_path / "in.ods",
        row_of(text("Id"), text("V")),
        row_of(text("a"), ERROR),
        row_of(text("hidden"), more=' table:visibility="filter"'),
        row_of(more=' table:number-rows-repeated="2" table:visibility="collapse"'),
        row_of(text("b"), '<table:table-cell table:formula="of:=1+1"/>'),
        row_of(text("m", ' table:number-columns-spanned="2"'), "<table:covered-table-cell/>"),
        row_of(text("t"), '<table:table-cell office:value-type="time" office:time-value="PT08H30M00S"/>'),
        row_of(ERROR),
        row_of(
            '<table:table-cell table:number-columns-repeated="16384"/>', more=' table:number-rows-repeated="1048000"'
        ),
    )
    assert "1 hidden row with data (row 3)" in fault_of(path)
    assert rows_of(path, hidden_rows="include") == {
        2: ("a", "error-cell"),
        3: ("hidden", None),
        6: ("b", "formula-without-value"),
        7: ("m", "merged-cell"),
        8: ("t", "duration"),
        9: ("error-cell", None),
    }


def test_a_broken_ods_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = open_document(tmp_path / "in.ods", row_of(text("Id"), more=' table:number-rows-repeated="-1"'))
    assert "damaged" in fault_of(path)


def record(kind: int, data: bytes = b"") -> bytes:
    """Write one record of an .xlsb part."""
    number = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return number + bytes([len(data)]) + data


def wide(content: str) -> bytes:
    return struct.pack("<I", len(content)) + content.encode("utf-16-le")


def xlsb_row(number: int, *cells: bytes, hidden: bool = False) -> bytes:
    header = struct.pack("<IIHBB", number - 1, 0, 300, 0, 0x10 if hidden else 0) + bytes(5)
    return record(0, header) + b"".join(cells)


def xlsb_text(column: int, content: str) -> bytes:
    return record(6, struct.pack("<II", column, 0) + wide(content))


def xlsb_error(column: int, error: int) -> bytes:
    return record(3, struct.pack("<IIB", column, 0, error))


def xlsb(path: Path, *rows: bytes, merged: bytes = b"") -> Path:
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheet = record(129) + record(148, struct.pack("<4I", 0, 20, 0, 1)) + record(145) + b"".join(rows)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(
            "xl/_rels/workbook.bin.rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{relations}/worksheet" Target="worksheets/Sheet1.bin"/></Relationships>',
        )
        bundle = record(156, struct.pack("<II", 0, 1) + wide("rId1") + wide("Data"))
        archive.writestr("xl/workbook.bin", record(131) + record(143) + bundle + record(144) + record(132))
        archive.writestr("xl/worksheets/Sheet1.bin", sheet + record(146) + merged + record(130))
    return path


def test_an_xlsb_file_is_read_by_the_same_rules(tmp_path: Path) -> None:
    path = xlsb(
        tmp_path / "in.xlsb",
        xlsb_row(1, xlsb_text(0, "Id"), xlsb_text(1, "V")),
        xlsb_row(2, xlsb_text(0, "a"), xlsb_error(1, 0x2A)),
        xlsb_row(3, xlsb_text(0, "hidden"), hidden=True),
        xlsb_row(4, xlsb_text(0, "m"), xlsb_text(1, "x")),
        merged=record(176, struct.pack("<4I", 3, 3, 0, 1)),
    )
    assert "in.xlsb!Data has 1 hidden row with data (row 3)" in fault_of(path)
    assert rows_of(path, hidden_rows="skip") == {2: ("a", "error-cell"), 4: ("m", "merged-cell")}


def test_a_broken_xlsb_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = xlsb(tmp_path / "in.xlsb", xlsb_row(1, xlsb_text(0, "Id")), record(0, b"\0"))
    assert "in.xlsb" in fault_of(path)


def test_a_file_that_kills_its_reader_is_a_clear_error(tmp_path: Path) -> None:
    far = record(6, struct.pack("<II", 16_383, 0) + wide("x"))
    path = xlsb(tmp_path / "in.xlsb", xlsb_row(1, xlsb_text(0, "Id")), xlsb_row(1_048_576, far))
    message = fault_of(path)
    assert message.startswith("in.xlsb could not be read: the process that reads it ")


def number(kind: str, value: str, shown: str, more: str = "") -> str:
    return (
        f'<table:table-cell office:value-type="{kind}" office:value="{value}"{more}>'
        f"<text:p>{shown}</text:p></table:table-cell>"
    )


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (number("float", "42", "00042"), Number(Decimal(42), 5)),
        (number("float", "42", "42"), Number(Decimal(42))),
        (number("float", "-42", "-00042"), Number(Decimal(-42), 5)),
        (number("float", "42", "INV-0042"), DressedNumber(Decimal(42))),
        (number("float", "42", "00-42"), DressedNumber(Decimal(42))),
        (number("percentage", "0.15", "15%"), DressedNumber(Decimal("0.15"))),
        (number("currency", "19.9", "19.90 EUR"), Number(Decimal("19.9"))),
        (number("float", "123456789012", "1.23E+11"), Number(Decimal(123456789012))),
        (number("float", "1", "TRUE"), "shown-otherwise"),
        (number("float", "0", "#N/A", ' table:formula="of:=NA()"'), "error-cell"),
        (number("float", "0", "#DIV/0!", ' table:formula="of:=1/0"'), "error-cell"),
        ('<table:table-cell office:value-type="unknown"><text:p>abcd</text:p></table:table-cell>', "damaged-cell"),
    ],
)
def test_an_ods_number_is_what_the_cell_shows_of_it(tmp_path: Path, cell: str, read: object) -> None:
    path = open_document(tmp_path / "in.ods", row_of(text("Id"), text("V")), row_of(text("a"), cell))
    assert rows_of(path) == {2: ("a", read)}


def test_a_comment_is_no_part_of_an_ods_cell(tmp_path: Path) -> None:
    comment = "<office:annotation><text:p>a word</text:p></office:annotation>"
    cells = (
        number("float", "42", "42").replace("<text:p>", f"{comment}<text:p>"),
        f'<table:table-cell table:formula="of:=1+1">{comment}</table:table-cell>',
    )
    path = open_document(tmp_path / "in.ods", row_of(text("Id"), text("V")), row_of(*cells))
    assert rows_of(path) == {2: (Number(Decimal(42)), "formula-without-value")}


def stated(attributes: str, inner: str = "<text:p>shown</text:p>") -> str:
    return f"<table:table-cell {attributes}>{inner}</table:table-cell>"


def dated(value: str) -> str:
    return stated(f'office:value-type="date" office:date-value="{value}"')


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        (text("a<text:s/>b<text:s text:c='2'/>"), "a b  "),
        (text("<text:span>a</text:span><text:a>b</text:a>"), "ab"),
        (text("a</text:p><text:p>b"), "a\nb"),
        (text("a<text:tab/>b"), "readers-differ"),
        (text("a<text:line-break/>b"), "readers-differ"),
        (text("<![CDATA[a]]>"), "readers-differ"),
        (text("  a   b  "), "readers-differ"),
        (text("a<text:note><text:p>b</text:p></text:note>"), "readers-differ"),
        (text("a</text:p><draw:frame><text:p>b</text:p></draw:frame><text:p>"), "readers-differ"),
        (text("a<text:s text:c='-2'/>b"), "damaged"),
        (stated('office:value-type="string" office:string-value="shown"'), "shown"),
        (stated('office:value-type="string" office:string-value="other"'), "readers-differ"),
        (stated('office:value-type="string" office:string-value=""'), "readers-differ"),
        (stated('office:value-type="float"', "<text:p>5</text:p>"), "readers-differ"),
        (stated('office:value-type="boolean" office:boolean-value="true"'), True),
        (stated('office:value-type="boolean" office:boolean-value="1"'), "readers-differ"),
        (stated('office:value-type="boolean"'), "readers-differ"),
        (stated('office:value-type="date"'), "damaged-cell"),
        (dated("2026-10-31T14:30:00.25"), datetime(2026, 10, 31, 14, 30, 0, 250_000)),
        (dated("2026-10-31T14:30:00.123456789"), "time-too-fine"),
        (dated("2026-10-31T14:30:00Z"), "damaged-cell"),
        (dated("2026-02-30"), "damaged-cell"),
        (stated('office:value-type="time" office:time-value="P1DT1H"'), "duration"),
    ],
)
def test_an_ods_cell_is_what_both_its_readers_see(tmp_path: Path, cell: str, read: object) -> None:
    path = open_document(tmp_path / "in.ods", row_of(text("Id"), text("V")), row_of(text("a"), cell))
    if read == "damaged":
        assert "damaged" in fault_of(path)
    else:
        assert rows_of(path) == {2: ("a", read)}


def test_no_row_of_an_ods_sheet_is_lost_to_a_table_within_a_cell(tmp_path: Path) -> None:
    inner = f'<table:table table:name="inner">{row_of(text("x"))}</table:table>'
    nested = f'<table:table-cell office:value-type="string">{inner}<text:p>a</text:p></table:table-cell>'
    head = row_of(text("Id"), text("V"))
    path = open_document(tmp_path / "in.ods", head, row_of(nested, text("1")), row_of(text("b"), text("2")))
    differ = ("readers-differ", "readers-differ")
    assert rows_of(path) == {2: differ, 3: differ}


def test_rows_of_a_closed_group_are_hidden(tmp_path: Path) -> None:
    closed = f'<table:table-row-group table:display="false">{row_of(text("a"))}</table:table-row-group>'
    path = open_document(tmp_path / "in.ods", row_of(text("Id")), closed, row_of(text("b")))
    assert rows_of(path, hidden_rows="skip") == {3: ("b",)}


def xls_with(path: Path, *changes: tuple[bytes, bytes]) -> Path:
    """Write the sample, with bytes of its workbook stream changed."""
    content, stream = XLS, workbook_stream(XLS)
    for old, new in changes:
        assert (stream.count(old), len(old)) == (1, len(new))
        content = content.replace(old, new)
    path.write_bytes(content)
    return path


def format_record(code: str) -> bytes:
    return struct.pack("<HB", len(code), 0) + code.encode()


def test_an_xls_number_is_what_its_format_shows(tmp_path: Path) -> None:
    path = xls_with(tmp_path / "in.xls", (format_record("00000"), format_record("00-00")))
    assert rows_of(path, hidden_rows="skip")[2][1] == DressedNumber(Decimal("19.99"))
    path = xls_with(tmp_path / "in.xls", (format_record("00000"), format_record("hh:mm")))
    assert rows_of(path, hidden_rows="skip")[2][1] == "duration"


def test_an_xls_time_is_not_rounded_silently(tmp_path: Path) -> None:
    finer = struct.pack("<d", 46296.38371527778), struct.pack("<d", 46296.38371527123)
    path = xls_with(tmp_path / "in.xls", finer)
    assert rows_of(path, hidden_rows="skip")[2][2] == "time-too-fine"


def test_a_result_that_its_writer_left_to_excel_is_refused_in_an_xls_file(tmp_path: Path) -> None:
    path = xls_of(tmp_path / "in.xls", formula(0, bytes(8)), formula(1, b"\3" + bytes(5) + b"\xff\xff"))
    assert rows_of(path)[2] == ("formula-without-value", "formula-without-value")
    path = xls_of(tmp_path / "in.xls", formula(0, bytes(8)), formula(1, struct.pack("<d", 2)), globals_too=RECALCULATED)
    assert rows_of(path)[2] == (Number(Decimal(0)), Number(Decimal(2)))
    path = xls_of(tmp_path / "in.xls", formula(0, struct.pack("<d", 2)))
    assert rows_of(path)[2] == (Number(Decimal(2)), None)


def test_formats_of_excel_95_are_read(tmp_path: Path) -> None:
    codes = ["00000", "yyyy-mm-dd", "[h]:mm", '"INV-"0000']
    formats = b"".join(
        xls_record(0x41E, struct.pack("<HB", 60 + n, len(code)) + code.encode()) for n, code in enumerate(codes)
    )
    styles = b"".join(xls_record(0xE0, struct.pack("<HH", 0, 60 + n) + bytes(12)) for n in range(len(codes)))
    cells = b"".join(xls_record(0x203, struct.pack("<HHHd", 1, n, n, 42 + 46254 * (n == 1))) for n in range(len(codes)))
    path = xls_of(tmp_path / "in.xls", cells, globals_too=formats + styles, version=0x500, width=4)
    read = rows_of(path)[2]
    assert read[0] == Number(Decimal(42), 5)
    assert read[1] in ("readers-differ", datetime(2026, 10, 1))
    assert read[2:] == ("duration", DressedNumber(Decimal(42)))


def test_a_text_that_the_xls_file_does_not_hold_is_no_blank(tmp_path: Path) -> None:
    cells = (xls_record(0xFD, struct.pack("<HHHI", 1, column, 0, column)) for column in range(2))
    texts = xls_record(0xFC, struct.pack("<IIHB", 2, 1, 1, 0) + b"a")
    assert rows_of(xls_of(tmp_path / "in.xls", *cells, globals_too=texts))[2] == ("a", "damaged-cell")


@pytest.mark.parametrize("version", [0x500, 0x600])
def test_a_password_of_an_older_excel_is_named(tmp_path: Path, version: int) -> None:
    scrambled = xls_record(0x2F, struct.pack("<HHH", 0, 1, 2))
    path = xls_of(tmp_path / "in.xls", formula(0, bytes(8)), globals_too=scrambled, version=version)
    assert "in.xls is protected by a password" in fault_of(path)


def xls_record(kind: int, data: bytes) -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


RECALCULATED = xls_record(0x1C1, struct.pack("<HHI", 0x1C1, 0, 191029))


def formula(column: int, result: bytes) -> bytes:
    return xls_record(6, struct.pack("<HHH", 1, column, 0) + result + bytes(6) + struct.pack("<HBH", 3, 0x1E, 1))


def xls_of(path: Path, *cells: bytes, globals_too: bytes = b"", version: int = 0x600, width: int = 2) -> Path:
    """Write an .xls file with one sheet: a row of headers and the given records."""
    begin, end = (struct.pack("<HHHH", version, kind, 0x0DBB, 1996) for kind in (5, 0x10)), xls_record(10, b"")
    first, second = (xls_record(0x809, data if version == 0x500 else data + bytes(8)) for data in begin)
    flag = b"" if version == 0x500 else b"\0"
    place = len(first) + len(globals_too) + 4 + 8 + len(flag) + 3 + len(end)
    sheets = xls_record(0x85, struct.pack("<IHB", place, 0, 4) + flag + b"Data")
    headers = (struct.pack("<HHHH", 0, n, 0, 2) + flag + b"H%d" % n for n in range(width))
    head = b"".join(xls_record(0x204, header) for header in headers)
    path.write_bytes(compound_file(first + globals_too + sheets + end + second + head + b"".join(cells) + end))
    return path


def compound_file(stream: bytes) -> bytes:
    """Wrap a workbook's stream as Windows does: a table, a folder and, from sector 2 on, the stream."""
    stream = stream.ljust(4096, b"\0")
    stream += bytes(-len(stream) % 512)
    count = len(stream) // 512
    chain = [*range(3, count + 2), 0xFFFFFFFE]
    table = struct.pack("<128I", *[0xFFFFFFFD, 0xFFFFFFFE, *chain, *[0xFFFFFFFF] * (126 - count)])
    head = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(10)
    head += struct.pack("<5I", 1, 1, 0, 4096, 0xFFFFFFFE) + struct.pack("<3I", 0, 0xFFFFFFFE, 0)
    head += struct.pack("<109I", 0, *[0xFFFFFFFF] * 108)
    root = folder_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)
    return head + table + root + folder_entry("Workbook", 2, 2, len(stream)) + bytes(256) + stream


def folder_entry(name: str, kind: int, start: int, size: int, child: int = 0xFFFFFFFF) -> bytes:
    wide_name = name.encode("utf-16-le")
    entry = wide_name.ljust(64, b"\0") + struct.pack("<HBBIII", len(wide_name) + 2, kind, 1, *[0xFFFFFFFF] * 2, child)
    return entry + bytes(36) + struct.pack("<IQ", start, size)


def test_cells_of_an_xlsb_file_that_do_not_state_their_column_are_refused(tmp_path: Path) -> None:
    path = xlsb(
        tmp_path / "in.xlsb",
        xlsb_row(1, *(xlsb_text(column, f"H{column}") for column in range(4))),
        xlsb_row(2, xlsb_text(0, "a"), record(12, bytes(4)), record(13, struct.pack("<II", 0, 42 << 2 | 2))),
        xlsb_row(3, xlsb_text(0, "b"), xlsb_text(2, "c"), record(17, bytes(4) + wide("d"))),
    )
    assert rows_of(path) == {2: ("a", None, "unread-cell", None), 3: ("b", None, "c", "unread-cell")}


def xlsb_real(column: int, style: int, value: float) -> bytes:
    return record(5, struct.pack("<IId", column, style, value))


def xlsb_compact(column: int, style: int, value: int) -> bytes:
    return record(2, struct.pack("<III", column, style, value))


def test_an_xlsb_number_is_what_its_format_shows(tmp_path: Path) -> None:
    path = xlsb(
        tmp_path / "in.xlsb",
        xlsb_row(1, *(xlsb_text(column, f"H{column}") for column in range(4))),
        xlsb_row(2, xlsb_real(0, 1, 42), xlsb_compact(1, 1, 42 << 2 | 2), xlsb_real(2, 2, 42), xlsb_real(3, 0, 42)),
        xlsb_row(3, xlsb_real(0, 3, 45000.75), xlsb_real(1, 4, 45000.25), xlsb_real(2, 4, 45000.123456789)),
    )
    formats = ["00000", '"INV-"0000', "hh:mm", "yyyy-mm-dd hh:mm"]
    codes = b"".join(record(44, struct.pack("<H", 170 + n) + wide(code)) for n, code in enumerate(formats))
    styles = [struct.pack("<HH", 0, number) + bytes(12) for number in (0, 170, 171, 172, 173)]
    cells = b"".join(record(47, style) for style in styles)
    listed = record(615, struct.pack("<I", 4)) + codes + record(616) + record(617, struct.pack("<I", 5)) + cells
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/styles.bin", record(278) + listed + record(618) + record(279))
    assert rows_of(path) == {
        2: (Number(Decimal(42), 5), Number(Decimal(42), 5), DressedNumber(Decimal(42)), Number(Decimal(42))),
        3: ("duration", datetime(2023, 3, 15, 6), "time-too-fine", None),
    }
