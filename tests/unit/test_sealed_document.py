"""Sealed documents: written in one way, and every altered byte is found."""

from __future__ import annotations

import json

import pytest

from batchrun.core import sealed_document
from batchrun.core.sealed_document import canonical, opened, sealed

DOCUMENT = {"job": "payouts", "vendor": "Müller\ud800\n", "rows": [[2, "a"], [3, "b"]], "seconds": 1.5, "none": None}


def test_what_was_sealed_is_read_back_as_it_was() -> None:
    assert opened(sealed(DOCUMENT)) == DOCUMENT


def test_one_byte_changed_anywhere_is_found() -> None:
    content = sealed(DOCUMENT)
    for place in range(len(content)):
        for change in (1, 32):
            changed = bytes([*content[:place], content[place] ^ change, *content[place + 1 :]])
            with pytest.raises(ValueError, match=r"."):
                opened(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: json.dumps(json.loads(content)).encode(),
        lambda content: content.replace(b'"job": ', b'"job": "payouts",\n"job": '),
        lambda content: content.replace(b"1.5", b"1.50"),
    ],
)
def test_the_same_meaning_in_other_bytes_is_found(change: object) -> None:
    assert callable(change)
    content = change(sealed(DOCUMENT))
    assert content != sealed(DOCUMENT)
    with pytest.raises(ValueError, match=r"."):
        opened(content)


def test_a_document_that_was_changed_and_written_well_is_found_by_its_seal() -> None:
    document = json.loads(sealed(DOCUMENT))
    with pytest.raises(ValueError, match="seal"):
        opened(canonical({**document, "job": "payouts-2"}))
    del document["seal"]
    with pytest.raises(ValueError, match="seal"):
        opened(canonical(document))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b"\xff", b"{" * 5, b'{"a":' * 100_000, b'{"a": NaN}', b"[" * 100_000]
)
def test_what_is_no_such_document_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        opened(content)


def test_a_seal_is_the_sha_256_of_the_rest() -> None:
    assert sealed({}) == canonical({"seal": sealed_document.sha256(canonical({}))})
