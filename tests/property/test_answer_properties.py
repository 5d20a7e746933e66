"""The short way of reading an answer reads what h11 reads, or leaves it to h11: for any bytes, cut anywhere."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from batchrun.io.exchange_answer import Answer, Broken, TooLong

LONGEST = 1000


class ByH11(Answer):
    """An answer that never takes the short way."""

    __slots__ = ()

    def _begins_plain(self, data: bytes) -> bool:
        return False


def told(answer: Answer, pieces: list[bytes], *, ends: bool) -> tuple[Any, ...]:
    fault = None
    try:
        for piece in [*pieces, *([b""] if ends else [])]:
            if not answer.complete:
                answer.feed(piece)
    except (Broken, TooLong) as error:
        fault = type(error)
    return answer.status, answer.headers, bytes(answer.body), answer.complete, answer.reusable, fault


NAMES = st.sampled_from(
    ["Content-Length", "content-length", "Content-Type", "Connection", "Transfer-Encoding", "X-Id", "Date", "X Y", "Å"]
)
VALUES = st.one_of(
    st.sampled_from(["0", "5", "05", "+5", "5, 5", "keep-alive", "close", "chunked", "identity", "a  b", "", " x ",
                     "\t", "application/json", "é", "1" * 25]),
    st.integers(0, 1200).map(str),
    st.text(max_size=6),
)  # fmt: skip
LINES = st.one_of(
    st.integers(100, 599).map(lambda status: f"HTTP/1.1 {status} Reason"),
    st.sampled_from(["HTTP/1.1 200", "HTTP/1.1 200 ", "HTTP/1.0 200 OK", "HTTP/1.1 99 x", "HTTP/2 200 OK",
                     "http/1.1 200 O", "HTTP/1.1  200 OK", "HTTP/1.1 200 Ünd", "HTTP/1.1 204 No", "HTTP/1.1 304 No"]),
)  # fmt: skip
ENDS = st.sampled_from(["\r\n", "\r\n", "\r\n", "\n", "\r"])


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    body = draw(st.binary(max_size=40))
    headers = draw(st.lists(st.tuples(NAMES, VALUES), max_size=4))
    if draw(st.booleans()):
        headers.append(("Content-Length", str(len(body) + draw(st.integers(-2, 2)))))
    end = draw(ENDS)
    colon = draw(st.sampled_from([": ", ":", " : ", ":\t"]))
    text = end.join([draw(LINES), *(name + colon + value for name, value in headers), "", ""])
    noise = draw(st.binary(max_size=3))
    return text.encode("utf-8", errors="replace") + body + noise


@st.composite
def in_pieces(draw: st.DrawFn) -> list[bytes]:
    whole = draw(st.one_of(answers(), st.tuples(answers(), answers()).map(b"".join), st.binary(max_size=80)))
    places = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=3)))
    edges = [0, *places, len(whole)]
    return [piece for piece in (whole[a:b] for a, b in pairwise(edges)) if piece]


PLAIN = b"HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@given(in_pieces(), st.booleans(), st.sampled_from(["GET", "POST"]))
@example([PLAIN], False, "POST")
@example([PLAIN + b"HTTP/1.1 408 Late\r\n\r\n"], False, "POST")
@example([PLAIN.replace(b": 2", b": 1001") + b" " * 999, b"12"], False, "POST")
@example([PLAIN.replace(b"202", b"204")], False, "POST")
@example([PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")], True, "GET")
def test_both_ways_read_the_same(pieces: list[bytes], ends: bool, method: str) -> None:
    by_h11 = told(ByH11(method, LONGEST), pieces, ends=ends)
    assert told(Answer(method, LONGEST), pieces, ends=ends) == by_h11


@given(st.integers(0, len(PLAIN)))
def test_an_answer_cut_anywhere_and_ended_is_whole_only_at_its_end(place: int) -> None:
    answer = Answer("POST", LONGEST)
    _, _, body, complete, _, fault = told(answer, [PLAIN[:place]] if place else [], ends=True)
    assert complete is (place == len(PLAIN))
    assert fault is (None if complete else Broken)
    assert PLAIN.endswith(body) or body == b"{"


def test_the_usual_answer_takes_the_short_way() -> None:
    """A change that sends all answers the long way would cost a quarter of the speed, and no other test would tell."""
    answer = Answer("POST", LONGEST)
    answer.feed(PLAIN)
    assert (answer.complete, answer.reusable, answer._h11) == (True, True, None)
