"""Timer values of SIP transactions, in seconds (RFC 3261 17 and table 4)."""

T1 = 0.5
"""Estimate of the round trip."""
T2 = 4.0
"""Longest interval between retransmissions of a non-INVITE request."""
T4 = 5.0
"""How long a message stays in the network."""
TIMER_F = 64 * T1
"""How long a client transaction waits for a final response."""
TIMER_J = 64 * T1
"""How long a server transaction answers retransmissions over UDP."""
