"""Celery's tasks of the record; beat starts them (psap/project/celery.py)."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from chats.services.chain_heads import export_heads
from chats.services.receipts import purge_receipts
from chats.services.transfers.forget import forget_bodies, forget_offers

HEADS_DIRECTORY = "chain-heads"


@shared_task(ignore_result=True)
def purge_old_receipts() -> None:
    """Forget the receipts of commands older than a day."""
    purge_receipts(now=timezone.now())


@shared_task(ignore_result=True)
def forget_old_transfers() -> None:
    """Drop what was sent of transfers a day after their end, and offers that came to nothing."""
    now = timezone.now()
    forget_bodies(now=now)
    forget_offers(now=now)


@shared_task(ignore_result=True)
def export_chain_heads() -> None:
    """Append the heads of chains that grew to today's file in the state directory."""
    export_heads(directory=settings.STATE_DIR / HEADS_DIRECTORY, now=timezone.now())
