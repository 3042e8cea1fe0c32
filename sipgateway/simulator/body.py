"""Bodies an app sends: PIDF-LO (RFC 5491), subscriber data (RFC 7852), multipart (RFC 2046)."""

import secrets
from base64 import encodebytes
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape, quoteattr

from sipgateway.simulator.shapes import Location, write_shape

PLAIN_TEXT = "text/plain; charset=utf-8"
PIDF_LO = "application/pidf+xml"
SUBSCRIBER_INFO = "application/EmergencyCallData.SubscriberInfo+xml"
_GML = "http://www.opengis.net/gml"
_GEOPRIV = "urn:ietf:params:xml:ns:pidf:geopriv10"


@dataclass(frozen=True, slots=True)
class Part:
    """One body part; a content id without angle brackets where something refers to it.

    `name` is the file name of an attachment, which travels in base64.
    """

    content_type: str
    data: bytes
    content_id: str = ""
    name: str = ""

    def write(self) -> tuple[list[tuple[str, str]], bytes]:
        """Return the part's header fields and its content as it is sent."""
        headers = [("Content-Type", self.content_type)]
        if self.content_id:
            headers.append(("Content-ID", f"<{self.content_id}>"))
        if not self.name:
            return headers, self.data
        headers.append(("Content-Disposition", f'attachment; filename="{self.name}"'))
        headers.append(("Content-Transfer-Encoding", "base64"))
        return headers, encodebytes(self.data).replace(b"\n", b"\r\n").rstrip()


def text_part(text: str) -> Part:
    return Part(PLAIN_TEXT, text.encode())


def location_part(location: Location, entity: str, element: str) -> Part:
    """Write a PIDF-LO with its shape; the content id is drawn for `Geolocation: <cid:…>`."""
    at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f'<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gp="{_GEOPRIV}" '
        f'xmlns:gml="{_GML}" xmlns:gs="http://www.opengis.net/pidflo/1.0" '
        f"entity={quoteattr(entity)}>"
        '<tuple id="ue"><status><gp:geopriv><gp:location-info>'
        f"{write_shape(location)}</gp:location-info><gp:usage-rules>"
        '<gbp:retransmission-allowed xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy">'
        "no</gbp:retransmission-allowed></gp:usage-rules>"
        f"<gp:method>{escape(location.method)}</gp:method></gp:geopriv></status>"
        f"<timestamp>{at}</timestamp></tuple></presence>\r\n"
    )
    return Part(PIDF_LO, document.encode(), f"{secrets.token_hex(6)}@{element}")


def subscriber_part(name: str, phone: str, language: str) -> Part:
    """Write a SubscriberInfo block with a vCard (RFC 7852 4.4, RFC 6351)."""
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        "<sub:EmergencyCallData.SubscriberInfo "
        'xmlns:sub="urn:ietf:params:xml:ns:EmergencyCallData:SubscriberInfo" '
        'xmlns:xc="urn:ietf:params:xml:ns:vcard-4.0" privacyRequested="false">'
        "<sub:DataProviderReference>simulator</sub:DataProviderReference>"
        "<sub:SubscriberData><xc:vcards><xc:vcard>"
        f"<xc:fn><xc:text>{escape(name)}</xc:text></xc:fn>"
        f"<xc:lang><xc:language-tag>{escape(language)}</xc:language-tag></xc:lang>"
        f"<xc:tel><xc:text>{escape(phone)}</xc:text></xc:tel>"
        "</xc:vcard></xc:vcards></sub:SubscriberData>"
        "</sub:EmergencyCallData.SubscriberInfo>\r\n"
    )
    return Part(SUBSCRIBER_INFO, document.encode())


def compose(parts: list[Part]) -> tuple[str, bytes]:
    """Return Content-Type and body: a single part is sent bare, none as an empty multipart.

    The empty multipart is what ng112-js sends as its idle heartbeat.
    """
    if len(parts) == 1 and not parts[0].name:
        return parts[0].content_type, parts[0].data
    boundary = secrets.token_hex(8)
    chunks = []
    for part in parts:
        headers, content = part.write()
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        chunks += [f"--{boundary}\r\n{head}\r\n".encode(), content, b"\r\n"]
    if chunks:
        chunks.append(f"--{boundary}--\r\n".encode())
    return f"multipart/mixed; boundary={boundary}", b"".join(chunks)
