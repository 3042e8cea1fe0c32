"""What the worker does for the transfer interface: calls to peers (transfer_api/calling)."""

import asyncio
import threading

from celery.signals import worker_ready

from chats import wakeup
from transfer_api.calling.caller import caller


@worker_ready.connect
def watch_calls(**_kwargs: object) -> None:
    """Call as soon as somebody commits what is to be said; nothing of it goes by Celery's queue."""
    never = threading.Event()
    for name, work in (
        ("calls", caller.watch),
        ("calls-leases", lambda: caller.renew(never)),
        ("calls-wake-up", lambda: asyncio.run(wakeup.listen(wakeup.TRANSFERS, caller.wake))),
    ):
        threading.Thread(target=work, name=name, daemon=True).start()
