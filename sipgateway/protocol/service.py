"""Service URNs that ask for a test instead of help (RFC 6881 section 17, clause 6.1.2.10)."""

from __future__ import annotations

from functools import lru_cache

from sipgateway.protocol.dec112 import asks_for_test
from sipgateway.protocol.headers import Headers

_PREFIX = "urn:service:"


@lru_cache(maxsize=256)
def is_test_service(urn: str) -> bool:
    """Whether a service URN is a test: `sos.test`, `sos.fire.test`, `test.sos`, `test.sos.fire`."""
    if urn[: len(_PREFIX)].lower() != _PREFIX:
        return False
    labels = urn[len(_PREFIX) :].partition(";")[0].lower().split(".")
    return "sos" in labels and "test" in (labels[0], labels[-1])


def is_test(service: str, headers: Headers) -> bool:
    """Whether a message belongs to a test call, by its service or as DEC112's apps say it."""
    return is_test_service(service) or asks_for_test(headers)
