"""What callers send along, handed out so that it cannot harm who opens it.

A part is downloaded as a file, never shown: no browser runs, renders or guesses at a stranger's
bytes on our origin. An image is shown after Pillow has written it anew (chats/images.py).
"""

import hashlib
import mimetypes
import unicodedata

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from chats.http import authorised, problem
from chats.images import NotAnImage, re_encode
from chats.models import BodyPart
from chats.services.verify_chat import ERASED, TRUNCATED

# Types that tell a file's program what it is, and that no browser runs; all else is just bytes.
SAFE_TYPES = frozenset(
    (
        "image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf", "audio/mpeg",
        "audio/ogg", "audio/wav", "audio/mp4", "video/mp4", "video/webm",
    )
)  # fmt: skip
BYTES = "application/octet-stream"
LONGEST_NAME = 100
LARGEST_ID = 2**63 - 1
# Control characters, invisible formatting such as right-to-left overrides, line separators,
# unassigned and private characters.
_NOT_IN_NAMES = ("C", "Zl", "Zp")
_RESERVED = frozenset('/\\:*?"<>|')


@require_safe
def download(request: HttpRequest, chat_id: int, part_id: int) -> HttpResponse:
    """Return a part of a message of the chat as a file, exactly as it arrived."""
    part = _find(request, chat_id, part_id)
    if isinstance(part, HttpResponse):
        return part
    kind = part.content_type if part.content_type in SAFE_TYPES else BYTES
    answer = HttpResponse(bytes(part.content or b""), content_type=kind)
    answer["Content-Disposition"] = content_disposition_header(
        as_attachment=True, filename=file_name(part)
    )
    answer["Cache-Control"] = "private, no-store"
    return _locked_up(answer)


@require_safe
async def image(request: HttpRequest, chat_id: int, part_id: int) -> HttpResponse:
    """Return an image of a message of the chat, written anew; 415 when it is none."""
    part = await sync_to_async(_find)(request, chat_id, part_id)
    if isinstance(part, HttpResponse):
        return part
    tag = f'"{bytes(part.sha256).hex()}"'
    known = get_conditional_response(request, etag=tag)
    if known is not None:
        return _cached(known, tag)
    if part.flag == TRUNCATED:
        return problem(415, "not-an-image", "The image was too large to be kept whole.")
    try:
        kind, content = await re_encode(bytes(part.content or b""))
    except NotAnImage:
        return problem(415, "not-an-image", "This cannot be shown as an image.")
    return _cached(_locked_up(HttpResponse(content, content_type=kind)), tag)


def _find(request: HttpRequest, chat_id: int, part_id: int) -> BodyPart | HttpResponse:
    """Look a part up for who may see it; else the answer that says why not."""
    refused = authorised(request)
    if refused is not None:
        return refused
    part = None
    if max(chat_id, part_id) <= LARGEST_ID:
        part = BodyPart.objects.filter(pk=part_id, message__chat_id=chat_id).first()
    if part is None:
        return problem(404, "part-unknown", "There is no such part in this chat.")
    if part.content is None or part.flag == ERASED:
        return problem(410, "part-erased", "Its content is not kept any more.")
    whole = part.flag != TRUNCATED
    if whole and hashlib.sha256(part.content).digest() != bytes(part.sha256):
        return problem(500, "part-damaged", "Its content is not what arrived.")
    return part


def file_name(part: BodyPart) -> str:
    """Name the file that a part is saved as: its sender's name without what deceives or escapes."""
    name = unicodedata.normalize("NFC", part.name.replace("\\", "/").rpartition("/")[2])
    kept = (
        "_" if char in _RESERVED else char
        for char in name
        if not unicodedata.category(char).startswith(_NOT_IN_NAMES)
    )
    stem, dot, ending = "".join(kept).strip(" .").rpartition(".")
    if not dot:
        stem, ending = ending, ""
    if not stem:
        extension = mimetypes.guess_extension(part.content_type) or ".bin"
        return f"part-{part.pk}{extension if part.content_type in SAFE_TYPES else '.bin'}"
    shown = stem[:LONGEST_NAME].rstrip(" .")
    return f"{shown}.{ending[:20]}" if ending else shown


def _locked_up(answer: HttpResponse) -> HttpResponse:
    """Forbid everything to whatever takes these bytes for a page."""
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cross-Origin-Resource-Policy"] = "same-origin"
    return answer


def _cached(answer: HttpResponse, tag: str) -> HttpResponse:
    """Let this browser keep it, and ask each time whether it may still see it."""
    answer["ETag"] = tag
    answer["Cache-Control"] = "private, no-cache"
    return answer
