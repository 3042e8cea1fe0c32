"""Accounts at a SIP core: made, awaited and taken away again by tests.

with registered(record, core, retry_after=3) as number:
    core.bindings()
    change(record, number, enabled=False)
    until_state(record, number, "off")
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from psap.models import SipAccount
from tests.support.core import DOMAIN, PASSWORD, Core
from tests.support.gateway import GatewayProcess
from tests.support.instance import wait_until
from tests.support.record import Record

PSAP = f"sip:psap@{DOMAIN}"
EMERGENCY = f"sip:112@{DOMAIN}"
RETRY_AFTER = 3
TEN_KILOBYTES = "Hilfe! " + "x" * 10_000


@contextmanager
def account(record: Record, registrars: str, **values: object) -> Iterator[int]:
    """Add an account in the admin's table, and delete it when the block ends."""
    given = {
        "name": "core",
        "address_of_record": PSAP,
        "registrars": registrars,
        "username": "psap",
        "password": PASSWORD,
        "expires": 60,
        "retry_after": RETRY_AFTER,
        **values,
    }
    number = record.run(lambda: SipAccount.objects.create(**given).pk)
    try:
        yield number
    finally:
        change(record, number, enabled=False)
        wait_until(lambda: state(record, number) in ("off", None), 10, "the account is off")
        record.run(lambda: SipAccount.objects.filter(pk=number).delete())


def change(record: Record, number: int, **values: object) -> None:
    record.run(lambda: SipAccount.objects.filter(pk=number).update(**values))


def state(record: Record, number: int) -> str | None:
    found = record.value("SELECT state FROM psap_registration WHERE account_id = %s", number)
    return None if found is None else str(found)


def until_state(record: Record, number: int, wanted: str, within: float = 10.0) -> None:
    wait_until(lambda: state(record, number) == wanted, within, f"the account is {wanted}")


def until_bound(core: Core, condition: Callable[[list[str]], bool], within: float = 10.0) -> None:
    wait_until(lambda: condition(core.bindings()), within, "the bindings are as wanted")


def ours(gateway: GatewayProcess, transport: str = ";transport=tcp") -> str:
    return f"sip:psap@127.0.0.1:{gateway.port}{transport}"


@contextmanager
def registered(record: Record, core: Core, **values: object) -> Iterator[int]:
    """Add an account and wait until it is registered."""
    with account(record, **{"registrars": core.uri(), **values}) as number:
        until_state(record, number, "registered")
        yield number
