"""A caller's LMPE messages as bytes, for tests that care about each of them."""

import secrets
from dataclasses import dataclass, field

from sipgateway.simulator import lmpe
from sipgateway.simulator.message import SipMessage
from tests.support.rawsip import make_message

ELEMENT = "app.example.org"


@dataclass(slots=True)
class Caller:
    """One chat of one caller; MsgIds rise by themselves unless a test sets them.

    The URI names no reachable host: answers must use the way that the messages came.
    """

    transport: str = "TCP"
    uri: str = "sip:anna@127.0.0.1:9"
    unique_part: str = field(default_factory=lambda: secrets.token_hex(12))
    msg_id: int = 0

    @property
    def call_id(self) -> str:
        return f"urn:emergency:uid:callid:{self.unique_part}:{ELEMENT}"

    def info(self, msg_type: int | str | None, msg_id: int | str | None) -> tuple[str, ...]:
        """Return Call-Info values; None leaves one out."""
        uid = "urn:emergency:service:uid"
        values = [f"<{self.call_id}>; purpose=EmergencyCallData.CallId"]
        if msg_id is not None:
            values.append(f"<{uid}:msgid:{msg_id}:{ELEMENT}>; purpose=EmergencyCallData.MsgId")
        if msg_type is not None:
            values.append(
                f"<{uid}:msgtype:{msg_type}:{ELEMENT}>; purpose=EmergencyCallData.MsgType"
            )
        return tuple(values)

    def message(self, msg_type: int, text: str | bytes = "", **parts: object) -> bytes:
        """Write the next message; `parts` are those of `make_message`."""
        self.msg_id += 1
        given: dict = {
            "call_info": self.info(msg_type, self.msg_id),
            "body": text.encode() if isinstance(text, str) else text,
            "from_uri": self.uri,
            "transport": self.transport,
            **parts,
        }
        return make_message(**given)

    def start(self, text: str | bytes = "Hilfe!", **parts: object) -> bytes:
        return self.message(lmpe.START, text, **parts)

    def say(self, text: str | bytes, **parts: object) -> bytes:
        return self.message(lmpe.IN_CHAT, text, **parts)

    def heartbeat(self, *, inactive: bool = False) -> bytes:
        kind = lmpe.HEARTBEAT_INACTIVE if inactive else lmpe.HEARTBEAT
        return self.message(kind, content_type="multipart/mixed; boundary=none")

    def stop(self, text: str = "Danke") -> bytes:
        return self.message(lmpe.STOP, text)


def kind_of(request: SipMessage) -> int | None:
    """Return the LMPE type of a message of the PSAP."""
    return lmpe.identify(request).msg_type


def texts_of(requests: list[SipMessage], msg_type: int = lmpe.IN_CHAT) -> list[str]:
    """Return the texts of the PSAP's messages of one type, in order of arrival."""
    return [request.body.decode() for request in requests if kind_of(request) == msg_type]
