"""What an app may expect of its PSAP (TS 103 698 clause 6.2, RFC 3261 8, RFC 3428), each named."""

import re
from dataclasses import dataclass
from enum import StrEnum

from sipgateway.simulator import lmpe
from sipgateway.simulator.message import SipMessage, parameter

# At least every 20 s (clause 6.2.5), and what a busy machine may be late.
LONGEST_HEARTBEAT_GAP = 20.0 + 1.0
BUSY = 486
_ADDR_SPEC = re.compile(r"(sips?|urn):[^\s<>]+", re.IGNORECASE)


class Name(StrEnum):
    """Names of the failures, stable for reports and tests."""

    CONNECTION_REFUSED = "connection-refused"
    REQUEST_UNANSWERED = "request-unanswered"
    REQUEST_REFUSED = "request-refused"
    RESPONSE_MALFORMED = "response-malformed"
    MESSAGE_MALFORMED = "message-malformed"
    GREETING_MISSING = "greeting-missing"
    FIRST_NOT_START = "first-not-257"
    REPLY_TO_MISSING = "reply-to-missing"
    REPLY_TO_NAME_ADDR = "reply-to-name-addr"
    CALL_ID_MISSING = "call-id-missing"
    CALL_ID_CHANGED = "call-id-changed"
    MSG_ID_MISSING = "msg-id-missing"
    MSG_ID_ORDER = "msg-id-order"
    MSG_TYPE_INVALID = "message-type-invalid"
    IDENTITY_ASSERTED = "p-asserted-identity-present"
    PURPOSE_QUOTED = "purpose-quoted"
    TEXT_UNREADABLE = "text-unreadable"
    HEARTBEAT_LATE = "heartbeat-late"
    SENT_AFTER_REDIRECT = "sent-after-redirect"
    REDIRECT_UNFINISHED = "redirect-unfinished"
    SENT_AFTER_TRANSFER = "sent-after-transfer"
    START_REFUSED = "start-refused"
    TRANSFER_UNFINISHED = "transfer-unfinished"
    TEST_UNANSWERED = "test-unanswered"
    TEST_ANSWER_INCOMPLETE = "test-answer-incomplete"
    BOT_ANSWERED = "bot-answered"
    SIMULATOR_ERROR = "simulator-error"


@dataclass(frozen=True, slots=True)
class Failure:
    """One thing the PSAP did wrong towards one caller."""

    name: Name
    detail: str


class Conversation:
    """Watches one chat from the app's side: takes messages and `now`, returns what is wrong.

    `opening` is the type that the PSAP's first message must have: a test call is closed at once
    (clause 6.1.2.10). `continues` lets the MsgIds begin anywhere, as those of a PSAP do that has
    taken over or taken back a redirected chat.
    """

    def __init__(self, call_id: str, *, opening: int = lmpe.START, continues: bool = False) -> None:
        self._call_id = call_id
        self._opening = opening
        self._greeted = False
        self._stalled = self._handed_over = False
        self._last_msg_id: int | None = None if continues else 0
        self._last_heartbeat: float | None = None

    def response_received(self, response: SipMessage) -> list[Failure]:
        """Check the final response to one of our requests."""
        if response.status == BUSY and self._opening == lmpe.STOP:
            return []  # a test may be refused (clause 6.1.2.10)
        if not 200 <= response.status < 300:
            detail = f"{response.status} {response.reason}"
            return [Failure(Name.REQUEST_REFUSED, detail)]
        wrong = []
        if not parameter(response.header("to"), "tag"):
            wrong.append("no To tag (RFC 3261 8.2.6.2)")
        if response.has("contact"):
            wrong.append("Contact (RFC 3428 7)")
        if response.body:
            wrong.append("a body (RFC 3428 7)")
        return [Failure(Name.RESPONSE_MALFORMED, detail) for detail in wrong]

    def message_received(self, message: SipMessage, now: float) -> list[Failure]:
        """Check a message of the PSAP that is no retransmission."""
        ids = lmpe.identify(message)
        failures = [*_malformed(message), *self._identifiers(ids), *self._order(ids)]
        if message.has("p-asserted-identity"):
            failures.append(Failure(Name.IDENTITY_ASSERTED, message.header("p-asserted-identity")))
        failures += _reply_to(message)
        if not self._greeted:
            self._greeted = True
            self._last_heartbeat = now
            if ids.msg_type != self._opening:
                detail = f"the first message is of type {ids.msg_type}"
                failures.append(Failure(Name.FIRST_NOT_START, detail))
        if ids.msg_type in lmpe.HEARTBEATS:
            failures += self.silence_checked(now)
            self._last_heartbeat = now
        elif ids.msg_type == lmpe.STOP_TRANSFER:  # from here on nobody beats (clause 6.2.6)
            self._stalled = self._handed_over = True
            self._last_heartbeat = None
        elif self._stalled and ids.msg_type in lmpe.STARTS:
            self._stalled, self._last_heartbeat = False, now
        return failures

    def silence_checked(self, now: float) -> list[Failure]:
        """Check that the last heartbeat (or the greeting) is recent, while the chat lives."""
        if self._last_heartbeat is None or now - self._last_heartbeat <= LONGEST_HEARTBEAT_GAP:
            return []
        return [Failure(Name.HEARTBEAT_LATE, f"{now - self._last_heartbeat:.1f} s without one")]

    def _identifiers(self, ids: lmpe.Identifiers) -> list[Failure]:
        failures = []
        if ids.quoted:
            failures.append(Failure(Name.PURPOSE_QUOTED, 'purpose="…" is not matched by ng112-js'))
        if ids.call_id is None:
            failures.append(Failure(Name.CALL_ID_MISSING, "no call identifier in Call-Info"))
        elif ids.call_id != self._call_id:
            failures.append(Failure(Name.CALL_ID_CHANGED, ids.call_id))
        if ids.msg_type not in lmpe.FROM_PSAP:
            failures.append(Failure(Name.MSG_TYPE_INVALID, f"message type {ids.msg_type}"))
        return failures

    def _order(self, ids: lmpe.Identifiers) -> list[Failure]:
        if ids.msg_id is None:
            if ids.msg_type in lmpe.HEARTBEATS:
                return []
            return [Failure(Name.MSG_ID_MISSING, f"message type {ids.msg_type} without MsgId")]
        last, self._last_msg_id = self._last_msg_id, ids.msg_id
        if last is None:
            return []
        if ids.msg_type == lmpe.STOP_TRANSFER and self._handed_over and ids.msg_id > last:
            return []  # the transferor takes the chat back: past what the transferee may have used
        expected = last + (ids.msg_type not in lmpe.REPEATS_MSG_ID)
        if ids.msg_id == expected:
            return []
        return [Failure(Name.MSG_ID_ORDER, f"MsgId {ids.msg_id} where {expected} is due")]


def _reply_to(message: SipMessage) -> list[Failure]:
    """The app takes the value raw as its next target: a name-addr breaks it."""
    value = message.header("reply-to")
    if not value:
        return [Failure(Name.REPLY_TO_MISSING, "no Reply-To")]
    if not _ADDR_SPEC.fullmatch(value):
        return [Failure(Name.REPLY_TO_NAME_ADDR, value)]
    return []


def _malformed(message: SipMessage) -> list[Failure]:
    wrong = [f"no {name}" for name in ("call-id", "max-forwards", "to") if not message.has(name)]
    if not message.branch.startswith("z9hG4bK"):
        wrong.append("no Via branch with the magic cookie (RFC 3261 8.1.1.7)")
    if not parameter(message.header("from"), "tag"):
        wrong.append("no From tag (RFC 3261 8.1.1.3)")
    if not re.fullmatch(r"\d{1,10}\s+MESSAGE", message.header("cseq")):
        wrong.append("no usable CSeq")
    if message.has("contact"):
        wrong.append("Contact (RFC 3428 4)")
    failures = [Failure(Name.MESSAGE_MALFORMED, detail) for detail in wrong]
    if message.body and not _readable(message):
        detail = f"Content-Type {message.header('content-type')!r}"
        failures.append(Failure(Name.TEXT_UNREADABLE, detail))
    return failures


def _readable(message: SipMessage) -> bool:
    content_type = message.header("content-type")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == "multipart/mixed":
        return True
    if media_type != "text/plain":
        return False
    if parameter(content_type, "charset").lower() not in ("", "utf-8"):
        return False
    try:
        message.body.decode()
    except UnicodeDecodeError:
        return False
    return True
