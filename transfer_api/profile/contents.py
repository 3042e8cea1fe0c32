"""Attachments of `Data`: content by digest, by value or by link, and the parts that have it."""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chats.services.transfers.history import HandedLink, HandedPart
from chats.services.verify_chat import ERASED
from transfer_api.profile.fields import Fields

UNTYPED = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Contents:
    """What came, by digest."""

    by_value: Mapping[bytes, bytes]
    by_link: Mapping[bytes, str]
    sizes: Mapping[bytes, int]


def read_contents(attachments: Iterable[Fields]) -> Contents:
    """Read all attachments; digest and size of what came by value are checked."""
    by_value: dict[bytes, bytes] = {}
    by_link: dict[bytes, str] = {}
    sizes: dict[bytes, int] = {}
    for one in attachments:
        sha256 = one.digest("Sha256", required=True)
        size = one.integer("Size")
        one.text("ContentType")  # each part says its own; what stands here must be a text
        if one.has("Content"):
            content = _decoded(one)
            if content is None:
                continue
            if hashlib.sha256(content).digest() != sha256:
                one.fault("Content", "has another SHA-256")
            elif size is not None and size != len(content):
                one.fault("Size", "is not that of Content")
            by_value[sha256], sizes[sha256] = content, len(content)
        elif url := one.exact("Url"):
            by_link[sha256] = url
            if size is not None:
                sizes[sha256] = size
    return Contents(by_value, by_link, sizes)


def read_part(part: Fields, contents: Contents) -> HandedPart:
    """Read a body part with its content, if that came by value."""
    sha256 = part.digest("Sha256", required=True)
    kept = part.digest("KeptSha256") or sha256
    size, flag = part.integer("Size"), part.text("Flag")
    return HandedPart(
        content_type=part.text("ContentType").strip().lower() or UNTYPED,
        content_id=part.text("ContentId"),
        name=part.text("Name"),
        size=contents.sizes.get(sha256, 0) if size is None else size,
        sha256=sha256,
        flag=flag,
        # Erased in one place it stays erased there, though another message brought the same.
        content=None if flag == ERASED else contents.by_value.get(kept),
    )


def links_for(parts: Iterable[HandedPart], contents: Contents) -> tuple[HandedLink, ...]:
    """Say where the contents of those parts can be had that came without, each once."""
    wanted = dict.fromkeys(
        part.sha256 for part in parts if part.content is None and part.flag != ERASED
    )
    return tuple(
        HandedLink(sha256, contents.by_link[sha256])
        for sha256 in wanted
        if sha256 in contents.by_link
    )


def _decoded(attachment: Fields) -> bytes | None:
    content = attachment.verbatim("Content")
    if content is None:
        return None
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        attachment.fault("Content", "is no base64")
        return None
