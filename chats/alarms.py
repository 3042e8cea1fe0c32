"""What is wrong with chats as a whole: alarms that the configuration's side cannot know."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from django.db import connection

from chats.models import Relay, RelayStatus, SetAside, Transfer, TransferSide, TransferState
from psap.alarms import ALARM, WARNING, Alarm

OVERDUE_AFTER = timedelta(seconds=60)
# The chat's own card goes on saying why; this is to make everybody look.
FAILURE_IS_TOLD_FOR = timedelta(minutes=5)
CALL_OVERDUE_AFTER = timedelta(seconds=10)
RELAY_OVERDUE_AFTER = timedelta(seconds=60)
MOST_NAMED = 3
MOST_LISTED = 100
LONGEST_NAME = 80

_OLDEST_DUE = """
SELECT min(o.due_at) FROM chats_message m JOIN chats_outboxentry o ON o.message_id = m.id
WHERE m.status IN ('queued', 'sending')
"""
_OLDEST_CALL = """
SELECT min(call_due_at) FROM chats_transfer
WHERE call_due_at IS NOT NULL AND (lease_until IS NULL OR lease_until < %s)
"""


def outgoing_messages(now: datetime) -> Iterator[Alarm]:
    """Say that messages of ours have been due for more than a minute."""
    oldest = oldest_due()
    if oldest is not None and now - oldest > OVERDUE_AFTER:
        text = "Messages to callers have waited for more than a minute to be sent."
        yield Alarm("outbox-behind", WARNING, text, oldest)


def messages_on_no_chat(now: datetime) -> Iterator[Alarm]:
    """Say that there are messages which could be put on no chat."""
    first = SetAside.objects.order_by("at").values_list("at", flat=True).first()
    if first is not None:
        text = "Messages could be put on no chat. Read them on the status page."
        yield Alarm("messages-set-aside", ALARM, text, first)


def custody_uncertain(now: datetime) -> Iterator[Alarm]:
    """Say that nobody knows which of two PSAPs an app follows; both are responsible meanwhile.

    A chat that has been closed out here is dealt with.
    """
    rows = Transfer.objects.filter(
        due_at__isnull=False, state=TransferState.UNCERTAIN, chat__disposition=None
    )
    found = list(rows.order_by("executed_at").values_list("peer_name", "executed_at"))
    if found:
        text = (
            f"It is uncertain who has {_chats(len(found))}: we or {_names(p for p, _ in found)}. "
            "Go on as if it were ours until that is known."
        )
        yield Alarm("custody-uncertain", ALARM, text, found[0][1])


def failed_transfers(now: datetime) -> Iterator[Alarm]:
    """Say that transfers have failed within the last minutes: out, the chat is here again."""
    rows = Transfer.objects.filter(
        ended_at__gt=now - FAILURE_IS_TOLD_FOR, state=TransferState.FAILED
    ).order_by("ended_at")
    failed = list(rows.values_list("side", "peer_name", "ended_at"))
    out = [(peer, at) for side, peer, at in failed if side == TransferSide.OUT]
    taken = [(peer, at) for side, peer, at in failed if side == TransferSide.IN]
    if out:
        peers = _names(peer for peer, _ in out)
        text = f"{_chats(len(out))} could not be transferred to {peers}, and stayed here."
        yield Alarm("transfer-failed", ALARM, text[0].upper() + text[1:], out[0][1])
    if taken:
        peers = _names(peer for peer, _ in taken)
        text = f"{_chats(len(taken))} of {peers} could not be taken over."
        yield Alarm("transfer-not-taken", WARNING, text[0].upper() + text[1:], taken[0][1])


def calls_to_peers(now: datetime) -> Iterator[Alarm]:
    """Say that peers are not asked though it is time: no worker does it."""
    oldest = oldest_call(now)
    if oldest is not None and now - oldest > CALL_OVERDUE_AFTER:
        text = "Transfers wait: for more than ten seconds nobody has asked the peer."
        yield Alarm("transfers-behind", ALARM, text, oldest)


def messages_not_passed_on(now: datetime) -> Iterator[Alarm]:
    """Say whose messages have not got after them to the PSAP that has their chat now.

    It ends when they have, or when they are given up, which stands on the record.
    """
    rows = Relay.objects.filter(
        status=RelayStatus.QUEUED, attempts__gt=1, message__at__lt=now - RELAY_OVERDUE_AFTER
    ).order_by("message__at")
    found = list(rows.values_list("chat__caller_uri", "target", "message__at")[:MOST_LISTED])
    if found:
        callers = _names(caller[:LONGEST_NAME] for caller, _, _ in found)
        targets = _names(target[:LONGEST_NAME] for _, target, _ in found)
        text = (
            f"What {callers} wrote here has not reached {targets} for more than a minute: the chat"
            " is there now. Read it in the chat here, and call them."
        )
        yield Alarm("relay-behind", ALARM, text, found[0][2])


def oldest_call(now: datetime) -> datetime | None:
    """Return since when the first call to a peer has been due that nobody makes just now."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_CALL, [now])
        row = cursor.fetchone()
    return row[0] if row else None


def _chats(number: int) -> str:
    return "a chat" if number == 1 else f"{number} chats"


def _names(written: Iterable[str]) -> str:
    names = list(dict.fromkeys(f"“{name}”" for name in written))
    rest = len(names) - MOST_NAMED
    shown = names[:MOST_NAMED] + ([f"{rest} more"] if rest > 0 else [])
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def oldest_due() -> datetime | None:
    """Return since when the first of our messages on their way has been due."""
    with connection.cursor() as cursor:
        cursor.execute(_OLDEST_DUE)
        row = cursor.fetchone()
    return row[0] if row else None
