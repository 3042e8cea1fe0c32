"""One request to a peer, over TLS that both sides prove themselves in, or with our token."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from django.utils import timezone

from psap.https.addresses import Reach
from psap.https.exchange import Answer, ExchangeFailed, Terms, exchange
from psap.https.urls import Target, UrlRefused, read_url
from transfer_api.calling.counterparts import Counterpart

LARGEST_ANSWER = 64 * 1024
JSON = "application/json"


def post(
    counterpart: Counterpart,
    url: str,
    body: bytes,
    *,
    until: datetime,
    wanted: Callable[[], bool] | None = None,
) -> Answer:
    """Post JSON to a peer and return its answer, whatever its status; raises ExchangeFailed.

    Nothing is waited for after `until`. A redirection is not followed: it fails.
    """
    try:
        target = read_url(url)
    except UrlRefused as error:
        failure = ExchangeFailed(f"its URL: {error}", again=False)
        failure.sent = False
        raise failure from error
    headers = {"Content-Type": JSON, "Accept": f"{JSON}, application/problem+json"}
    terms = terms_for(counterpart, until=until, largest=LARGEST_ANSWER, wanted=wanted)
    return exchange("POST", target, terms, headers=headers | shown(counterpart), content=body)


def get(counterpart: Counterpart, target: Target, *, until: datetime, largest: int) -> Answer:
    """Get what a peer has for us; raises ExchangeFailed."""
    terms = terms_for(counterpart, until=until, largest=largest)
    return exchange("GET", target, terms, headers={"Accept": "*/*"} | shown(counterpart))


def terms_for(
    counterpart: Counterpart,
    *,
    until: datetime,
    largest: int,
    wanted: Callable[[], bool] | None = None,
) -> Terms:
    """Say on what terms a peer is asked; an administrator wrote its URL, so it may be anywhere."""
    left = (until - timezone.now()).total_seconds()
    return Terms(counterpart.trust, Reach.ANYWHERE, time.monotonic() + left, largest, wanted=wanted)


def shown(counterpart: Counterpart) -> Mapping[str, str]:
    """Header fields of every request: who we are, and what our clock shows (RFC 9110 6.6.1)."""
    headers = {
        "User-Agent": "Leitstand",
        "Date": format_datetime(timezone.now(), usegmt=True),
    }
    if counterpart.token:
        headers["Authorization"] = f"Bearer {counterpart.token}"
    return headers


def written(document: Mapping[str, Any]) -> bytes:
    """Write a request body."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
