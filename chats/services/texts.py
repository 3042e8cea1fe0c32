"""Texts of ours: what may be sent, and the digest that stands for a text in the record."""

import hashlib

from chats.services.errors import TextTooLong

LONGEST_TEXT = 10_000


def clean_text(text: str) -> str:
    """Return a text that PostgreSQL stores and UTF-8 encodes; raises TextTooLong.

    NUL becomes U+2400 and a lone surrogate U+FFFD, as in texts that arrive.
    """
    if len(text) > LONGEST_TEXT:
        raise TextTooLong
    return storable_text(text)


def storable_text(text: str) -> str:
    """Make any string one that PostgreSQL stores: NUL becomes U+2400, lone surrogates U+FFFD."""
    if text.isascii() and "\0" not in text:
        return text
    shown = text.replace("\0", "␀")
    return shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def text_digest(text: str) -> str:
    """SHA-256 of a text in UTF-8, 64 hexadecimal digits: `textSha256` of an event."""
    return hashlib.sha256(text.encode()).hexdigest()
