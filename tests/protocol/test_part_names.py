"""File names that senders give their parts, in all the ways of writing them."""

import pytest

from sipgateway.protocol.body import split_body
from sipgateway.protocol.headers import Headers


def name(disposition: str = "", content_type: str = "image/png") -> str:
    items = [("Content-Type", content_type)]
    if disposition:
        items.append(("Content-Disposition", disposition))
    (part,) = split_body(Headers(items), b"x")
    return part.name


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [
        ("attachment", ""),
        ("attachment; filename=kitchen.png", "kitchen.png"),
        ('inline; filename="my kitchen.png"', "my kitchen.png"),
        ('attachment; FILENAME="a;b.png"', "a;b.png"),
        ("attachment; filename*=UTF-8''K%C3%BCche%20%F0%9F%94%A5.png", "Küche 🔥.png"),
        ("attachment; filename*=iso-8859-1'de'K%FCche.png", "Küche.png"),
        ("attachment; filename*=K%C3%BCche.png", "Küche.png"),
        ("attachment; filename=a.png; filename*=utf-8''b.png", "b.png"),
        ("attachment; filename*0*=utf-8''K%C3%BC; filename*1=che; filename*2*=%2Epng", "Küche.png"),
        ('attachment; filename="=?utf-8?B?S8O8Y2hlLnBuZw==?="', "Küche.png"),
        ('attachment; filename="=?iso-8859-1?Q?K=FCche?= =?utf-8?q?=2Epng?="', "Küche.png"),
        ('attachment; filename="Küche.png"', "Küche.png"),
    ],
)
def test_spellings_of_a_name(disposition: str, expected: str) -> None:
    assert name(disposition) == expected


def test_the_content_type_may_name_the_part() -> None:
    assert name(content_type='image/png; name="a b.png"') == "a b.png"
    assert name(content_type="image/png; name*=utf-8''%C3%BC.png") == "ü.png"
    assert name("attachment; filename=x.png", "image/png; name=y.png") == "x.png"
    assert name(content_type="text/plain; charset=utf-8") == ""


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:/temp/a.png", "a.png"),
        ("%5C%5Chost%5Cshare%5Ca.png", "a.png"),
        ("a/", "a"),
        ("..", ""),
        (".hidden", "hidden"),
        ("a%00.png%0D%0AX: y", "a\u2400.pngX: y"),
        ("evil%E2%80%AEgnp.exe", "evilgnp.exe"),
        ("%FF.png", "\ufffd.png"),
        ("x" * 500 + ".jpeg", "x" * 115 + ".jpeg"),
    ],
)
def test_a_name_says_nothing_but_a_name(given: str, expected: str) -> None:
    """Red when the name is taken as it came: it would choose a directory, or look like another."""
    assert name(f"attachment; filename*=utf-8''{given}") == expected


def test_the_part_of_a_multipart_has_its_name() -> None:
    body = b"--B\r\nContent-Disposition: attachment;\r\n filename=a.png\r\n\r\nx\r\n--B--"
    (part,) = split_body(Headers([("Content-Type", "multipart/mixed; boundary=B")]), body)
    assert part.name == "a.png"


def test_names_of_megabytes_take_no_time() -> None:
    assert len(name("attachment; filename=" + "a" * 15_000)) <= 120
    assert len(name("attachment; filename*=utf-8''" + "%C3%BC" * 2_500)) <= 120
    name("attachment; " + ";".join(f"filename*{n}=x" for n in range(2_000)))
    name('attachment; filename="' + "=?utf-8?q?" * 1_500 + '"')
