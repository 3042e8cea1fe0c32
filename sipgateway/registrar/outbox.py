"""The gateway's requests, sent through the account that the chat came by.

pjsua2 writes From, Call-ID, CSeq and Via itself. So what is sent again after a crash is another
request here, not the same bytes; the app tells it by its MsgId. Reply-To is the account's address,
as nothing else reaches us through the NAT that made this way necessary.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chats.services.identifiers import new_tag
from sipgateway.protocol.digest import ChallengeError, answer_challenge
from sipgateway.protocol.errors import RemoteProtocolError
from sipgateway.protocol.message import Request, Response, make_response, parse_message
from sipgateway.registrar.accounts import Account
from sipgateway.registrar.link import Respond

logger = logging.getLogger(__name__)

PJSUA2_WRITES = frozenset(
    {"via", "from", "to", "call-id", "cseq", "max-forwards", "content-type", "content-length"}
)
CHALLENGES = (401, 407)
TIMED_OUT = 408
CANNOT_SEND = 503
TOO_LONG = 413  # no use in sending it again, which a 5xx would ask for
TOO_LONG_REASON = "PJSIP_EMSGTOOLONG"
# What the gateway acts on in an answer (sipgateway/followups.py).
PASSED_ON = ("Contact", "Retry-After")

Done = Callable[[int, str, bytes], None]
Send = Callable[[Account, str, list[tuple[str, str]], str, str, Done], None]


@dataclass(slots=True)
class Errand:
    """One request of the gateway's and the way back for its answer."""

    account: Account
    request: Request
    respond: Respond
    authorization: tuple[str, str] | None = None


class Outbox:
    """Sends what the gateway asks for; one challenge is answered with the account's password."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def take(self, account: Account | None, request: Request, respond: Respond) -> None:
        """Send a request through an account; None when there is none that could."""
        if account is None:
            respond(_response(request, CANNOT_SEND, "no account is registered", None))
            return
        self._start(Errand(account, request, respond))

    def _start(self, errand: Errand) -> None:
        request = errand.request
        headers = list(_headers(request, errand.account.address_of_record))
        if errand.authorization:
            headers.append(errand.authorization)
        self._send(
            errand.account,
            request.uri,
            headers,
            request.headers.get("content-type") or "",
            request.body.decode("utf-8", "replace"),
            lambda status, reason, raw: self._answered(errand, status, reason, raw),
        )

    def _answered(self, errand: Errand, status: int, reason: str, raw: bytes) -> None:
        response = _parsed(raw)
        if response is not None and status in CHALLENGES and errand.authorization is None:
            errand.authorization = _proof(errand, status, response)
            if errand.authorization is not None:
                self._start(errand)
                return
        if TOO_LONG_REASON in reason:
            status, reason = TOO_LONG, "pjsua2 sends no message of this length"
        errand.respond(_response(errand.request, status or TIMED_OUT, reason, response))


def _headers(request: Request, address_of_record: str) -> Iterator[tuple[str, str]]:
    for name, value in request.headers:
        key = name.lower()
        if key == "reply-to":
            yield name, address_of_record
        elif key not in PJSUA2_WRITES:
            yield name, value


def _proof(errand: Errand, status: int, response: Response) -> tuple[str, str] | None:
    account = errand.account
    if not account.username:
        return None
    try:
        return answer_challenge(
            status,
            response.headers,
            method="MESSAGE",
            uri=errand.request.uri,
            username=account.username,
            password=account.password,
            cnonce=new_tag(),
        )
    except ChallengeError as error:
        logger.warning("challenge to account %s: %s", account.name, error)
        return None


def _parsed(raw: bytes) -> Response | None:
    try:
        message = parse_message(raw)
    except RemoteProtocolError:
        return None
    return message if isinstance(message, Response) else None


def _response(request: Request, status: int, reason: str, answer: Response | None) -> bytes:
    """Write the answer as one to the gateway's own request, which it finds by the branch."""
    headers = [
        (name, value)
        for name in PASSED_ON
        for value in (answer.headers.get_all(name) if answer else [])
    ]
    shown = reason if reason.isprintable() else None
    return make_response(request, status, shown or None, headers=headers).encode()
