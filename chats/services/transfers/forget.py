"""What is left of a transfer when it is over: its digest and dates, not its bytes, for long."""

from datetime import datetime, timedelta

from django.db import connection

from chats.models import Transfer, TransferSide, TransferState

BODY_STAYS_FOR = timedelta(days=1)
OFFER_STAYS_FOR = timedelta(days=30)
# Longer than anybody waits for the answer that stands in the row.
OFFER_IS_ANSWERED_FOR = timedelta(minutes=10)
MOST_OFFERS_OF_A_PEER = 1_000
# What never became a chat of ours; `failed` and later states have one.
NEVER_EXECUTED = (TransferState.DECLINED, TransferState.EXPIRED, TransferState.CANCELLED)

_FORGET_OFFERS = """
WITH over AS (
  SELECT id, ended_at, row_number() OVER (PARTITION BY peer_id ORDER BY id DESC) AS place
  FROM chats_transfer WHERE side = %(side)s AND chat_id IS NULL AND state = ANY(%(states)s)
)
DELETE FROM chats_transfer t USING over o WHERE t.id = o.id
  AND (o.ended_at < %(month)s OR o.place > %(most)s AND o.ended_at < %(answered)s)
"""


def forget_bodies(*, now: datetime) -> int:
    """Drop the bodies of executions that ended a day ago; returns how many.

    They are there to be sent again byte for byte, which nobody does after the end. What they said
    is on the record, their digest stays.
    """
    over = Transfer.objects.filter(ended_at__lt=now - BODY_STAYS_FOR, execution__isnull=False)
    return over.update(execution=None)


def forget_offers(*, now: datetime) -> int:
    """Delete offers to us that came to nothing a month ago and are on no chat's record.

    Of each peer the newest thousand stay so long: one that asks without end fills no table.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _FORGET_OFFERS,
            {
                "side": TransferSide.IN,
                "states": list(NEVER_EXECUTED),
                "month": now - OFFER_STAYS_FOR,
                "answered": now - OFFER_IS_ANSWERED_FOR,
                "most": MOST_OFFERS_OF_A_PEER,
            },
        )
        return int(cursor.rowcount)
