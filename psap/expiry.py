"""Certificates and revocation lists that want to be renewed: alarms from 30 days before.

A peer's certificate counts until a newer one with the same names has been seen, and for 30 days
after its end: by then the peer is gone or came back with another.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from psap.alarms import ALARM, WARNING, Alarm
from psap.models import Certificate, CertificateAuthority, PeerCertificate

NOTICE = timedelta(days=30)


def certificates(now: datetime) -> Iterator[Alarm]:
    """Say what expires within 30 days, or has expired; soonest first."""
    due = sorted(_ends(now), key=lambda end: end[2])
    for code, subject, at in due:
        yield _alarm(code, subject, at, now)


def _ends(now: datetime) -> Iterator[tuple[str, str, datetime]]:
    horizon = now + NOTICE
    for name, at in Certificate.objects.filter(not_after__lte=horizon).values_list(
        "name", "not_after"
    ):
        yield "certificate-expires", f"Our certificate “{name}”", at
    for name, at in CertificateAuthority.objects.filter(not_after__lte=horizon).values_list(
        "name", "not_after"
    ):
        yield "authority-expires", f"The certificate authority “{name}”", at
    for name, at in CertificateAuthority.objects.filter(next_update__lte=horizon).values_list(
        "name", "next_update"
    ):
        yield "revocation-list-expires", f"The revocation list of “{name}”", at
    yield from _peers_ends(now)


def _peers_ends(now: datetime) -> Iterator[tuple[str, str, datetime]]:
    latest: dict[str, tuple[str, datetime]] = {}
    seen = PeerCertificate.objects.order_by("not_after")
    for trunk, names, subject, at in seen.values_list("trunk", "names", "subject", "not_after"):
        latest[names or subject] = (trunk, at)
    for peer, (trunk, at) in latest.items():
        if now - NOTICE <= at <= now + NOTICE:
            yield "peer-certificate-expires", f"The certificate of {peer} (trunk “{trunk}”)", at


def _alarm(code: str, subject: str, at: datetime, now: datetime) -> Alarm:
    day = at.date().isoformat()
    if at <= now:
        return Alarm(code, ALARM, f"{subject} expired on {day}.", at)
    return Alarm(code, WARNING, f"{subject} expires on {day}.", at - NOTICE)
