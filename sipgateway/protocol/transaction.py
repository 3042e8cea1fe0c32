"""Non-INVITE transactions (RFC 3261 17.1.2 and 17.2.2) for both sides."""

from sipgateway.protocol.client_transaction import (
    ClientState,
    ClientTransaction,
    ClientTransactions,
    Completed,
    Send,
    TimedOut,
)
from sipgateway.protocol.server_transaction import (
    Retransmission,
    ServerTransaction,
    ServerTransactions,
    transaction_key,
)
from sipgateway.protocol.timers import T1, T2, T4, TIMER_F, TIMER_J

__all__ = [
    "T1",
    "T2",
    "T4",
    "TIMER_F",
    "TIMER_J",
    "ClientState",
    "ClientTransaction",
    "ClientTransactions",
    "Completed",
    "Retransmission",
    "Send",
    "ServerTransaction",
    "ServerTransactions",
    "TimedOut",
    "transaction_key",
]
