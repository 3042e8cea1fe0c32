"""Bodies taken apart: nothing is lost, everything is bounded."""

import base64
import gzip
import zlib
from hashlib import sha256

import pytest

from sipgateway.protocol.body import MAX_PARTS, SOFT_LIMIT, Part, split_body
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.text import text_of
from tests.protocol.samples import HEARTBEAT_EMPTY, IN_CHAT, START, capture, request


def split(
    body: bytes, content_type: str = "multipart/mixed; boundary=B", **more: str
) -> list[Part]:
    items = [(name.replace("_", "-"), value) for name, value in more.items()]
    return split_body(Headers([("Content-Type", content_type), *items]), body)


def datas(parts: list[Part]) -> list[bytes]:
    return [part.data for part in parts]


def test_the_captured_start_has_three_parts() -> None:
    start = request(capture(START))
    parts = split_body(start.headers, start.body)
    assert [part.content_type for part in parts] == [
        "application/pidf+xml",
        "application/addcallsub+xml",
        "text/plain",
    ]
    assert parts[0].content_id == "IgmYIUqp9pRy@dec112.at"
    assert parts[0].data.startswith(b"<?xml") and parts[0].data.endswith(b"</presence>")
    assert parts[2].data.decode() == "Notruf über ng112-js 🚑"
    assert all(part.flag == "" and part.size == len(part.data) for part in parts)
    assert all(part.sha256 == sha256(part.data).digest() for part in parts)


def test_a_single_body_is_one_part() -> None:
    message = request(capture(IN_CHAT))
    (part,) = split_body(message.headers, message.body)
    assert (part.content_type, part.size) == ("text/plain", 25)


def test_an_empty_multipart_has_no_parts() -> None:
    message = request(capture(HEARTBEAT_EMPTY))
    assert split_body(message.headers, message.body) == []


def test_a_body_without_content_type_is_text() -> None:
    (part,) = split_body(Headers(), b"Help")
    assert part.content_type == "text/plain"


@pytest.mark.parametrize(
    "content_type",
    [
        'Multipart/Mixed;boundary="B"',
        "multipart/related ; type=text/plain ; BOUNDARY = B ",
        "multipart/mixed",
        "multipart/mixed; boundary=wrong",
    ],
)
def test_spellings_of_the_boundary(content_type: str) -> None:
    assert datas(split(b"--B\r\n\r\none\r\n--B\r\n\r\ntwo\r\n--B--", content_type)) == [
        b"one",
        b"two",
    ]


def test_preamble_and_epilogue_are_no_parts() -> None:
    body = b"preamble\r\n--B\r\n\r\none\r\n--B--\r\nepilogue\r\n--B\r\n\r\nno"
    assert datas(split(body)) == [b"one"]


def test_a_missing_final_delimiter_is_forgiven() -> None:
    assert datas(split(b"--B\r\n\r\none\r\n--B\r\n\r\ntwo")) == [b"one", b"two"]


def test_bare_line_feeds_and_padding_are_forgiven() -> None:
    assert datas(split(b"--B\n\none\n--B \t\n\ntwo\n--B--\n")) == [b"one", b"two"]


def test_a_longer_line_that_begins_like_the_delimiter_is_content() -> None:
    assert datas(split(b"--B\r\n\r\none\r\n--Bx\r\nmore --B\r\n--B--")) == [
        b"one\r\n--Bx\r\nmore --B"
    ]


def test_line_ends_within_a_part_are_its_own() -> None:
    assert datas(split(b"--B\r\n\r\n\r\none\r\n\r\n--B--")) == [b"\r\none\r\n"]


def test_folded_part_headers_are_read() -> None:
    body = b'--B\r\nContent-Type: text/plain;\r\n\tcharset="ISO-8859-1"\r\n\r\nf\xfcr\r\n--B--'
    (part,) = split(body)
    assert (part.content_type, part.charset) == ("text/plain", "iso-8859-1")


def test_a_part_without_blank_line_is_content_not_header() -> None:
    parts = split(b"--B\r\nHelp: fire in the kitchen\r\n--B\r\nI am hurt\r\n\r\nquick\r\n--B--")
    assert datas(parts) == [b"Help: fire in the kitchen", b"I am hurt\r\n\r\nquick"]


def test_a_part_of_header_fields_alone_is_empty() -> None:
    (part,) = split(b"--B\r\nContent-Type: image/png\r\n--B--")
    assert (part.content_type, part.data) == ("image/png", b"")


def test_a_multipart_within_a_multipart_is_opened() -> None:
    inner = b"--C\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--C--"
    body = (
        b"--B\r\n\r\none\r\n--B\r\nContent-Type: multipart/alternative; boundary=C\r\n\r\n"
        + inner
        + b"\r\n--B\r\n\r\nthree\r\n--B--"
    )
    assert datas(split(body)) == [b"one", b"<p>two", b"three"]


@pytest.mark.parametrize("content", [b"\x00\xff\r\n--B is not here", b"x" * 100])
def test_base64_is_decoded(content: bytes) -> None:
    body = base64.encodebytes(content)
    (part,) = split(body, "image/png", Content_Transfer_Encoding="Base64")
    assert (part.data, part.size, part.flag) == (content, len(content), "")


def test_base64_without_padding_is_decoded() -> None:
    (part,) = split(b"SGVscA", "text/plain", Content_Transfer_Encoding="base64")
    assert part.data == b"Help"


def test_quoted_printable_is_decoded() -> None:
    body = b"--B\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nf=C3=BC=\r\nr\r\n--B--"
    assert datas(split(body)) == ["für".encode()]


@pytest.mark.parametrize(("encoding", "data"), [("base64", b"A"), ("x-uuencode", b"begin 644")])
def test_a_broken_or_unknown_encoding_keeps_the_part_as_it_came(encoding: str, data: bytes) -> None:
    (part,) = split(data, "text/plain", Content_Transfer_Encoding=encoding)
    assert (part.data, part.flag) == (data, "undecodable")


def test_a_compressed_body_is_opened() -> None:
    body = gzip.compress(b"--B\r\n\r\none\r\n--B--")
    assert datas(split(body, Content_Encoding="gzip")) == [b"one"]


def test_a_compressed_bomb_is_kept_closed() -> None:
    bomb = gzip.compress(b"\0" * 64 * 1024 * 1024)
    (part,) = split(bomb, "text/plain", Content_Encoding="gzip")
    assert (part.data, part.flag) == (bomb, "undecodable")


def test_parts_are_not_decompressed_one_by_one() -> None:
    """Red when a part may be a bomb of its own: a datagram of 64 kB took a third of a second."""
    bomb = zlib.compress(b"\0" * 512 * 1024)
    (part,) = split(bomb, "application/x", Content_Transfer_Encoding="deflate")
    assert (part.data, part.flag) == (bomb, "undecodable")


def test_a_body_is_opened_up_to_the_size_that_is_kept_of_a_part() -> None:
    """Red when 16 kB may become 16 MiB to be hashed."""
    fits, bomb = (gzip.compress(b"a" * size) for size in (1024 * 1024, 1024 * 1024 + 1))
    (part,) = split(fits, "text/plain", Content_Encoding="gzip")
    assert (part.size, part.flag) == (1024 * 1024, "")
    (part,) = split(bomb, "text/plain", Content_Encoding="gzip")
    assert (part.data, part.flag) == (bomb, "undecodable")


def test_a_part_of_2_mib_is_truncated_and_told_by_its_whole_digest() -> None:
    large = b"x" * 2 * 1024 * 1024
    parts = split(
        b"--B\r\nContent-Type: image/png\r\n\r\n" + large + b"\r\n--B\r\n\r\nHelp\r\n--B--"
    )
    assert (parts[0].flag, len(parts[0].data), parts[0].size) == (
        "truncated",
        SOFT_LIMIT,
        len(large),
    )
    assert parts[0].sha256 == sha256(large).digest()
    assert parts[1].data == b"Help"


def test_a_multipart_without_delimiters_is_one_flagged_part() -> None:
    (part,) = split(b"Help, no delimiter here")
    assert (part.flag, part.data) == ("unsplittable", b"Help, no delimiter here")


def test_a_multipart_nested_a_thousand_deep_ends_in_one_flagged_part() -> None:
    body = b"Help"
    for depth in range(1000):
        body = b"--%d\r\nContent-Type: multipart/mixed; boundary=%d\r\n\r\n%b" % (
            depth,
            depth - 1,
            body,
        )
    parts = split(b"--B\r\n\r\nfirst\r\n--B\r\n" + body[7:], "multipart/mixed; boundary=B")
    assert parts[0].data == b"first"
    assert parts[-1].flag == "nested-too-deep"
    assert len(parts) <= 3


def test_more_parts_than_allowed_stay_together() -> None:
    parts = split(b"".join(b"--B\r\n\r\npart %d\r\n" % n for n in range(500)) + b"--B--")
    assert len(parts) == MAX_PARTS
    assert parts[-1].flag == "unsplittable"
    assert b"part 499" in parts[-1].data


def test_empty_containers_without_number_come_to_an_end() -> None:
    piece = b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n--C--\r\n"
    assert len(split(piece * 10_000)) <= MAX_PARTS


def test_delimiters_by_the_million_are_looked_at_once() -> None:
    assert len(split(b"--B\r\n" * 1_000_000)) == MAX_PARTS
    assert len(split(b"--B" * 1_000_000)) == 1


def test_parts_can_be_stored_whatever_their_headers_hold() -> None:
    body = (
        b"--B\r\nContent-Type: te\x00xt/pl\xffain; charset=\x00\r\nContent-ID: <\x00"
        + b"c" * 999
        + b">"
        b"\r\nContent-Disposition: \xed\xa0\x80\x00\r\n\r\nHelp\r\n--B--"
    )
    (part,) = split(body)
    for value in (part.content_type, part.charset, part.content_id, part.disposition):
        assert "\0" not in value
        assert len(value.encode()) <= 1000


def test_a_broken_neighbour_never_costs_the_text() -> None:
    body = (
        b"--B\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\ngarbage\r\n"
        b"--B\r\nContent-Transfer-Encoding: base64\r\nContent-Type: image/png\r\n\r\n!\r\n"
        b"--B\r\nContent-Type: text/plain\r\n\r\nHelp\r\n--B--"
    )
    assert text_of(split(body)) == ("Help", ())
