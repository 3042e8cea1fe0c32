"""What a 3xx, 401 or 407 to a message of ours asks for: the same text in another request, once."""

import logging
from dataclasses import dataclass

from chats.services.identifiers import new_tag
from sipgateway.outbound import Letter
from sipgateway.protocol.addresses import parse_address
from sipgateway.protocol.digest import ChallengeError, answer_challenge
from sipgateway.protocol.message import Response

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The trunk's name and password for digest challenges; empty when it has none."""

    username: str
    password: str


NO_CREDENTIALS = Credentials("", "")


@dataclass(frozen=True, slots=True)
class Again:
    """How the next request differs: another target, or a header line that answers a challenge."""

    redirect_to: str = ""
    authorization: str = ""


def follow(
    letter: Letter, status: int, response: Response, credentials: Credentials
) -> Again | None:
    """Read what the answer asks for; None when it asks nothing or has been followed before."""
    if 300 <= status < 400 and not letter.redirected_to:
        contacts = response.headers.split("contact")
        uri = parse_address(contacts[0]).uri if contacts else ""
        return Again(redirect_to=uri) if uri.lower().startswith("sip:") else None
    if status in (401, 407) and not letter.authorization and credentials.username:
        try:
            name, value = answer_challenge(
                status,
                response.headers,
                method="MESSAGE",
                uri=letter.request_uri,
                username=credentials.username,
                password=credentials.password,
                cnonce=new_tag(),
            )
        except ChallengeError as error:
            logger.warning("challenge of %s: %s", letter.peer, error)
            return None
        return Again(authorization=f"{name}: {value}")
    return None
