"""What we answer about a location that cannot be used (RFC 6442 4.3, 4.4).

A 424 would refuse the call: an emergency gets its 200, with Geolocation-Error in it.
"""

from __future__ import annotations

from sipgateway.protocol.body import split_body
from sipgateway.protocol.errors import SipError
from sipgateway.protocol.headers import split_list
from sipgateway.protocol.message import Request
from sipgateway.protocol.payloads import PIDF
from sipgateway.protocol.pidflo import parse_pidf_lo
from sipgateway.protocol.signalling import MOST_VALUES, missing_part

LARGEST_BODY = 128 * 1024
"""Bytes that are looked through before the answer leaves; with pictures, there is no remark."""
MOST_DOCUMENTS = 3
CANNOT_PROCESS = ("Geolocation-Error", '100;code="Cannot Process Location"')


def geolocation_error(request: Request) -> tuple[str, str] | None:
    """The header field for the answer to a call whose location by value cannot be read.

    None where it can, or where there is none: a location by reference is fetched later.
    """
    if len(request.body) > LARGEST_BODY:
        return None
    entries = split_list(request.headers.joined("geolocation"))[:MOST_VALUES]
    cids = [entry.partition("<")[2].partition(">")[0].strip() for entry in entries]
    if any(cid[:4].lower() == "cid:" and missing_part(cid, request.body) for cid in cids):
        return CANNOT_PROCESS
    documents = [p for p in split_body(request.headers, request.body) if p.content_type == PIDF]
    for document in documents[:MOST_DOCUMENTS]:
        try:
            if parse_pidf_lo(document.data):
                return None
        except SipError:
            continue
    return CANNOT_PROCESS if documents else None
