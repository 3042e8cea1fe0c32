"""Django system checks of the configuration: what pjsua2 cannot do, peers that do not fit.

They read the database, and say nothing where it is not there or not migrated yet.
"""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Warning, register
from django.db import DatabaseError

from psap.models import RegistrarLimit, SipAccount
from psap.peer_checks import shortcomings_of_all

TAG = "registrar"
PEERS = "peers"
NOT_TRIED = "What it cannot do is found when the registrar runs with this account."
TLS_LIMITS = ("tls", "tls-1.3")


@register(TAG)
def check_accounts(**kwargs: Any) -> list[CheckMessage]:
    """Warn of accounts that receive in pjsua2, or that register over TLS without TLS 1.3."""
    try:
        accounts = list(SipAccount.objects.filter(enabled=True))
        limits = dict(RegistrarLimit.objects.values_list("code", "detail")) if accounts else {}
    except DatabaseError:
        return []
    return [warning for account in accounts for warning in warnings_of(account, limits)]


@register(PEERS)
def check_peers(**kwargs: Any) -> list[CheckMessage]:
    """Warn of peers whose settings do not fit together."""
    try:
        return [Warning(problem.text, id="psap.W003") for problem in shortcomings_of_all()]
    except DatabaseError:
        return []


def warnings_of(account: SipAccount, limits: dict[str, str]) -> Iterator[CheckMessage]:
    """Return what an administrator should know of an account."""
    name = f"The account “{account.name}”"
    if account.receive_in_pjsua2:
        details = [text for code, text in sorted(limits.items()) if code not in TLS_LIMITS]
        yield Warning(
            f"{name} receives in pjsua2. {' '.join(details) or NOT_TRIED}",
            hint="Receive at our own listener, unless a NAT leaves no other way.",
            id="psap.W001",
        )
    lacking = [limits[code] for code in TLS_LIMITS if code in limits]
    if lacking and _uses_tls(account):
        yield Warning(
            f"{name} registers over TLS with pjsua2. {' '.join(lacking)}",
            hint="Register over a private network, or build pjsua2 with a newer OpenSSL.",
            id="psap.W002",
        )


def _uses_tls(account: SipAccount) -> bool:
    registrars = account.registrars.lower()
    return "sips:" in registrars or "transport=tls" in registrars
