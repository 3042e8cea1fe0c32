"""LMPE identifiers in Call-Info (ETSI TS 103 698 clause 6.1.2.7), read as ng112-js reads them."""

import re
import secrets
import string
from dataclasses import dataclass

from sipgateway.simulator.message import SipMessage, parameter

START, STOP, IN_CHAT, HEARTBEAT, HEARTBEAT_INACTIVE = 257, 258, 259, 260, 388
START_TRANSFER, STOP_TRANSFER, START_REDIRECT, STOP_REDIRECT = 265, 266, 273, 274
STARTS = frozenset({START, START_TRANSFER})
HEARTBEATS = frozenset({HEARTBEAT, HEARTBEAT_INACTIVE})
ENDINGS = frozenset({STOP, STOP_TRANSFER, STOP_REDIRECT})
# These repeat "the last sequence number used" (clauses 6.2.6 and 6.2.7).
REPEATS_MSG_ID = frozenset({STOP_TRANSFER, STOP_REDIRECT})
FROM_PSAP = frozenset(
    {START, STOP, IN_CHAT, HEARTBEAT, START_TRANSFER, STOP_TRANSFER, STOP_REDIRECT}
)
# The text of the clause and its example disagree: a PSAP has to echo either.
CALL_ID_PREFIXES = ("urn:emergency:uid:callid:", "urn:emergency:service:uid:callid:")
PURPOSES = {"callid": "CallId", "msgid": "MsgId", "msgtype": "MsgType"}
_URN = re.compile(r"urn:emergency:(?:service:)?uid:(callid|msgid|msgtype):([^:>]+):([^>]+)")
_UNIQUE = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Identifiers:
    """What Call-Info said; None where it said nothing usable."""

    call_id: str | None
    msg_id: int | None
    msg_type: int | None
    quoted: bool


def new_call_id(element: str, prefix: str = CALL_ID_PREFIXES[0]) -> str:
    """Draw a Call Identifier with a unique part of 30 characters, the most that is allowed."""
    return f"{prefix}{''.join(secrets.choice(_UNIQUE) for _ in range(30))}:{element}"


def call_info(
    call_id: str, msg_id: int | None, msg_type: int, element: str
) -> list[tuple[str, str]]:
    """Write the Call-Info lines of one message, with a blank before `purpose` as ng112-js does."""
    uids = [(call_id, "CallId")]
    if msg_id is not None:
        uids.append((f"urn:emergency:service:uid:msgid:{msg_id}:{element}", "MsgId"))
    uids.append((f"urn:emergency:service:uid:msgtype:{msg_type}:{element}", "MsgType"))
    return [("Call-Info", f"<{uid}>; purpose=EmergencyCallData.{purpose}") for uid, purpose in uids]


def identify(message: SipMessage) -> Identifiers:
    """Read the identifiers; a quoted purpose is read too, and reported."""
    values: dict[str, tuple[str, str]] = {}
    quoted = False
    for item in message.values("call-info"):
        urn, _, _ = item.removeprefix("<").partition(">")
        found = _URN.fullmatch(urn)
        if not found:
            continue
        tail = item.rpartition(">")[2]
        quoted = quoted or bool(re.search(r'purpose\s*=\s*"', tail))
        if parameter(item, "purpose") == f"EmergencyCallData.{PURPOSES[found[1]]}":
            values.setdefault(found[1], (urn, found[2]))
    return Identifiers(
        call_id=values["callid"][0] if "callid" in values else None,
        msg_id=_number(values.get("msgid")),
        msg_type=_number(values.get("msgtype")),
        quoted=quoted,
    )


def _number(value: tuple[str, str] | None) -> int | None:
    if value is None or not value[1].isascii() or not value[1].isdigit() or len(value[1]) > 19:
        return None
    return int(value[1])
