"""What a user agent that takes MESSAGE answers to everything else (RFC 3261 8.2, 11.2)."""

from __future__ import annotations

from sipgateway.protocol.message import Request

ALLOW = ("Allow", "MESSAGE, OPTIONS")
ACCEPT = ("Accept", "text/plain, multipart/mixed, application/pidf+xml, */*")

# The methods of the IANA registry that we know and do not take.
KNOWN_METHODS = frozenset(
    (
        "BYE",
        "CANCEL",
        "INFO",
        "INVITE",
        "NOTIFY",
        "PRACK",
        "PUBLISH",
        "REFER",
        "REGISTER",
        "SUBSCRIBE",
        "UPDATE",
    )
)
_SCHEMES = ("sip:", "sips:", "tel:", "urn:")

Answer = tuple[int, tuple[tuple[str, str], ...]]


def answer_to(request: Request, *, serves: bool) -> Answer | None:
    """Status and header fields of the answer; None for an ACK, which is never answered.

    `serves` says whether a MESSAGE could be committed now: what OPTIONS asks for.
    """
    if request.method == "ACK":
        return None
    if request.method in KNOWN_METHODS:
        return 405, (ALLOW,)
    if request.method != "OPTIONS":
        return 501, (ALLOW,)
    _, _, method = (request.headers.get("cseq") or "").strip().partition(" ")
    if method.strip() != request.method:
        return 400, ()
    if not request.uri.lower().startswith(_SCHEMES):
        return 416, ()
    if required := request.headers.joined("require"):
        return 420, (("Unsupported", required),)
    return (200 if serves else 503), (ALLOW, ACCEPT)
