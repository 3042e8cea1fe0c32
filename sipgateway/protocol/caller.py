"""Who writes, which service was called, and what makes a request the same one again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from sipgateway.protocol.addresses import URI_LIMIT, normalise_uri, parse_address, user_of
from sipgateway.protocol.headers import Headers
from sipgateway.protocol.message import Request

DEFAULT_SERVICE = "urn:service:sos"
NAME_LIMIT = 200
LANGUAGE_LIMIT = 35
USER_AGENT_LIMIT = 200
SERVICE_LIMIT = 100


@dataclass(frozen=True, slots=True)
class Caller:
    """The originator of a message; everything but `uri` and `target` may be empty.

    `uri` tells callers apart; `target` is the addr-spec to send to, as it was written.
    """

    uri: str
    tag: str
    display_name: str
    asserted_uri: str
    language: str
    user_agent: str
    target: str


def identify_caller(headers: Headers, *, trusts_assertion: bool) -> Caller:
    """Who a message is from (clause 6.2.2, RFC 3325 9.1); never raises.

    `asserted_uri` is filled only when the peer is trusted to assert identities.
    """
    value = headers.get("from") or ""
    address = parse_address(value)
    uri = normalise_uri(address.uri) or value[:URI_LIMIT]
    asserted, target = "", address.uri.strip() or uri
    if trusts_assertion and headers.get("p-asserted-identity") is not None:
        asserted, asserted_target = _asserted(headers)
        target = asserted_target or target
    return Caller(
        uri,
        address.tag,
        address.display_name[:NAME_LIMIT],
        asserted,
        _language(headers),
        (headers.get("user-agent") or "")[:USER_AGENT_LIMIT],
        target[:URI_LIMIT],
    )


def _asserted(headers: Headers) -> tuple[str, str]:
    """The asserted SIP URI, else the tel URI (at most one of each, RFC 3325 9.1).

    Normalised, and as it was written.
    """
    found: dict[str, tuple[str, str]] = {}
    for value in headers.split("p-asserted-identity"):
        written = parse_address(value).uri
        uri = normalise_uri(written)
        found.setdefault(uri.partition(":")[0], (uri, written))
    return found.get("sip") or found.get("sips") or found.get("tel") or ("", "")


def _language(headers: Headers) -> str:
    """The language the caller prefers: Accept-Language by weight, else Content-Language."""
    best, best_weight = "", 0.0
    for entry in headers.split("accept-language") if "accept-language" in headers else ():
        tag, _, parameters = entry.partition(";")
        tag = tag.strip()
        weight = _weight(parameters)
        if tag and tag != "*" and weight > best_weight:
            best, best_weight = tag, weight
    if not best and headers.get("content-language") is not None:
        spoken = headers.split("content-language")
        best = spoken[0] if spoken else ""
    return best[:LANGUAGE_LIMIT]


def _weight(parameters: str) -> float:
    name, _, value = parameters.partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(float(value.strip()), 1.0)
    except ValueError:
        return 1.0


def called_service(request_uri: str, headers: Headers, numbers: Mapping[str, str]) -> str:
    """The service URN that was called, such as `urn:service:sos.fire`.

    From the Request-URI, else To, else the first History-Info entry (index 1, RFC 7044): each
    names a service itself or by a number of the table `numbers` (`112` → `urn:service:sos`).
    """
    service = _service_of(request_uri, numbers)
    if service:
        return service
    service = _service_of(parse_address(headers.get("to") or "").uri, numbers)
    if service:
        return service
    for entry in headers.split("history-info"):
        _, _, parameters = entry.rpartition(">")
        if "index=1" in [piece.strip() for piece in parameters.lower().split(";")]:
            service = _service_of(parse_address(entry).uri, numbers)
            if service:
                return service
    return DEFAULT_SERVICE


def _service_of(uri: str, numbers: Mapping[str, str]) -> str:
    uri = uri.strip("<> \t")
    if uri[:12].lower() == "urn:service:":
        return uri.partition(";")[0].lower()[:SERVICE_LIMIT]
    user = user_of(uri).partition(";")[0]  # a phone-context may follow the number
    return numbers.get(user, "") if user else ""


def request_key(request: Request) -> bytes:
    """16 bytes that are equal for a request and its retransmissions, also after a restart.

    BLAKE2b of From tag, Call-ID, CSeq and body: an app that repeats the three with another text
    has written another message.
    """
    headers = request.headers
    tag = parse_address(headers.get("from") or "").tag
    text = f"{tag}\0{headers.get('call-id') or ''}\0{headers.get('cseq') or ''}\0"
    digest = blake2b(text.encode(), digest_size=16)
    digest.update(request.body)
    return digest.digest()
