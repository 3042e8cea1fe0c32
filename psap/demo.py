"""The demo PSAP of a first start: one configuration, its numbers, and four people."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import transaction

from psap.credentials import draw_credentials, read_credentials, write_credentials
from psap.devca import install_dev_certificates, own_names, write_dev_certificates
from psap.models import (
    ADMINISTRATOR,
    CALL_TAKER,
    SUPERVISOR,
    Psap,
    ServiceNumber,
    Trunk,
    User,
)
from psap.roles import ensure_roles, follow_roles

GREETING = "Emergency services. You are connected. What is your emergency?"
CLOSING_TEXT = "We are closing this chat now. If you need help again, write to us again."
NUMBERS = {
    "112": "urn:service:sos",
    "911": "urn:service:sos",
    "122": "urn:service:sos.fire",
    "133": "urn:service:sos.police",
    "144": "urn:service:sos.ambulance",
}


@dataclass(frozen=True, slots=True)
class DemoUser:
    """Somebody who works at the demo PSAP."""

    username: str
    first_name: str
    last_name: str
    role: str


USERS = (
    DemoUser("calltaker", "Cora", "Lang", CALL_TAKER),
    DemoUser("calltaker2", "Tim", "Berger", CALL_TAKER),
    DemoUser("supervisor", "Sara", "Winter", SUPERVISOR),
    DemoUser("admin", "Adam", "Novak", ADMINISTRATOR),
)


@transaction.atomic
def seed_demo(
    *,
    public_uri: str,
    outbound_proxy: str,
    credentials_path: Path,
    certificates: Path | None = None,
    host: str = "",
) -> None:
    """Fill an empty database; on one in use only see to the roles and the credentials file.

    What an administrator changed or deleted stays so. A credentials file that is missing is made
    again, with new passwords for those demo users that there still are. With a directory for
    `certificates` there are a TLS trunk and a port for peers too, with what `devca` makes.
    """
    ensure_roles()
    first = not Psap.objects.exists()
    if first:
        _configure(public_uri, outbound_proxy)
        if certificates is not None:
            names = own_names(host, public_uri)
            write_dev_certificates(certificates, names=names, now=datetime.now(UTC))
            install_dev_certificates(certificates)
    if first or not credentials_path.exists():
        _seed_users(credentials_path, make_missing=first)


def _configure(public_uri: str, outbound_proxy: str) -> None:
    Psap.objects.create(
        pk=1,
        name="Demo PSAP",
        public_uri=public_uri,
        greeting=GREETING,
        closing_text=CLOSING_TEXT,
    )
    Trunk.objects.get_or_create(name="default", defaults={"outbound_proxy": outbound_proxy})
    for number, service in NUMBERS.items():
        ServiceNumber.objects.get_or_create(number=number, defaults={"service": service})


def _seed_users(credentials_path: Path, *, make_missing: bool) -> None:
    existing = User.objects.in_bulk([demo.username for demo in USERS], field_name="username")
    wanted = [demo for demo in USERS if make_missing or demo.username in existing]
    credentials = draw_credentials(demo.username for demo in wanted)
    credentials |= {
        name: password
        for name, password in read_credentials(credentials_path).items()
        if name in credentials
    }
    write_credentials(credentials_path, credentials)
    with ThreadPoolExecutor() as pool:  # hashing is slow on purpose and leaves the GIL
        hashes = dict(zip(credentials, pool.map(make_password, credentials.values()), strict=True))
    for demo in wanted:
        user = existing.get(demo.username) or User(
            username=demo.username, first_name=demo.first_name, last_name=demo.last_name
        )
        user.password = hashes[demo.username]
        user.save()
        if demo.username not in existing:
            user.groups.set([Group.objects.get(name=demo.role)])
            follow_roles(user)
