"""Parts of messages over HTTP: files that harm nobody, images written anew."""

import hashlib
import io
import struct
import zlib
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from PIL import Image

from chats import images, wire
from chats.attachments import file_name
from chats.models import BodyPart, Chat
from psap.models import ADMINISTRATOR, SUPERVISOR, User
from tests.support.chats import make_user, open_chat

pytestmark = pytest.mark.django_db

SCRIPT = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"


@pytest.fixture
def chat() -> Chat:
    return open_chat("help")


@pytest.fixture
def desk(client: Client, anna: User) -> Client:
    client.force_login(anna)
    return client


def attach(chat: Chat, content: bytes, content_type: str, **values: Any) -> BodyPart:
    """Put a part beside the chat's first message."""
    defaults = {
        "message": chat.messages.order_by("pk")[0],
        "position": 1,
        "content_type": content_type,
        "size": len(content),
        "sha256": hashlib.sha256(content).digest(),
        "content": content,
    }
    return BodyPart.objects.create(**defaults | values)


def get(client: Client, chat: Chat, part: BodyPart, tail: str = "", **headers: str) -> HttpResponse:
    return client.get(f"/chats/{chat.pk}/parts/{part.pk}/{tail}", headers=headers)


def picture(form: str, size: tuple[int, int] = (40, 20), mode: str = "RGB", **how: Any) -> bytes:
    """Draw an image, red in its left half."""
    image = Image.new(mode, size, (0, 0, 255, 128)[: len(mode)])
    image.paste((255, 0, 0, 255)[: len(mode)], (0, 0, size[0] // 2, size[1]))
    output = io.BytesIO()
    image.save(output, form, **how)
    return output.getvalue()


def shown(answer: HttpResponse) -> Image.Image:
    assert answer.status_code == 200, answer.content
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.conformance("6.1.2.8-5")
def test_a_part_is_downloaded_as_it_arrived_and_can_do_nothing(desk: Client, chat: Chat):
    answer = get(desk, chat, attach(chat, SCRIPT, "image/svg+xml", name="plan.svg"))
    assert (answer.status_code, answer.content) == (200, SCRIPT)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="plan.svg"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("content_type", "sent"),
    [
        ("text/html", "application/octet-stream"),
        ("application/xhtml+xml", "application/octet-stream"),
        ("text/javascript", "application/octet-stream"),
        ("text/html\r\nSet-Cookie: a=b", "application/octet-stream"),
        ("image/jpeg", "image/jpeg"),
        ("application/pdf", "application/pdf"),
    ],
)
def test_only_types_that_no_browser_runs_are_told(
    desk: Client, chat: Chat, content_type: str, sent: str
):
    assert get(desk, chat, attach(chat, b"x", content_type))["Content-Type"] == sent


@pytest.mark.parametrize(
    ("name", "shown_as"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\anna\\photo.jpg", "photo.jpg"),
        (".bashrc", "bashrc"),
        ("a\r\nSet-Cookie: b=c.jpg", "aSet-Cookie_ b=c.jpg"),
        ("photo\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "photogpj.exe"),
        ('a"b;c*.png', "a_b;c_.png"),
        ("Straße 🚒.png", "Straße 🚒.png"),
        ("x" * 300 + ".jpg", "x" * 100 + ".jpg"),
        ("con. . ", "con"),
    ],
)
def test_a_file_name_neither_deceives_nor_escapes(chat: Chat, name: str, shown_as: str):
    assert file_name(attach(chat, b"x", "image/jpeg", name=name)) == shown_as


@pytest.mark.parametrize("name", ["", "...", "/", "\0"])
def test_a_part_without_a_usable_name_gets_one(chat: Chat, name: str):
    part = BodyPart(pk=7, content_type="image/png", name=name)
    assert file_name(part) == "part-7.png"
    assert file_name(BodyPart(pk=7, content_type="text/html", name=name)) == "part-7.bin"


def test_a_name_beyond_ascii_travels_as_rfc_6266_has_it(desk: Client, chat: Chat):
    answer = get(desk, chat, attach(chat, b"x", "image/png", name="Straße.png"))
    assert answer["Content-Disposition"] == "attachment; filename*=utf-8''Stra%C3%9Fe.png"


@pytest.mark.parametrize("tail", ["", "image/"])
def test_parts_are_for_those_who_work_with_chats(client: Client, chat: Chat, tail: str):
    part = attach(chat, picture("PNG"), "image/png")
    assert get(client, chat, part, tail).status_code == 401
    client.force_login(make_user("dora", ADMINISTRATOR))
    assert get(client, chat, part, tail).status_code == 403
    client.force_login(make_user("clara", SUPERVISOR))
    assert get(client, chat, part, tail).status_code == 200


@pytest.mark.parametrize("tail", ["", "image/"])
def test_a_part_belongs_to_its_chat(desk: Client, chat: Chat, tail: str):
    part = attach(chat, picture("PNG"), "image/png")
    answer = get(desk, open_chat("other"), part, tail)
    assert (answer.status_code, answer.json()["code"]) == (404, "part-unknown")
    for path in (f"/chats/{2**63}/parts/{part.pk}/", f"/chats/{chat.pk}/parts/{2**63}/"):
        assert desk.get(path).status_code == 404


def test_what_is_not_there_any_more_is_gone(desk: Client, chat: Chat):
    part = attach(chat, b"x", "image/png")
    BodyPart.objects.update(content=None, flag="erased")
    answer = get(desk, chat, part)
    assert (answer.status_code, answer.json()["code"]) == (410, "part-erased")


@pytest.mark.parametrize("tail", ["", "image/"])
def test_what_does_not_fit_its_digest_is_not_handed_out(desk: Client, chat: Chat, tail: str):
    part = attach(chat, picture("PNG"), "image/png", sha256=hashlib.sha256(b"other").digest())
    answer = get(desk, chat, part, tail)
    assert (answer.status_code, answer.json()["code"]) == (500, "part-damaged")


def test_a_part_that_was_cut_is_handed_out_as_far_as_it_is_kept(desk: Client, chat: Chat):
    whole = hashlib.sha256(b"whole").digest()
    part = attach(chat, b"who", "image/png", flag="truncated", sha256=whole)
    assert get(desk, chat, part).content == b"who"
    assert get(desk, chat, part, "image/").status_code == 415


def test_reading_is_all_that_can_be_done(desk: Client, chat: Chat):
    part = attach(chat, b"x", "image/png")
    for tail in ("", "image/"):
        assert desk.post(f"/chats/{chat.pk}/parts/{part.pk}/{tail}").status_code == 405


@pytest.mark.parametrize(
    ("form", "mode", "becomes"),
    [
        ("JPEG", "RGB", "JPEG"), ("JPEG", "L", "JPEG"), ("JPEG", "CMYK", "JPEG"),
        ("PNG", "RGB", "JPEG"), ("PNG", "RGBA", "PNG"), ("WEBP", "RGBA", "PNG"),
        ("GIF", "RGB", "JPEG"),
    ],
)  # fmt: skip
def test_an_image_is_written_anew(desk: Client, chat: Chat, form: str, mode: str, becomes: str):
    content = picture(form, mode=mode) + b"<script>trailing</script>"
    answer = get(desk, chat, attach(chat, content, f"image/{form.lower()}"), "image/")
    image = shown(answer)
    assert (image.format, image.size) == (becomes, (40, 20))
    assert answer["Content-Type"] == f"image/{becomes.lower()}"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert b"<script>" not in answer.content


def test_the_first_frame_of_an_animation_is_shown(desk: Client, chat: Chat):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    output = io.BytesIO()
    frames[0].save(output, "GIF", save_all=True, append_images=frames[1:])
    image = shown(get(desk, chat, attach(chat, output.getvalue(), "image/gif"), "image/"))
    red, _green, blue = image.convert("RGB").getpixel((4, 4))
    assert red > 200
    assert blue < 60


def test_an_image_stands_upright_and_says_nothing_of_where_it_was_taken(desk: Client, chat: Chat):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "secret description"
    exif.get_ifd(0x8825)[1] = "N"
    content = picture("JPEG", exif=exif.tobytes(), comment=b"secret comment")
    assert b"secret" in content
    answer = get(desk, chat, attach(chat, content, "image/jpeg"), "image/")
    image = shown(answer)
    assert image.size == (20, 40)
    assert not image.getexif()
    assert b"secret" not in answer.content


def test_an_image_has_at_most_4096_pixels_a_side(desk: Client, chat: Chat):
    part = attach(chat, picture("PNG", size=(6000, 60)), "image/png")
    assert shown(get(desk, chat, part, "image/")).size == (4096, 41)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _bomb(side: int) -> bytes:
    """A PNG of some kilobytes that says it has `side` × `side` pixels, and has them."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_a_bomb_is_refused_before_it_is_decoded(
    desk: Client, chat: Chat, monkeypatch: pytest.MonkeyPatch
):
    bomb = _bomb(6000)
    assert len(bomb) < 50_000
    loaded = []
    monkeypatch.setattr(Image.Image, "draft", lambda *_: loaded.append("begun"))
    answer = get(desk, chat, attach(chat, bomb, "image/png"), "image/")
    assert (answer.status_code, answer.json()["code"]) == (415, "not-an-image")
    assert loaded == []
    assert 6000 * 6000 > images.MOST_PIXELS


@pytest.mark.parametrize(
    "content",
    [
        b"", b"no image", SCRIPT, picture("PNG")[:60], picture("JPEG")[:300], picture("BMP"),
        picture("TIFF"), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"GIF89a" + b"\xff" * 50,
    ],
)  # fmt: skip
def test_what_is_no_image_of_a_phone_is_refused(desk: Client, chat: Chat, content: bytes):
    answer = get(desk, chat, attach(chat, content, "image/png"), "image/")
    assert (answer.status_code, answer.json()["code"]) == (415, "not-an-image")
    assert "Cache-Control" not in answer or "max-age" not in answer["Cache-Control"]


def test_a_browser_that_has_the_image_gets_no_bytes_but_is_asked_who_it_is(
    desk: Client, chat: Chat, monkeypatch: pytest.MonkeyPatch
):
    part = attach(chat, picture("PNG"), "image/png")
    first = get(desk, chat, part, "image/")
    assert first["Cache-Control"] == "private, no-cache"
    monkeypatch.setattr(images, "rewritten", None)
    again = get(desk, chat, part, "image/", if_none_match=first["ETag"])
    assert (again.status_code, again.content) == (304, b"")
    desk.logout()
    assert get(desk, chat, part, "image/", if_none_match=first["ETag"]).status_code == 401


def test_what_the_wire_calls_an_image_is_what_is_shown(desk: Client, chat: Chat):
    for number, form in enumerate(images.FORMATS, start=1):
        attach(chat, picture(form), f"image/{form.lower()}", position=number)
    body = desk.get(f"/chats/{chat.pk}/conversation/").json()
    parts = body["messages"][0]["parts"]
    assert len(parts) == len(images.FORMATS)
    for part in parts:
        assert part["inline"]
        assert desk.get(f"{part['url']}image/").status_code == 200
        assert desk.get(part["url"]).status_code == 200
    assert {f"image/{form.lower()}" for form in images.FORMATS} == set(wire.SHOWN_IMAGES)
