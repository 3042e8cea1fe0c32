"""Messages that pjsua2 has received for us: some were cut on the way (ADR 0004)."""

from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import Request, parse_message, request_of_header_block

PJSUA2 = "pjsua2"


def read_message(raw: bytes) -> Request | None:
    """Read a request; of one that was cut, what is there."""
    try:
        message = parse_message(raw)
    except RemoteProtocolError as error:
        if isinstance(error.request, Request) and not is_cut(error.request):
            return error.request  # taken for another reason, by another release
        return _read_cut(raw)
    return message if isinstance(message, Request) else None


def is_cut(request: Request) -> bool:
    """Say whether a message is shorter than it says itself."""
    length = (request.headers.get("content-length") or "").strip()
    return length.isascii() and length.isdigit() and len(request.body) < int(length[:12] or 0)


def flags_of(request: Request) -> tuple[str, ...]:
    """What the record says of a message that came through pjsua2.

    pjsua2 acknowledges by itself what it takes. It takes neither requests to a `urn:`, nor what is
    too long for it on a connection.
    """
    cut = is_cut(request)
    on_a_connection = "/UDP" not in (request.headers.get("via") or "").upper()
    taken = not request.uri.lower().startswith("urn:") and not (cut and on_a_connection)
    acknowledged = ("acknowledged-before-commit",) if taken else ()
    return (*acknowledged, "truncated") if cut else acknowledged


def _read_cut(raw: bytes) -> Request | None:
    head, _, body = raw.partition(b"\r\n\r\n")
    request = request_of_header_block(head)
    if request is not None:
        request.body, request.raw = body, raw
    return request
