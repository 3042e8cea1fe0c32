"""The messages that we send to an app (TS 103 698 clauses 6.1.2.7 and 6.2.3, RFC 3428)."""

from __future__ import annotations

from collections.abc import Iterable

from sipgateway.protocol import dec112
from sipgateway.protocol.errors import LocalProtocolError
from sipgateway.protocol.priority import ORDINARY

_PREFIX = "urn:emergency:service:uid"
USER_AGENT = "Leitstand"


def call_info(call_id: str, *, msg_id: int | None, msg_type: int) -> list[tuple[str, str]]:
    """The Call-Info header fields of a message of ours.

    The call identifier goes back verbatim, the element identifier is its own. Apps match
    `purpose=` unquoted, and a heartbeat has no message identifier. A call of DEC112's dialect is
    answered in that dialect.
    """
    if dec112.is_dec112(call_id):
        return dec112.call_info(call_id, msg_id=msg_id, msg_type=msg_type)
    pieces = call_id.split(":")
    at = next((n for n, piece in enumerate(pieces) if piece.lower() == "callid"), None)
    element = ":".join(pieces[at + 2 :]) if at is not None else ""
    tail = f":{element}" if element else ""
    lines: list[tuple[str, str]] = []
    if call_id:
        lines.append(("Call-Info", f"<{call_id}>;purpose=EmergencyCallData.CallId"))
    if msg_id is not None:
        urn = f"{_PREFIX}:msgid:{msg_id}{tail}"
        lines.append(("Call-Info", f"<{urn}>;purpose=EmergencyCallData.MsgId"))
    urn = f"{_PREFIX}:msgtype:{int(msg_type)}{tail}"
    lines.append(("Call-Info", f"<{urn}>;purpose=EmergencyCallData.MsgType"))
    return lines


def new_message(
    *,
    uri: str,
    from_uri: str,
    from_tag: str,
    reply_to: str,
    call_id: str,
    cseq: int,
    branch: str,
    via_transport: str,
    via_host: str,
    via_port: int,
    call_info: Iterable[tuple[str, str]],
    text: str | None,
    priority: str = ORDINARY,
    headers: Iterable[tuple[str, str]] = (),
    via_parameters: str = "",
) -> bytes:
    """A MESSAGE request as bytes; equal arguments give equal bytes.

    `call_id` is the SIP Call-ID. `text` None sends no body. Reply-To is written as a bare URI
    where it can be: some apps take the header's value as it is. There is no Contact
    (RFC 3428 4) and no P-Asserted-Identity (apps would answer past Reply-To).
    """
    host = f"[{via_host}]" if ":" in via_host and not via_host.startswith("[") else via_host
    reply = f"<{reply_to}>" if any(char in reply_to for char in ";,?") else reply_to
    via = f"SIP/2.0/{via_transport.upper()} {host}:{via_port};branch={branch};rport{via_parameters}"
    fields: list[tuple[str, str]] = [
        ("Via", via),
        ("Max-Forwards", "70"),
        ("From", f"<{from_uri}>;tag={from_tag}"),
        ("To", f"<{uri}>"),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} MESSAGE"),
        ("Reply-To", reply),
        *call_info,
        ("Resource-Priority", priority),
        ("User-Agent", USER_AGENT),
        *headers,
    ]
    body = b""
    if text is not None:
        body = text.encode("utf-8", "replace")
        fields.append(("Content-Type", "text/plain;charset=utf-8"))
    fields.append(("Content-Length", str(len(body))))
    for name, value in fields:
        if "\r" in value or "\n" in value or "\0" in value:
            raise LocalProtocolError(f"{name} must be one line")
    if any(char in uri for char in "\r\n <>"):
        raise LocalProtocolError("not a URI")
    head = "".join([f"{name}: {value}\r\n" for name, value in fields])
    return f"MESSAGE {uri} SIP/2.0\r\n{head}\r\n".encode("utf-8", "replace") + body
