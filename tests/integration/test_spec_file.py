"""Specs and schemas as files: YAML by 1.2's words, and every fault with its line."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from batchrun.errors import BadInput, BadSchema, BadSpec, NotFound
from batchrun.flows.loading import Choice, loaded
from batchrun.io import yaml_text
from batchrun.io.spec_file import read_schema, read_spec

SPEC = """\
job: payouts
procedure: {id: proc_payout}
source: {file: in.csv}
key: Ref
schema: schema.json
data:
  ref: Ref
  amount: Amount
"""
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"ref": {"type": "string"}, "amount": {"type": "number", "multipleOf": 0.01}},
    "additionalProperties": False,
}


def folder(
    tmp_path: Path, spec: str | bytes = SPEC, schema: Any = SCHEMA, sheet: str = "Ref,Amount\n1,19.90\n"
) -> Path:
    job = tmp_path / "job.yaml"
    job.write_bytes(spec.encode() if isinstance(spec, str) else spec)
    (tmp_path / "schema.json").write_text(schema if isinstance(schema, str) else json.dumps(schema), encoding="utf-8")
    (tmp_path / "in.csv").write_text(sheet, encoding="utf-8")
    return job


def faults(job: Path, **params: str) -> list[str]:
    with pytest.raises(BadSpec) as raised, loaded(job, Choice(params=params)):
        pass
    return list(raised.value.faults)


def word(text: str) -> Any:
    """Give what one plain word of YAML means."""
    document = yaml_text.load(f"a: {text}\n")
    assert document.faults == []
    return document.data["a"]


@pytest.mark.parametrize(
    "text",
    [
        *("NO", "No", "no", "yes", "on", "OFF", "y", "n", "tRUE", "nULL"),
        *("0777", "00", "007", "0o17", "0x1F", "1_000", "12:30:45", "1:30", "190:20:30"),
        *("1e3", "1E400", ".5", "5.", ".inf", "-.INF", ".nan", "1.2.3", "1,5", "+1.x"),
        *("2026-10-31", "2026-10-31T14:30:00Z", "2026-10", "=", "<<", "x#y", "http://x:1/y"),
    ],
)
def test_a_word_is_text_unless_yaml_1_2_says_otherwise(text: str) -> None:
    assert word(text) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False)),
        *(("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None)),
        *(("0", 0), ("-7", -7), ("123456789012345678901", 123456789012345678901)),
        ("'5'", "5"),
        ('"true"', "true"),
        ('"\\ud83d\\ude00"', "😀"),
        ("|\n  x\n  y", "x\ny\n"),
        ("[1, '1', x]", [1, "1", "x"]),
        ("{b: {c: NO}}", {"b": {"c": "NO"}}),
    ],
)
def test_only_a_few_words_are_no_text(text: str, value: object) -> None:
    assert word(text) == value
    assert type(word(text)) is type(value)


@pytest.mark.parametrize("text", ["19.90", "-0.50", "1.5e3", "1.5E-3", "0.0"])
def test_a_fraction_is_exact(text: str) -> None:
    assert word(text) == Decimal(text)
    assert str(word(text)) == str(Decimal(text))


@pytest.mark.parametrize("text", ["9" * 401, "9" * 5000, "1.0e100", "1.5E-999999999", "0." + "3" * 500])
def test_an_absurd_number_is_refused(text: str) -> None:
    assert yaml_text.load(f"a: 1\nb: {text}").faults == [(2, "this number is too long; put it in quotes if it is text")]


@pytest.mark.parametrize("key", ["1", "null", "true", "NO", "1.5", "2026-10-31", "'<<'", "''"])
def test_a_key_is_the_word_that_stands_there(key: str) -> None:
    assert list(yaml_text.load(f"{key}: x").data) == [key.strip("'")]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, 'the key "a" stands twice; it is on line 1 already'),
        ("a:\n  b: {c: 1, c: 2}\n", 2, 'the key "c" stands twice'),
        ("a: &x 1\nb: *x\n", 2, "aliases (*) are not read"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "aliases (*) are not read"),
        ("a:\n  <<: {b: 1}\n", 2, "merge keys (<<) are not read"),
        ("a: !!str 5\n", 1, 'tags such as "!!str" are not read'),
        ("a: 1\nb: !!python/object/apply:os.system [x]\n", 2, 'tags such as "!!python/object/apply:os.system"'),
        ("a: !env HOME\n", 1, 'tags such as "!env" are not read'),
        ("!!map {a: 1}\n", 1, 'tags such as "!!map" are not read'),
        ("a: 1\n---\nb: 2\n", 2, "expected a single document"),
        ("a: 1\n...\nb: 2\n", 3, "this is no YAML"),
        ("? [a]\n: 1\n", 1, "a key must be a word"),
        ("{a: {{b: 1}: 2}}\n", 1, "a key must be a word"),
        ("a:\n\t- b\n", 2, "indent with spaces"),
        ("a: b: c\n", 1, "a text with a colon in it needs quotes"),
        ("a: 1\nb: 'x\n", 3, "this is no YAML"),
        ("a: [1, 2\n", 2, "this is no YAML"),
        ("a: 1\nb: @x\n", 2, "this is no YAML"),
        ("a: 1\nb: 2\nc: \x07\n", 3, "special characters are not allowed"),
        ('a: "\\ud800"\n', 1, "half of a character"),
        ("a: " + "[" * 60 + "]" * 60, 1, "the nesting is too deep"),
        ("a: " + "{b: " * 60 + "}" * 60, 1, "the nesting is too deep"),
        ("[" * 100_000, 1, "the nesting is too deep"),
    ],
)
def test_yaml_that_is_not_plain_is_refused_with_its_line(tmp_path: Path, text: str, line: int, part: str) -> None:
    with pytest.raises(BadSpec) as raised:
        read_spec(folder(tmp_path, text))
    assert raised.value.faults[0].startswith(f"job.yaml:{line}: ")
    assert part in raised.value.faults[0]


def test_many_faults_of_yaml_are_told_together(tmp_path: Path) -> None:
    text = "a: 1\na: 2\nb: {c: 1, c: 2}\n? [x]\n: 1\nd: 1.0e999\n"
    with pytest.raises(BadSpec) as raised:
        read_spec(folder(tmp_path, text))
    assert [fault.split(":")[1] for fault in raised.value.faults] == ["2", "3", "4", "6"]


def test_a_billion_laughs_is_refused_at_once() -> None:
    text = 'a: &a ["x","x"]\n' + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)},*{chr(97 + n)}]\n" for n in range(9)
    )
    assert yaml_text.load(text).data is None


def test_the_line_of_a_place_is_that_of_the_nearest_key_around_it() -> None:
    document = yaml_text.load("a:\n  b:\n    - 1\n    - 2\n")
    assert [document.line_of(place) for place in (("a",), ("a", "b", 1), ("a", "b", 9), ("z",), ())] == [1, 4, 2, 1, 1]


@pytest.mark.parametrize("text", ["", "# only a remark\n", "- a\n- b\n", "just words\n", "5\n"])
def test_a_file_without_keys_is_no_spec(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadSpec, match=r"job\.yaml:1: a job spec has keys such as job:"):
        read_spec(folder(tmp_path, text))


def test_a_file_that_is_not_utf_8_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(BadSpec, match=r"job\.yaml:2: this is not UTF-8 text"):
        read_spec(folder(tmp_path, b"job: a\ndescription: M\xfcller\n"))


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + SPEC.encode(), SPEC.replace("\n", "\r\n").encode()])
def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path, text: bytes) -> None:
    with loaded(folder(tmp_path, text), Choice()) as job:
        assert job.spec.job == "payouts"


def test_json_is_a_spec_too(tmp_path: Path) -> None:
    plain = yaml_text.load(SPEC).data | {"description": "paid 😀", "concurrency": 3}
    with loaded(folder(tmp_path, json.dumps(plain, indent=2)), Choice()) as job:
        assert (job.spec.description, job.spec.concurrency) == ("paid 😀", 3)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no job spec at"):
        read_spec(tmp_path / "none.yaml")
    with pytest.raises(NotFound, match="is a folder; name the job spec in it"):
        read_spec(tmp_path)
    with pytest.raises(NotFound, match="there is no schema at"):
        read_schema(tmp_path / "none.json")
    with pytest.raises(NotFound, match=r"cannot be read|there is no job spec"):
        read_spec(tmp_path / ("x" * 300))


def test_paths_are_relative_to_the_spec(tmp_path: Path) -> None:
    assert read_spec(folder(tmp_path)).near("../x/y.csv") == tmp_path.parent / "x" / "y.csv"


@pytest.mark.parametrize(
    ("schema", "part"),
    [
        ("{", "schema.json:1: this is no JSON: Expecting property name"),
        ('{\n  "type": object\n}', "schema.json:2: this is no JSON"),
        ('{"a": 1, "b": 1, "a": 2}', 'the name "a" stands twice in one object'),
        ('{"maximum": 1e99999999999999999999}', "absurdly large"),
        ('{"not":' * 100_000, "recursion"),
        ('{"maximum": NaN}', "this is no JSON: NaN is no number of JSON"),
        ('{"maximum": -Infinity}', "-Infinity is no number of JSON"),
        ("[]", "holds a list"),
        ('{"$ref": "https://example.com/s.json"}', "nothing is ever fetched"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(tmp_path: Path, schema: str, part: str) -> None:
    with pytest.raises(BadSchema) as raised, loaded(folder(tmp_path, schema=schema), Choice()):
        pass
    assert part in str(raised.value)


def test_a_schema_of_other_bytes_than_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_bytes(b'{"title": "M\xfcller"}')
    with pytest.raises(BadSchema, match="this is no JSON: 'utf-8' codec"):
        read_schema(tmp_path / "s.json")


def test_a_schema_keeps_its_numbers_exactly(tmp_path: Path) -> None:
    folder(tmp_path)
    assert read_schema(tmp_path / "schema.json").schema.document["properties"]["amount"]["multipleOf"] == Decimal(
        "0.01"
    )


def test_every_fault_is_told_at_once_with_its_line_and_a_suggestion(tmp_path: Path) -> None:
    spec = """\
job: payouts
params:
  period: {pattern: '\\d{4}-\\d{2}'}
procedure:
  id: proc_payout
  mood: async
source:
  file: in.csv
  where: row["Aproved"] ==
key: [Ref, Reff]
once_per: [perod]
schema: schema.json
rate: 5
concurrency: 0
data:
  ref: Ref
  amount: Amout
  amonut: Amount
  a..b: Amount
  due: {column: Amount, date_format: '%d/%m', timezone: Mars}
  sum:
    expr: row["Amuont"] * params.perod
results: {totals: [Amnt], file: 'out-{perid}.xlsx'}
"""
    assert faults(folder(tmp_path, spec), period="2026", x="1") == [
        'job.yaml:2: --param x: the job has no such param; known are "period"',
        r'job.yaml:3: "2026" does not match the pattern \d{4}-\d{2}',
        'job.yaml:6: unknown key "mood"; did you mean "mode"?',
        "job.yaml:9: the expression 'row[\"Aproved\"] ==' cannot be understood: unexpected 'end of template'",
        'job.yaml:10: unknown column "Reff"; did you mean "Ref"?',
        'job.yaml:11: "perod" is no param of the job; did you mean "period"?',
        "job.yaml:13: 5 is not a rate; write it with its time, such as 5/s",
        'job.yaml:14: "concurrency" must be at least 1',
        'job.yaml:17: unknown column "Amout"; did you mean "Amount"?',
        'job.yaml:18: the schema does not know "amonut" at /amonut; did you mean "amount"?',
        'job.yaml:19: "a..b" is not a target; write names with dots and list places in brackets, '
        "such as payee.iban or lines[0].sku",
        'job.yaml:20: "%d/%m" is no form of dates with day, month and year; write one as %d/%m/%Y',
        'job.yaml:20: "Mars" is no time zone; write one as Europe/Berlin',
        'job.yaml:20: the schema does not know "due" at /due; known are "ref", "amount"',
        'job.yaml:21: the schema does not know "sum" at /sum; known are "ref", "amount"',
        'job.yaml:22: "perod" is no param of the job; did you mean "period"?',
        'job.yaml:22: unknown column "Amuont"; did you mean "Amount"?',
        'job.yaml:23: unknown column "Amnt"; did you mean "Amount"?',
        'job.yaml:23: {perid} is no param of the job; did you mean "period"?',
    ]


def test_faults_of_spec_schema_and_sheet_are_told_together(tmp_path: Path) -> None:
    job = folder(tmp_path, SPEC.replace("file: in.csv", "file: none.csv") + "rate: 5\n", schema="[]")
    found = faults(job)
    assert found[0] == "job.yaml:9: 5 is not a rate; write it with its time, such as 5/s"
    assert found[1].startswith("schema.json: a JSON Schema is an object")
    assert "none.csv" in found[2]


def test_without_a_fault_in_the_spec_the_sheets_own_error_is_raised(tmp_path: Path) -> None:
    with (
        pytest.raises((BadInput, NotFound), match=r"none\.csv"),
        loaded(folder(tmp_path, SPEC.replace("in.csv", "none.csv")), Choice()),
    ):
        pass


@pytest.mark.parametrize("missing", ["job", "procedure", "source", "key", "schema"])
def test_a_part_that_is_needed_and_missing_is_named(tmp_path: Path, missing: str) -> None:
    spec = "".join(line for line in SPEC.splitlines(keepends=True) if not line.startswith(missing + ":"))
    assert faults(folder(tmp_path, spec)) == [f'job.yaml:1: the key "{missing}" is missing']
