"""Celery's tasks of the SIP side: errands (sipgateway/errands)."""

import asyncio
import threading

from celery import shared_task
from celery.signals import worker_ready

from chats import wakeup
from sipgateway.errands.runner import runner


@shared_task(ignore_result=True)
def run_errands() -> None:
    """Begin the errands that are due; beat asks each second (psap/project/celery.py)."""
    runner.look()


@worker_ready.connect
def watch_errands(**_kwargs: object) -> None:
    """Look as soon as somebody commits an errand, and without Celery's queue as well."""
    threading.Thread(target=runner.watch, name="errands", daemon=True).start()
    threading.Thread(target=_listen, name="errands-wake-up", daemon=True).start()


def _listen() -> None:
    asyncio.run(wakeup.listen(wakeup.ERRANDS, runner.wake))
