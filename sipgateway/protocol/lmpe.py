"""LMPE over SIP (TS 103 698 clauses 6.1.2 and 6.2): everything a gateway needs, in one place."""

from sipgateway.protocol.caller import (
    DEFAULT_SERVICE,
    Caller,
    called_service,
    identify_caller,
    request_key,
)
from sipgateway.protocol.identifiers import MAX_MSG_ID, Identifiers, MessageType, identify
from sipgateway.protocol.outgoing import call_info, new_message
from sipgateway.protocol.service import is_test, is_test_service
from sipgateway.protocol.signalling import Signalling, read_signalling

__all__ = [
    "DEFAULT_SERVICE",
    "MAX_MSG_ID",
    "Caller",
    "Identifiers",
    "MessageType",
    "Signalling",
    "call_info",
    "called_service",
    "identify",
    "identify_caller",
    "is_test",
    "is_test_service",
    "new_message",
    "read_signalling",
    "request_key",
]
