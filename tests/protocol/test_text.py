"""What the caller wrote, as a screen and a database take it."""

import gzip

import pytest

from sipgateway.protocol.body import split_body, text_of
from sipgateway.protocol.headers import Headers


def text(body: bytes, content_type: str = "text/plain") -> tuple[str, tuple[str, ...]]:
    return text_of(split_body(Headers([("Content-Type", content_type)]), body))


def test_text_is_utf8_by_default() -> None:
    assert text("Küche brennt 🔥 النجدة".encode()) == ("Küche brennt 🔥 النجدة", ())


@pytest.mark.parametrize(
    ("charset", "body"),
    [
        ("utf-8", "für".encode()),
        ('"UTF-8"', "für".encode()),
        ("ISO-8859-1", b"f\xfcr"),
        ("windows-1252", b"f\xfcr"),
        ("utf-16", "für".encode("utf-16")),
        ("us-ascii", "für".encode()),
        ("unheard-of", "für".encode()),
        ("idna", "für".encode()),
        ("unicode_escape", "für".encode()),
    ],
)
def test_charsets(charset: str, body: bytes) -> None:
    assert text(body, f"text/plain; charset={charset}") == ("für", ())


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"f\xfcr", "f\ufffdr"),
        (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
        (b"\xff\xfe\xfd", "\ufffd\ufffd\ufffd"),
        (b"cut \xf0\x9f\x9a", "cut \ufffd"),
    ],
)
def test_bytes_that_are_no_text_are_replaced_and_flagged(body: bytes, shown: str) -> None:
    assert text(body) == (shown, ("invalid-text",))
    shown.encode()


def test_lone_surrogates_in_utf16_are_replaced() -> None:
    shown, flags = text(b"a\x00\x00\xd8b\x00", "text/plain; charset=utf-16le")
    assert flags == ("invalid-text",)
    shown.encode()


def test_nul_is_shown_as_its_symbol() -> None:
    assert text(b"a\x00b") == ("a␀b", ())


def test_a_byte_order_mark_is_no_text() -> None:
    assert text(b"\xef\xbb\xbfHelp") == ("Help", ())


def test_several_text_parts_are_lines_and_html_beside_them_is_left_out() -> None:
    body = (
        b"--B\r\n\r\none\r\n--B\r\nContent-Type: text/html\r\n\r\n<b>one</b>\r\n"
        b"--B\r\nContent-Type: TEXT/PLAIN\r\n\r\ntwo\r\n--B--"
    )
    assert text(body, "multipart/mixed; boundary=B") == ("one\ntwo", ())


def test_html_alone_is_shown_as_text() -> None:
    body = b"<style>p{}</style><p>Fire &amp; <b>smoke</b></p><SCRIPT>x<y</SCRIPT>two<br/>three &#0;"
    assert text(body, "text/html")[0].split() == ["Fire", "&", "smoke", "two", "three", "\ufffd"]


def test_html_of_a_million_open_brackets_takes_linear_time() -> None:
    assert text(b"<" * 1_000_000, "text/html")[0].startswith("<")
    assert text(b"<script" * 100_000, "text/html")[0] == ""
    assert text(b"<br" * 300_000, "text/html")[0].startswith("<br")


@pytest.mark.parametrize("content_type", ["text", "plain", "multipart/mixed", "multipart/"])
def test_text_in_a_clumsy_wrapping_is_still_read(content_type: str) -> None:
    assert text(b"Help", content_type) == ("Help", ())


def test_other_content_is_no_text() -> None:
    assert text(b"\x89PNG", "image/png") == ("", ())
    assert text(b"<presence/>", "application/pidf+xml") == ("", ())
    assert text(b"", "text/plain") == ("", ())


def alternative(*parts: tuple[str, str]) -> bytes:
    body = "".join(f"--A\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts)
    return f"{body}--A--".encode()


ALTERNATIVE = "multipart/alternative; boundary=A"


@pytest.mark.conformance("6.1.2.8-1", "6.1.2.8-2")
@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ((("text/plain", "Fire"), ("text/html", "<p>Big <b>fire</b></p>")), "Fire"),
        ((("text/html", "<p>Big <b>fire</b></p>"), ("text/plain", "Fire")), "Fire"),
        ((("text/plain", " "), ("text/html", "<p>Big fire</p>")), " \nBig fire"),
        ((("text/plain", "Fire"), ("text/plain", "Fire")), "Fire"),
        ((("text/plain", "Fire"), ("text/plain; charset=utf-8", "Feuer")), "Fire\nFeuer"),
        ((("text/html", "<p>Big fire</p>"), ("image/png", "x")), "Big fire"),
    ],
)
def test_an_alternative_does_not_say_its_text_twice(
    parts: tuple[tuple[str, str], ...], shown: str
) -> None:
    """Red when HTML and plain text of the same are both shown, or when either of them is lost."""
    assert text(alternative(*parts), ALTERNATIVE) == (shown, ())


def test_html_outside_of_the_alternative_is_shown_beside_it() -> None:
    inner = alternative(("text/plain", "Fire"), ("text/html", "<p>Big fire</p>")).decode()
    body = (
        f"--B\r\nContent-Type: {ALTERNATIVE}\r\n\r\n{inner}\r\n"
        "--B\r\nContent-Type: text/html\r\n\r\n<p>Sent from <i>my</i> car</p>\r\n"
        "--B\r\nContent-Type: text/html\r\n\r\n<p>Fire</p>\r\n--B--"
    )
    assert text(body.encode(), "multipart/mixed; boundary=B") == ("Fire\nSent from my car", ())


def test_a_file_of_text_is_no_message_unless_nothing_else_is() -> None:
    attached = "Content-Disposition: attachment; filename=log.txt\r\n\r\nline 1\r\n"
    body = f"--B\r\n\r\nHelp\r\n--B\r\n{attached}--B--"
    assert text(body.encode(), "multipart/mixed; boundary=B") == ("Help", ())
    assert text(f"--B\r\n{attached}--B--".encode(), "multipart/mixed; boundary=B") == ("line 1", ())


@pytest.mark.parametrize(
    "page",
    [
        "<html><head><title>Mail</title></head><body>Help</body></html>",
        "Help<script>x('</b>')</script\n><STYLE type=x>p {}</STYLE>",
        "<!-- <p>quoted</p> -->Help<!--x-->",
        "<script>İ</script>Help",
        "<template><p>x</p></template>He<b>lp</b>",
    ],
)
def test_what_no_browser_shows_is_no_text(page: str) -> None:
    assert text(page.encode(), "text/html") == ("Help", ())


def test_a_comment_without_end_hides_nothing() -> None:
    assert text(b"<!-- Help", "text/html") == ("<!-- Help"[4:].strip(), ())


def test_comments_without_number_take_linear_time() -> None:
    assert text(b"<!--" * 60_000, "text/html") == ("", ())
    assert text(b"<!-- x -->" * 25_000, "text/html") == ("", ())
    assert text(b"<script></script>" * 15_000, "text/html") == ("", ())


def test_of_long_pages_the_beginning_is_read() -> None:
    page = b"<p>help</p>" + b"<script></script>" * 60_000
    assert text(page + b"later", "text/html") == ("help", ("truncated",))


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/pidf+xml"])
def test_what_could_not_be_unpacked_is_no_text(content_type: str) -> None:
    """Red when the bytes of a gzip bomb stand on the screen as if the caller had written them."""
    bomb = gzip.compress(b"\0" * 2 * 1024 * 1024)
    fields = [("Content-Type", content_type), ("Content-Encoding", "gzip")]
    assert text_of(split_body(Headers(fields), bomb)) == ("", ())
    said_falsely = split_body(Headers(fields[:1] + [("Content-Encoding", "gzip")]), b"Hilfe")
    assert text_of(said_falsely)[0] == ("" if "pidf" in content_type else "Hilfe")
