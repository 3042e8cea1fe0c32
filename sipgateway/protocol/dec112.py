"""DEC112's own dialect of LMPE, older than TS 103 698 and still in the field.

The identifiers are `urn:dec112:uid:…` with `purpose=dec112-…`, the message type is a set of bits,
test and silent calls have header fields of their own. There is no heartbeat type (a message
without text is one) and neither transfer nor redirect. Understood on input, answered in kind.
"""

from __future__ import annotations

from sipgateway.protocol.headers import Headers

URN_PREFIX = "urn:dec112:"
TEST, SILENT = "x-dec112-test", "x-dec112-silent"
"""Header fields of their own: a test call, and a caller who must not be heard or rung."""

_START, _IN_CHAT, _STOP = 1, 2, 3
_KIND_BITS = 3
_HAS_LOCATION, _HAS_DATA, _HAS_TEXT = 4, 8, 16
_BESIDE_TEXT = _HAS_LOCATION | _HAS_DATA
_ALL_BITS = 63  # 32 marks a roaming call


def message_type(bits: int) -> int | None:
    """The LMPE message type (Annex A.5) behind a type of the dialect; None for what is none."""
    if not 0 < bits <= _ALL_BITS:
        return None
    kind = bits & _KIND_BITS
    if kind == _START:
        return 257
    if kind == _STOP:
        return 258
    if kind == _IN_CHAT:
        return 260 if bits & _BESIDE_TEXT and not bits & _HAS_TEXT else 259
    return None


def type_bits(msg_type: int) -> int:
    """The dialect's type for a message of ours; all but heartbeats have a text."""
    known = {257: _START | _HAS_TEXT, 258: _STOP | _HAS_TEXT, 259: _IN_CHAT | _HAS_TEXT}
    return known.get(msg_type, _IN_CHAT)


def is_dec112(call_id: str) -> bool:
    """Whether a call identifier is one of the dialect."""
    return call_id[: len(URN_PREFIX)].lower() == URN_PREFIX


def call_info(call_id: str, *, msg_id: int | None, msg_type: int) -> list[tuple[str, str]]:
    """The Call-Info header fields of a message of ours in the dialect."""
    tail = call_id.partition(":callid:")[2].partition(":")[2]
    suffix = f":{tail}" if tail else ""
    lines = [("Call-Info", f"<{call_id}>; purpose=dec112-CallId")]
    if msg_id is not None:
        lines.append(
            ("Call-Info", f"<urn:dec112:uid:msgid:{msg_id}{suffix}>; purpose=dec112-MsgId")
        )
    bits = type_bits(msg_type)
    lines.append(("Call-Info", f"<urn:dec112:uid:msgtype:{bits}{suffix}>; purpose=dec112-MsgType"))
    return lines


def asks_for_test(headers: Headers) -> bool:
    """Whether a message says that it is a test call."""
    return is_true(headers.joined(TEST))


def is_true(value: str) -> bool:
    """Whether the value of such a header field says yes."""
    return value.strip().lower() == "true"
