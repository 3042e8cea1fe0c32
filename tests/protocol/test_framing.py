"""Messages out of a stream, however it is cut into segments."""

import pytest

from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.framing import (
    Event,
    Frame,
    KeepAlivePing,
    NeedData,
    Oversized,
    StreamFramer,
)
from sipgateway.protocol.message import MAX_HEADER_BLOCK, MAX_MESSAGE
from tests.protocol.samples import ALL_CAPTURES, capture, raw_message

STREAM = b"".join(capture(name) for name in ALL_CAPTURES)


def events_of(framer: StreamFramer, data: bytes = b"") -> list[Event]:
    framer.receive_data(data)
    found: list[Event] = []
    while not isinstance(event := framer.next_event(), NeedData):
        found.append(event)
    return found


def test_five_messages_in_one_segment_come_out_byte_for_byte() -> None:
    assert events_of(StreamFramer(), STREAM) == [Frame(capture(name)) for name in ALL_CAPTURES]


def test_a_stream_fed_byte_by_byte_gives_the_same_messages() -> None:
    framer = StreamFramer()
    found = [e for at in range(len(STREAM)) for e in events_of(framer, STREAM[at : at + 1])]
    assert found == [Frame(capture(name)) for name in ALL_CAPTURES]


def test_fifty_messages_in_a_segment() -> None:
    messages = [raw_message(b"text %d" % n) for n in range(50)]
    assert events_of(StreamFramer(), b"".join(messages)) == [Frame(m) for m in messages]


@pytest.mark.parametrize("cut", [1, 2, 3, 500, 1030])
def test_a_message_cut_in_two_waits_for_its_rest(cut: int) -> None:
    framer, data = StreamFramer(), capture(ALL_CAPTURES[0])
    assert events_of(framer, data[:cut]) == []
    assert events_of(framer, data[cut:]) == [Frame(data)]


def test_a_double_crlf_is_a_ping_also_when_it_comes_in_pieces() -> None:
    framer = StreamFramer()
    assert events_of(framer, b"\r\n\r\n") == [KeepAlivePing()]
    assert [e for byte in b"\r\n\r\n" for e in events_of(framer, bytes([byte]))] == [
        KeepAlivePing()
    ]


def test_a_single_crlf_between_messages_is_skipped() -> None:
    message = raw_message(b"Help")
    found = events_of(StreamFramer(), b"\r\n" + message + b"\r\n" + message)
    assert found == [Frame(message), Frame(message)]


def test_a_ping_between_messages_keeps_its_place() -> None:
    message = raw_message(b"Help")
    found = events_of(StreamFramer(), message + b"\r\n\r\n" + message)
    assert found == [Frame(message), KeepAlivePing(), Frame(message)]


def test_a_body_that_looks_like_a_message_stays_a_body() -> None:
    message = raw_message(raw_message(b"\r\n\r\n"))
    assert events_of(StreamFramer(), message) == [Frame(message)]


def test_compact_and_folded_content_length_count() -> None:
    for field in (b"l : 4\r\n", b"CONTENT-LENGTH:\r\n 4\r\n", b"L:\t4 \r\n"):
        message = raw_message(b"Help", length=None, extra=field)
        assert events_of(StreamFramer(), message + message) == [Frame(message)] * 2


def test_no_content_length_and_no_content_type_is_a_message_without_body() -> None:
    message = raw_message(length=None)
    assert events_of(StreamFramer(), message + message) == [Frame(message)] * 2


def test_no_content_length_but_a_body_type_cannot_be_followed() -> None:
    framer = StreamFramer()
    framer.receive_data(raw_message(b"Help", length=None, content_type="text/plain"))
    with pytest.raises(RemoteProtocolError) as caught:
        framer.next_event()
    assert caught.value.status == 400
    assert caught.value.request is not None


@pytest.mark.parametrize(("length", "status"), [("-1", 400), ("x", 400), (str(2**63), 413)])
def test_a_broken_content_length_ends_the_stream_answerably(length: str, status: int) -> None:
    framer = StreamFramer()
    framer.receive_data(raw_message(b"Help", length=length))
    for _ in range(2):  # and it stays ended
        with pytest.raises(RemoteProtocolError) as caught:
            framer.next_event()
        assert caught.value.status == status
        assert caught.value.request is not None
        assert caught.value.request.headers.get("Call-ID") == "c1@app.example.org"


def test_contradicting_content_lengths_end_the_stream() -> None:
    framer = StreamFramer()
    framer.receive_data(raw_message(b"Help", extra=b"l: 5\r\n"))
    with pytest.raises(RemoteProtocolError):
        framer.next_event()


def test_the_stream_goes_on_after_an_oversized_message() -> None:
    framer = StreamFramer(max_message=2000)
    large, small = raw_message(b"x" * 5000), raw_message(b"Help")
    data = large + small
    found = [e for at in range(0, len(data), 700) for e in events_of(framer, data[at : at + 700])]
    assert found == [Oversized(large[: -len(b"x" * 5000)]), Frame(small)]


def test_an_oversized_message_in_one_segment_is_skipped_too() -> None:
    large, small = raw_message(b"x" * 5000), raw_message(b"Help")
    found = events_of(StreamFramer(max_message=2000), large + small + large)
    assert [type(event) for event in found] == [Oversized, Frame, Oversized]


def test_a_skipped_body_takes_no_memory() -> None:
    framer = StreamFramer()
    events_of(framer, raw_message(length=str(17 * 1024 * 1024)))
    for _ in range(17):
        events_of(framer, b"x" * 1024 * 1024)
        assert framer.buffered == 0
    message = raw_message(b"Help")
    assert events_of(framer, message) == [Frame(message)]


def test_a_message_at_the_limit_is_taken() -> None:
    empty = raw_message(length=str(MAX_MESSAGE - 1000))
    body = b"x" * (MAX_MESSAGE - 1000)
    assert events_of(StreamFramer(), empty + body) == [Frame(empty + body)]


def test_a_header_block_without_end_ends_the_stream() -> None:
    framer = StreamFramer()
    with pytest.raises(RemoteProtocolError) as caught:
        for _ in range(MAX_HEADER_BLOCK // 1000 + 1):
            events_of(framer, b"X: " + b"y" * 995 + b"\r\n")
    assert caught.value.status == 413


def test_a_line_without_end_ends_the_stream() -> None:
    framer = StreamFramer()
    with pytest.raises(RemoteProtocolError):
        for _ in range(MAX_HEADER_BLOCK // 1000 + 1):
            events_of(framer, b"\x00" * 1000)


def test_lines_that_end_in_a_bare_line_feed_are_framed() -> None:
    message = raw_message(length="6").replace(b"\r\n", b"\n") + b"a\r\n\r\nb"
    assert events_of(StreamFramer(), message + message) == [Frame(message)] * 2
