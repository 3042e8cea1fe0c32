"""A queued message of ours and its bytes on the wire."""

from dataclasses import dataclass

from sipgateway.protocol.lmpe import call_info, new_message
from sipgateway.protocol.priority import ORDINARY


@dataclass(frozen=True, slots=True)
class Letter:
    """One claimed row of the outbox, with what of its chat the sending needs."""

    message_id: int
    chat_id: int
    msg_type: int
    msg_id: int | None
    text: str | None
    sip_call_id: str
    cseq: int
    branch: str
    attempts: int
    call_id: str
    local_tag: str
    remote_uri: str
    transport: str
    peer: str
    session: str
    liveness: str
    redirected_to: str = ""
    authorization: str = ""
    trunk: str = ""
    reply_to: str = ""
    priority: str = ORDINARY
    stale: bool = False  # of a transfer whose time is over: not to be sent any more

    @property
    def request_uri(self) -> str:
        """Where the request goes: the caller, or where a 3xx sent us."""
        return self.redirected_to or self.remote_uri


@dataclass(frozen=True, slots=True)
class ViaAddress:
    """What our Via says: transport in capitals, where answers find us, and what we offer."""

    transport: str
    host: str
    port: int
    parameters: str = ""


def compose(letter: Letter, *, public_uri: str, via: ViaAddress) -> bytes:
    """Write the MESSAGE; the same letter on the same way gives the same bytes.

    Reply-To is our public URI (in a redirect the target's) as a bare addr-spec: known apps use the
    value as it stands. A stand-alone message is answered without Call-Info, as page mode has none.
    """
    return new_message(
        uri=letter.request_uri,
        from_uri=public_uri,
        from_tag=letter.local_tag,
        reply_to=letter.reply_to or public_uri,
        call_id=letter.sip_call_id,
        cseq=letter.cseq,
        branch=letter.branch,
        via_transport=via.transport,
        via_host=via.host,
        via_port=via.port,
        via_parameters=via.parameters,
        call_info=(
            call_info(letter.call_id, msg_id=letter.msg_id, msg_type=letter.msg_type)
            if letter.call_id
            else []
        ),
        text=letter.text,
        priority=letter.priority,
        headers=[_header(letter.authorization)] if letter.authorization else [],
    )


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value
