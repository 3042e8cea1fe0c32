"""What pjsua2 says in its log about packets that it could not take: nothing else tells of them.

pjsip 2.15 is built for packets of 4,000 bytes. A longer one on a connection overflows its buffer
and is thrown away; what does not parse is thrown away as well, such as a `urn:` Request-URI. The
sender hears nothing. The log line holds the first bytes, so that the message is not lost
altogether.
"""

import re
from dataclasses import dataclass

# A log line of pjsip holds 4,000 bytes, the packet's first bytes among them.
_OVERFLOW = re.compile(
    r"Error processing packet from (\S+): Rx buffer overflow[^\n]*\n(MESSAGE .*)", re.DOTALL
)
_DROPPING = re.compile(r"Dropping \d+ bytes packet from (\w+) (\S+) ")
_DROPPED = re.compile(r"Dropped packet:(MESSAGE .*)", re.DOTALL)
DROPPED_LEVEL = 4


@dataclass(frozen=True, slots=True)
class DroppedPacket:
    """A MESSAGE that pjsip threw away: where it came from and the bytes that are left of it."""

    transport: str  # "udp", "tcp" or "tls"
    peer: str
    raw: bytes
    too_long: bool


def to_bytes(text: str) -> bytes:
    """Give back the bytes that pjsua2 handed over as a string."""
    return text.encode("utf-8", "surrogateescape")


def to_words(text: str) -> str:
    """Make a foreign reason phrase fit for rows and logs."""
    return to_bytes(text).decode("utf-8", "replace").replace("\0", "")


class PacketLog:
    """Reads log lines in their order; those about packets come singly or in pairs."""

    def __init__(self) -> None:
        self._dropping: tuple[str, str] | None = None

    def read(self, line: str) -> DroppedPacket | None:
        """Take a line; returns the MESSAGE that it is about, if it is."""
        if line.startswith("Error processing packet"):
            match = _OVERFLOW.match(line)
            # Only a stream overflows; what follows in it overflows again and is no message.
            return DroppedPacket("tcp", match[1], to_bytes(match[2]), True) if match else None
        if line.startswith("Dropping"):
            match = _DROPPING.match(line)
            self._dropping = (match[1].lower(), match[2]) if match else None
        elif line.startswith("Dropped packet:"):
            match, dropping = _DROPPED.match(line), self._dropping
            self._dropping = None
            if match and dropping:
                return DroppedPacket(*dropping, to_bytes(match[1]), False)
        return None
