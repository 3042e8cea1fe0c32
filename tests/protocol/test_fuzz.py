"""Whatever arrives: a value or the one documented error, in bounded time."""

from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipgateway.protocol.body import split_body, text_of
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.framing import Frame, NeedData, StreamFramer
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.message import Request
from tests.protocol.samples import ALL_CAPTURES, START, capture, raw_message
from tests.support.reading import read_all

CAPTURED = [capture(name) for name in ALL_CAPTURES]
NASTY = [
    b"\r\n",
    b"\n",
    b"\r\n ",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"<",
    b">",
    b'"',
    b"\\",
    b",",
    b";",
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A captured message with some bytes replaced, removed, repeated or nasty ones put in."""
    data = bytearray(draw(st.sampled_from(CAPTURED)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        width = draw(st.integers(0, 40))
        match draw(st.integers(0, 3)):
            case 0:
                data[at : at + width] = draw(st.binary(max_size=40))
            case 1:
                del data[at : at + width]
            case 2:
                data[at:at] = data[at : at + width] * draw(st.integers(1, 5))
            case _:
                data[at : at + draw(st.integers(0, 1))] = draw(st.sampled_from(NASTY))
    return bytes(data)


def seconds_of(data: bytes) -> float:
    began = process_time()
    read_all(data)
    return process_time() - began


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_or_read(data: bytes) -> None:
    read_all(data)


@settings(max_examples=4500, deadline=None)
@given(mutated())
def test_4500_mutated_messages_are_refused_or_read_each_within_100_ms(data: bytes) -> None:
    assert seconds_of(data) < 0.1 or seconds_of(data) < 0.1  # once may be the garbage collector


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["from", "to", "via", "call_info", "cseq", "call_id", "history_info"]),
        st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), min_size=1, max_size=60),
    )
)
def test_a_message_with_any_header_values_is_never_refused(changed: dict[str, str]) -> None:
    assert isinstance(read_all(raw_message(b"Help", **changed)), Request)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(CAPTURED), max_size=4),
    st.lists(st.integers(1, 3000), min_size=1, max_size=30),
)
def test_framing_does_not_depend_on_the_segments(messages: list[bytes], cuts: list[int]) -> None:
    stream, framer, frames = b"".join(messages), StreamFramer(), []
    for cut in [*cuts, len(stream)]:
        framer.receive_data(stream[:cut])
        stream = stream[cut:]
        while not isinstance(event := framer.next_event(), NeedData):
            assert isinstance(event, Frame)
            frames.append(event.data)
    assert frames == messages


@settings(max_examples=200, deadline=None)
@given(st.lists(mutated() | st.binary(max_size=100), max_size=3))
def test_any_stream_comes_to_an_end(chunks: list[bytes]) -> None:
    framer = StreamFramer()
    for chunk in chunks:
        framer.receive_data(chunk)
        try:
            while not isinstance(framer.next_event(), NeedData):
                pass
        except RemoteProtocolError:
            return


LONG = 15_000
LINES = {
    "blanks": b" " * LONG,
    "folds": b"a\r\n " * (LONG // 4),
    "quotes": b'"' * LONG,
    "open quote": b'"' + b"\\" * LONG,
    "brackets": b"<" * LONG,
    "closed brackets": b">" * LONG,
    "pairs": b"<>" * (LONG // 2),
    "commas": b"," * LONG,
    "semicolons": b";" * LONG,
    "equals": b";=" * (LONG // 2),
    "rports": b";rport" * (LONG // 6),
    "colons": b"<urn:emergency:uid:callid" + b":" * LONG + b">;purpose=EmergencyCallData.CallId",
    "escapes": b"<sip:" + b"%61" * (LONG // 3) + b"@x>",
    "ats": b"<sip:" + b"@" * LONG + b">",
    "tabs": b"x" + b"\t" * LONG + b"x",
}


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-Info", "History-Info", "Content-Type"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_long_header_lines_are_read_in_linear_time(name: str, line: bytes) -> None:
    extra = name.encode() + b": " + line + b"\r\n"
    head, _, rest = capture(START).partition(b"\r\n")
    data = head + b"\r\n" + extra * 4 + rest
    began = process_time()
    read_all(data)
    assert process_time() - began < 0.5


@pytest.mark.parametrize(
    "body",
    [
        b"--B" + b" " * 4_000_000,
        (b"--B" + b" " * 90) * 40_000,
        b"--B\r\n" + b"a: b\r\n" * 600_000,
        b"\r\n" * 2_000_000,
        b"--" * 2_000_000,
        (b"--B\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n") * 80_000,
    ],
    ids=["padding", "paddings", "headers", "blank lines", "dashes", "itself within itself"],
)
def test_large_bodies_are_taken_apart_in_linear_time(body: bytes) -> None:
    read: Callable[[], object] = lambda: text_of(  # noqa: E731
        split_body(Headers([("Content-Type", "multipart/mixed; boundary=B")]), body)
    )
    began = process_time()
    read()
    assert process_time() - began < 1.0
