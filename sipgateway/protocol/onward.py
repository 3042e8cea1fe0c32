"""Sending a request of an app on to another PSAP, as a proxy does (RFC 3261 16.6)."""

from __future__ import annotations

from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.headers import Headers, key_of
from sipgateway.protocol.history import parse_history
from sipgateway.protocol.message import Request

MAX_FORWARDS = 70
_NEVER = frozenset({"route", "max-forwards", "content-length"})
_ASSERTED = "p-asserted-identity"


def onward_message(
    request: Request,
    *,
    target: str,
    branch: str,
    via_transport: str,
    via_host: str,
    via_port: int,
    trusted: bool,
    retargets: bool = True,
) -> bytes:
    """The request for its new target; equal arguments give equal bytes.

    Header fields and body stay as they came, those of the caller's identity included. New are the
    Request-URI, our Via on top, one hop less, and the History-Info entry of who was to get it and
    why it goes on (clause 6.1.2.6), unless it goes to whom it names. There is no Record-Route, so
    the target may write straight to the app. An assertion of somebody whom we don't trust is left
    out (RFC 3325 5). Raises LocalProtocolError where no hop is left or the target cannot stand in
    a request.
    """
    if any(char in target for char in "\r\n <>") or not target:
        raise LocalProtocolError("not a URI")
    headers = request.verbatim or request.headers
    hops = _hops(headers)
    if hops <= 0:
        raise LocalProtocolError("too many hops")
    host = f"[{via_host}]" if ":" in via_host and not via_host.startswith("[") else via_host
    via = f"SIP/2.0/{via_transport.upper()} {host}:{via_port};branch={branch};rport"
    fields = [("Via", via), ("Max-Forwards", str(hops - 1))]
    fields += [
        (name, value)
        for name, value in headers
        if (key := key_of(name)) not in _NEVER and (trusted or key != _ASSERTED)
    ]
    if retargets:
        fields.append(("History-Info", _retargeted(request)))
    fields.append(("Content-Length", str(len(request.body))))
    head = "".join([f"{name}: {value}\r\n" for name, value in fields])
    start = f"{request.method} {target} SIP/2.0\r\n"
    return f"{start}{head}\r\n".encode("utf-8", "surrogateescape") + request.body


def _hops(headers: Headers) -> int:
    value = (headers.get("max-forwards") or "").strip()
    if not (value.isascii() and value.isdigit()):
        return MAX_FORWARDS
    return min(int(value[:9]), 255)


def _retargeted(request: Request) -> str:
    """The entry of who was to get the request, after those that it carries (RFC 4244 4.3.3)."""
    entries = parse_history(request.headers.joined("history-info"))
    index = f"{entries[-1].index}.1" if entries and entries[-1].index else "1"
    uri = request.uri.strip("<> ")
    joint = "&" if "?" in uri else "?"
    return f"<{uri}{joint}Reason=SIP%3Bcause%3D302>;index={index}"
