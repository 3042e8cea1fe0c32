"""Messages to test with: the captures of a real client, and small ones made to measure."""

from pathlib import Path

from sipgateway.protocol.message import Request, Response, parse_message

CAPTURES = Path(__file__).parent.parent / "data" / "captures"

START = "ng112js-start-257.sip"
IN_CHAT = "ng112js-in-chat-259.sip"
HEARTBEAT_LOCATED = "ng112js-heartbeat-260-with-location.sip"
HEARTBEAT_EMPTY = "ng112js-heartbeat-260-empty-multipart.sip"
STOP = "ng112js-stop-258.sip"
ALL_CAPTURES = (START, IN_CHAT, HEARTBEAT_LOCATED, HEARTBEAT_EMPTY, STOP)

BASICS = {
    "Via": "SIP/2.0/UDP app.example.org:5060;branch=z9hG4bKabc123",
    "From": '"Erika" <sip:erika@example.org>;tag=f1',
    "To": "<sip:112@example.org>",
    "Call-ID": "c1@app.example.org",
    "CSeq": "1 MESSAGE",
}


def capture(name: str) -> bytes:
    """One captured message, byte for byte."""
    return (CAPTURES / name).read_bytes()


def raw_message(
    body: bytes = b"",
    *,
    start: str = "MESSAGE sip:112@example.org SIP/2.0",
    length: str | None = "right",
    without: str = "",
    extra: bytes = b"",
    **changed: str,
) -> bytes:
    """A MESSAGE with the header fields of BASICS, `changed` ones by lower-case name with "_"."""
    fields = dict(BASICS)
    for name in list(fields):
        if name == without:
            del fields[name]
        elif (key := name.lower().replace("-", "_")) in changed:
            fields[name] = changed.pop(key)
    fields.update({name.replace("_", "-").title(): value for name, value in changed.items()})
    if length is not None:
        fields["Content-Length"] = str(len(body)) if length == "right" else length
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{start}\r\n{head}".encode() + extra + b"\r\n" + body


def request(data: bytes) -> Request:
    """The request in these bytes."""
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def response(status: int = 200, *, branch: str = "z9hG4bKout", cseq: str = "1 MESSAGE") -> Response:
    """A response as an app would send it."""
    data = (
        f"SIP/2.0 {status} Whatever\r\nVia: SIP/2.0/UDP psap.example.org;branch={branch}\r\n"
        f"From: <sip:psap@example.org>;tag=p\r\nTo: <sip:erika@example.org>;tag=e\r\n"
        f"Call-ID: out1\r\nCSeq: {cseq}\r\nContent-Length: 0\r\n\r\n"
    )
    message = parse_message(data.encode())
    assert isinstance(message, Response)
    return message
