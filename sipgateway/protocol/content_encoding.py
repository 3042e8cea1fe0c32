"""Transfer and content encodings undone (RFC 2045 6, RFC 3261 20.12), bounded in size."""

from __future__ import annotations

import binascii
import zlib

MAX_INFLATED = 1024 * 1024
"""No more than is kept of a part: a few kilobytes must not cost a tenth of a second."""
_PLAIN = frozenset(("", "7bit", "8bit", "binary", "identity"))
_ZLIB_OR_GZIP = zlib.MAX_WBITS | 32


def transfer_decoded(encoding: str, data: bytes) -> bytes | None:
    """The content behind a Content-Transfer-Encoding; None when it is broken or unknown."""
    encoding = encoding.strip().lower()
    if encoding in _PLAIN:
        return data
    if encoding == "base64":
        return _base64(data)
    if encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    return None


def content_decoded(encoding: str, data: bytes) -> bytes | None:
    """The body behind a Content-Encoding; None when it is broken, unknown or a bomb."""
    encoding = encoding.strip().lower()
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _inflated(data)
    return transfer_decoded(encoding, data)


def _base64(data: bytes) -> bytes | None:
    for padding in (b"", b"==", b"="):  # senders forget it
        try:
            return binascii.a2b_base64(data + padding)
        except binascii.Error:
            continue
    return None


def _inflated(data: bytes) -> bytes | None:
    inflater = zlib.decompressobj(_ZLIB_OR_GZIP)
    try:
        content = inflater.decompress(data, MAX_INFLATED)
    except zlib.error:
        return None
    return content if inflater.eof else None
