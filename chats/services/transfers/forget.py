"""What is left of a transfer when it is over: its digest and dates, not its bytes, for long."""

from datetime import datetime, timedelta

from chats.models import Transfer, TransferSide, TransferState

BODY_STAYS_FOR = timedelta(days=1)
OFFER_STAYS_FOR = timedelta(days=30)
# What never became a chat of ours; `failed` and later states have one.
NEVER_EXECUTED = (TransferState.DECLINED, TransferState.EXPIRED, TransferState.CANCELLED)


def forget_bodies(*, now: datetime) -> int:
    """Drop the bodies of executions that ended a day ago; returns how many.

    They are there to be sent again byte for byte, which nobody does after the end. What they said
    is on the record, their digest stays.
    """
    over = Transfer.objects.filter(ended_at__lt=now - BODY_STAYS_FOR, execution__isnull=False)
    return over.update(execution=None)


def forget_offers(*, now: datetime) -> int:
    """Delete offers to us that came to nothing a month ago and are on no chat's record."""
    deleted, _ = Transfer.objects.filter(
        side=TransferSide.IN,
        chat=None,
        state__in=NEVER_EXECUTED,
        ended_at__lt=now - OFFER_STAYS_FOR,
    ).delete()
    return deleted
