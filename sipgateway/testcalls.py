"""Test calls (clause 6.1.2.10): which are taken, and what they are answered with."""

from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from chats.services.incoming import IncomingMessage
from sipgateway.arrivals import Arrival
from sipgateway.configuration import Configuration
from sipgateway.database import Connection
from sipgateway.protocol.lmpe import MessageType, called_service, is_test
from sipgateway.protocol.location_words import Located, location_in_words

STARTS = (MessageType.START, MessageType.START_REDIRECT)
MINUTE = 60.0
# Sources are remembered for the interval alone, and no more of them than this.
SOURCES_REMEMBERED = 10_000
NO_LOCATION = "No location came with the test."
NOT_FETCHED = "The location could not be fetched."

_RECENT = """
SELECT CASE WHEN c.asserted_uri = '' THEN c.caller_uri ELSE 'asserted ' || c.asserted_uri END,
  j.request_key, j.received_at
FROM chats_chat c
JOIN chats_message m ON m.chat_id = c.id JOIN chats_journal j ON j.id = m.journal_id
WHERE c.test AND c.opened_at > %(since)s AND (m.type = ANY(%(starts)s) OR c.standalone)
ORDER BY j.received_at
"""


class TakenTests:
    """Remembers who tested when; decides over the next one before it costs a row."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._minute: deque[float] = deque()

    async def load(self, connection: Connection, configuration: Configuration) -> None:
        """Read which tests still count, oldest first: a restart forgets none."""
        now = datetime.now(UTC)
        since = now - timedelta(seconds=max(configuration.test_interval, MINUTE))
        wanted = {"since": since, "starts": [int(start) for start in STARTS]}
        cursor = await connection.execute(_RECENT, wanted)
        for source, key, at in await cursor.fetchall():
            age = (now - at).total_seconds()
            self._note(source, bytes(key), self._clock() - max(age, 0.0))

    def refuses(self, arrival: Arrival, configuration: Configuration) -> str:
        """Say why a test call is not taken, "" for one that is and for all that is no test.

        Only what starts one is looked at. Repeating the same request is no second test.
        """
        identifiers = arrival.identifiers
        if identifiers.msg_type not in STARTS and identifiers.call_id:
            return ""
        request = arrival.request
        service = called_service(request.uri, request.headers, configuration.numbers)
        if not is_test(service, request.headers):
            return ""
        if not configuration.test_calls:
            return "tests are switched off"
        now = self._clock()
        source = _source_of(arrival)
        at, key = self._last.get(source, (float("-inf"), b""))
        if key == arrival.key:
            return ""
        if now - at < configuration.test_interval:
            return "this source has just tested"
        while self._minute and self._minute[0] <= now - MINUTE:
            self._minute.popleft()
        if len(self._minute) >= configuration.test_limit:
            return "too many tests"
        self._note(source, arrival.key, now)
        return ""

    def _note(self, source: str, key: bytes, at: float) -> None:
        self._minute.append(at)
        self._last[source] = (at, key)
        self._last.move_to_end(source)
        if len(self._last) > SOURCES_REMEMBERED:
            self._last.popitem(last=False)


def _source_of(arrival: Arrival) -> str:
    """Who tests: a From that anybody can write must not use up the test of an asserted caller."""
    asserted = arrival.caller.asserted_uri
    return f"asserted {asserted}" if asserted else arrival.caller.uri


def answer_to_test(message: IncomingMessage, psap_name: str) -> str | None:
    """Write the answer to a test; None while its location has to be fetched first."""
    if not message.fixes and any(found.kind == "location" for found in message.references):
        return None
    return answer_text(psap_name, message.service, message.fixes, missing=NO_LOCATION)


def answer_text(
    psap_name: str, service: str, fixes: Sequence[Located], *, missing: str = NOT_FETCHED
) -> str:
    """Three lines: the PSAP, the service that was called, the location in words.

    CR and LF end the first two, and stand nowhere else.
    """
    where = location_in_words(fixes[-1]) if fixes else missing
    return "\r\n".join(" ".join(line.split()) for line in (psap_name, service, where))
