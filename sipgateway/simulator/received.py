"""What an app has got of its PSAP, and how often."""

from dataclasses import dataclass, field

from sipgateway.simulator import lmpe
from sipgateway.simulator.message import SipMessage


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the PSAP; `at` is the event loop's time in seconds."""

    at: float
    call_id: str | None
    msg_id: int | None
    msg_type: int | None
    text: str
    reply_to: str
    message: SipMessage = field(repr=False)


@dataclass(slots=True)
class AppCounters:
    """Texts and heartbeats with a 2xx, and the latencies in seconds."""

    texts_sent: int = 0
    texts_received: int = 0
    heartbeats_sent: int = 0
    heartbeats_received: int = 0
    answer_latencies: list[float] = field(default_factory=list)
    greeting_latency: float | None = None
    transfer_gaps: list[float] = field(default_factory=list)  # from 266 to 265


def read_received(message: SipMessage, now: float) -> Received:
    """Read a message of the PSAP; the text of what is no plain text is empty."""
    ids = lmpe.identify(message)
    plain = message.header("content-type").lower().startswith("text/plain")
    text = message.body.decode(errors="replace") if plain else ""
    reply_to = message.header("reply-to")
    return Received(now, ids.call_id, ids.msg_id, ids.msg_type, text, reply_to, message)
