"""Fetching one reference: a location from its server (HELD-2), or a block of additional data.

RFC 6753: a location URI is asked by POST with a HELD request, by GET where the server takes no
POST. RFC 7852 6: additional data is fetched by GET. Both under TLS alone, in one attempt of at
most `LONGEST_ATTEMPT` seconds; every outcome ends on the record.
"""

import logging
import time
from dataclasses import fields
from datetime import timedelta

from django.db import Error as DatabaseFailure
from django.utils import timezone

from chats.models import ReferenceKind
from chats.services.errors import ChatBusy
from chats.services.incoming import IncomingFix
from chats.services.references import (
    DueReference,
    postpone,
    record_data,
    record_failure,
    record_location,
    record_unlisted,
)
from psap.https.exchange import Answer, ExchangeFailed, Terms, exchange
from psap.https.urls import Target, UrlRefused, read_url
from sipgateway.errands.servers import STRANGER, Servers, find_server
from sipgateway.protocol import held
from sipgateway.protocol.additional import AdditionalDataError, parse_additional
from sipgateway.protocol.content_encoding import content_decoded
from sipgateway.protocol.pidflo import Fix

logger = logging.getLogger(__name__)

LONGEST_ATTEMPT = 10.0
LARGEST_LOCATION = 256 * 1024
LARGEST_DATA = 1024 * 1024
# A server that takes no POST says so in one of these ways.
NO_POST = frozenset((400, 404, 405, 406, 415, 501))
AGAIN_LATER = frozenset((408, 425, 429))
UNTYPED = frozenset(("", "application/xml", "text/xml", "application/octet-stream"))
BUSY_PAUSE = timedelta(seconds=2)


def fetch(due: DueReference, servers: Servers) -> None:
    """Fetch a claimed reference and put the outcome on the record; never raises for the server."""
    try:
        _fetch(due, servers)
    except ChatBusy:  # its row is held by something else: the answer is asked for again
        postpone(due=due, until=timezone.now() + BUSY_PAUSE, cause="the chat was busy")
    except DatabaseFailure:
        raise  # the lease runs out
    except Exception:  # must count as an attempt, or it is tried for ever
        logger.exception("reference %d cannot be fetched", due.id)
        _fail(due, ExchangeFailed("a fault of ours", again=True))


def _fetch(due: DueReference, servers: Servers) -> None:
    try:
        target = read_url(due.url)
    except UrlRefused as error:
        return _fail(due, ExchangeFailed(str(error), again=False))
    server = find_server(servers, target)
    if server is None and not due.allowed:
        record_unlisted(due=due, now=timezone.now())
        return None
    server = server or STRANGER
    largest = LARGEST_LOCATION if due.kind == ReferenceKind.LOCATION else LARGEST_DATA
    terms = Terms(
        server.test_trust if due.test else server.trust,
        server.reach,
        time.monotonic() + LONGEST_ATTEMPT,
        largest,
        content_decoded,
    )
    try:
        if due.kind == ReferenceKind.LOCATION:
            _locate(due, target, terms)
        else:
            _collect(due, target, terms)
    except ExchangeFailed as error:
        _fail(due, error)


def _fail(due: DueReference, error: ExchangeFailed) -> None:
    logger.info("reference %d to %s: %s", due.id, due.host, error.cause)
    record_failure(
        due=due,
        cause=error.cause,
        http_status=error.status,
        again=error.again,
        now=timezone.now(),
    )


def _locate(due: DueReference, target: Target, terms: Terms) -> None:
    answer = ask_for_location(target, terms)
    try:
        found = held.read_location(answer.body)
    except held.HeldError as error:
        raise ExchangeFailed(error.words, again=error.again, status=answer.status) from error
    fixes = [_incoming(fix) for fix in found]
    record_location(due=due, fixes=fixes, http_status=answer.status, now=timezone.now())


def ask_for_location(target: Target, terms: Terms) -> Answer:
    """Ask a location server, by POST and else by GET (RFC 6753); raises ExchangeFailed."""
    accept = {"Accept": held.ACCEPT}
    answer = exchange(
        "POST",
        target,
        terms,
        headers={**accept, "Content-Type": held.CONTENT_TYPE},
        content=held.LOCATION_REQUEST,
    )
    if answer.status in NO_POST:
        answer = exchange("GET", target, terms, headers=accept)
    return _successful(answer)


def _collect(due: DueReference, target: Target, terms: Terms) -> None:
    accept = {"Accept": f"application/EmergencyCallData.{due.purpose}+xml, */*;q=0.1"}
    if not due.purpose.replace("-", "").isalnum():
        accept = {"Accept": "*/*"}
    answer = _successful(exchange("GET", target, terms, headers=accept))
    kind = answer.content_type
    if kind in UNTYPED and due.purpose:  # the message said what it is
        kind = f"application/emergencycalldata.{due.purpose.lower()}+xml"
    try:
        blocks = list(parse_additional(kind, answer.body))
    except AdditionalDataError as error:
        raise ExchangeFailed(
            f"the data cannot be read: {error}", again=False, status=answer.status
        ) from error
    if not blocks:
        shown = kind[:60] or "no type"
        raise ExchangeFailed(f"no data that we know ({shown})", again=False, status=answer.status)
    record_data(due=due, blocks=blocks, http_status=answer.status, now=timezone.now())


def _successful(answer: Answer) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    again = answer.status >= 500 or answer.status in AGAIN_LATER
    raise ExchangeFailed(f"the server answered {answer.status}", again=again, status=answer.status)


def _incoming(fix: Fix) -> IncomingFix:
    return IncomingFix(**{field.name: getattr(fix, field.name) for field in fields(fix)})
