"""HELD as far as locations are dereferenced (HELD-2; RFC 5985, RFC 6753): request and answer."""

from __future__ import annotations

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.pidflo import Fix, PidfError, parse_pidf_lo
from sipgateway.protocol.xml import XmlError, parse_xml

CONTENT_TYPE = "application/held+xml;charset=utf-8"
ACCEPT = "application/held+xml, application/pidf+xml;q=0.9, */*;q=0.1"
LOCATION_REQUEST = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b'<locationRequest xmlns="urn:ietf:params:xml:ns:geopriv:held"'
    b' responseTime="emergencyDispatch">'
    b'<locationType exact="false">geodetic civic</locationType></locationRequest>'
)
CODE_LIMIT = 60

# RFC 5985 6.3: what a code says, and whether the same question may be answered later.
_ERRORS = {
    "requestError": ("the location server does not understand our request", False),
    "xmlError": ("the location server cannot read our request", False),
    "generalLisError": ("the location server has a fault of its own", True),
    "locationUnknown": ("the location server does not know where the caller is", True),
    "unsupportedMessage": ("the location server does not offer this", False),
    "timeout": ("the location server could not find out in time", True),
    "cannotProvideLiType": ("the location server has no location of this kind", False),
    "notLocatable": ("the location server cannot locate this device", False),
}


class HeldError(SipError):
    """The server answered that it has no location; `again` tells whether to ask later."""

    def __init__(self, words: str, *, again: bool) -> None:
        super().__init__(words)
        self.words, self.again = words, again


def read_location(data: bytes) -> list[Fix]:
    """Return the positions of an answer; raises HeldError.

    The root element alone says what it is: servers give errors with status 200, and a bare
    `presence` document under any type.
    """
    try:
        root = parse_xml(data)
    except XmlError as error:
        raise HeldError(f"the answer cannot be read: {error}", again=False) from None
    name = root.tag.rpartition("}")[2]
    if name == "error":
        raise _refusal(root.get("code") or "")
    if name not in ("presence", "locationResponse"):
        raise HeldError(f"the answer is a {name[:CODE_LIMIT]}, no location", again=False)
    try:
        fixes = parse_pidf_lo(data)
    except PidfError as error:
        raise HeldError(f"the location cannot be read: {error}", again=False) from None
    if not fixes:
        raise HeldError("the answer holds no location", again=False)
    return fixes


def _refusal(code: str) -> HeldError:
    words, again = _ERRORS.get(code, ("the location server refuses", False))
    return HeldError(f"{words} ({code[:CODE_LIMIT] or 'no code'})", again=again)
