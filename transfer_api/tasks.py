"""Celery's tasks of the transfer interface: calls to peers (transfer_api/calling)."""

import asyncio
import threading

from celery import shared_task
from celery.signals import worker_ready

from chats import wakeup
from transfer_api.calling.caller import caller


@shared_task(ignore_result=True)
def call_peers() -> None:
    """Begin the calls that are due, for whoever wants to have them begun by hand."""
    caller.look()


@worker_ready.connect
def watch_calls(**_kwargs: object) -> None:
    """Call as soon as somebody commits what is to be said; Celery's queue is not needed for it."""
    never = threading.Event()
    for name, work in (
        ("calls", caller.watch),
        ("calls-leases", lambda: caller.renew(never)),
        ("calls-wake-up", lambda: asyncio.run(wakeup.listen(wakeup.TRANSFERS, caller.wake))),
    ):
        threading.Thread(target=work, name=name, daemon=True).start()
