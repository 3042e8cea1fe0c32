"""What an app or a machine encloses: pictures, files, blocks of data, alerts, readings."""

import json
import struct
import zlib
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from sipgateway.simulator.body import Part
from sipgateway.simulator.shapes import Location

CAP = "application/EmergencyCallData.cap+xml"
SENSOR = "application/senml+json"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\r\n'
_NAMESPACE = "urn:ietf:params:xml:ns:EmergencyCallData"


def picture(name: str = "kitchen.png", size: int = 64) -> Part:
    """Draw a small PNG: a gradient, so that it is seen to have come whole."""
    rows = b"".join(
        b"\0" + b"".join(bytes((x * 4 % 256, y * 4 % 256, 128)) for x in range(size))
        for y in range(size)
    )
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return Part("image/png", data, name=name)


def file(name: str = "medication.txt", content: bytes = b"Aspirin 100 mg, daily\r\n") -> Part:
    """Enclose a file that is no picture."""
    return Part("application/octet-stream", content, name=name)


def provider() -> Part:
    """Write who operates the service (RFC 7852 4.1)."""
    return _block(
        "ProviderInfo",
        "<{0}:DataProviderString>Example Mobile</{0}:DataProviderString>"
        "<{0}:ProviderIDSeries>NENA</{0}:ProviderIDSeries>"
        "<{0}:ProviderID>example-1</{0}:ProviderID>"
        "<{0}:TypeOfProvider>Telecom Provider</{0}:TypeOfProvider>"
        "<{0}:ContactURI>tel:+431234567</{0}:ContactURI>",
    )


def service() -> Part:
    """Write what kind of service it is (RFC 7852 4.2)."""
    return _block(
        "ServiceInfo",
        "<{0}:ServiceEnvironment>Residence</{0}:ServiceEnvironment>"
        "<{0}:ServiceType>wireless</{0}:ServiceType>"
        "<{0}:ServiceMobility>Mobile</{0}:ServiceMobility>",
    )


def device() -> Part:
    """Write what device it is (RFC 7852 4.3)."""
    return _block(
        "DeviceInfo",
        "<{0}:DeviceClassification>Smart phone</{0}:DeviceClassification>"
        "<{0}:DeviceMfgr>Example</{0}:DeviceMfgr>"
        "<{0}:DeviceModelNr>E-1</{0}:DeviceModelNr>",
    )


def comment(text: str = "Caller is deaf. The dog bites.") -> Part:
    """Write a remark of the provider's (RFC 7852 4.5)."""
    return _block("Comment", "<{0}:Comment xml:lang='en'>" + escape(text) + "</{0}:Comment>")


def _block(kind: str, content: str) -> Part:
    prefix = "ecd"
    document = (
        f"{_HEAD}<{prefix}:EmergencyCallData.{kind} xmlns:{prefix}='{_NAMESPACE}:{kind}'>"
        f"<{prefix}:DataProviderReference>simulator</{prefix}:DataProviderReference>"
        f"{content.format(prefix)}</{prefix}:EmergencyCallData.{kind}>\r\n"
    )
    return Part(f"application/EmergencyCallData.{kind}+xml", document.encode())


def alert(sender: str, location: Location, headline: str = "Smoke in the boiler room") -> Part:
    """Write a CAP 1.2 alert, as a detector sends it (clause 6.1.2.2, RFC 8876)."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    place = f"{location.latitude:.6f},{location.longitude:.6f} {location.radius / 1000:g}"
    document = (
        f'{_HEAD}<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">'
        f"<identifier>S-1</identifier><sender>{escape(sender)}</sender><sent>{now}</sent>"
        "<status>Actual</status><msgType>Alert</msgType><scope>Private</scope>"
        "<addresses>sip:112@example.org</addresses>"
        "<info><category>Fire</category><event>Smoke</event><urgency>Immediate</urgency>"
        "<severity>Severe</severity><certainty>Observed</certainty>"
        f"<headline>{escape(headline)}</headline><instruction>Use stairway 2.</instruction>"
        f"<area><areaDesc>Boiler room</areaDesc><circle>{place}</circle></area>"
        "</info></alert>\r\n"
    )
    return Part(CAP, document.encode())


def readings(element: str) -> Part:
    """Write what a sensor has measured as SenML (RFC 8428)."""
    measured = [
        {"bn": f"urn:dev:{element}:", "n": "temperature", "u": "Cel", "v": 81.5},
        {"n": "smoke", "vb": True},
    ]
    return Part(SENSOR, json.dumps(measured).encode())
