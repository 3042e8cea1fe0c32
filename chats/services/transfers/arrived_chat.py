"""The chat that a peer hands over: the one that we know already, opened again, or a new one."""

from datetime import datetime

from django.db import IntegrityError, connection, transaction

from chats.models import (
    DEC112,
    Chat,
    Session,
    Transfer,
    TransferSide,
    TransferState,
)
from chats.services.addresses import same_address
from chats.services.chain import SYSTEM, append_event, genesis_hash
from chats.services.identifiers import new_tag
from chats.services.leases import lease_time
from chats.services.message_types import START_TRANSFER
from chats.services.outbox import cancel_waiting
from chats.services.transfers.call_ids import call_parts, caller_identity
from chats.services.transfers.history import HandedChat
from chats.services.transfers.offers import HERE
from chats.services.transfers.supersede import supersede_earlier


def known_chat(transfer: Transfer, handed: HandedChat | None) -> Chat | None:
    """Lock and return the chat of the same call and caller, None where we never had it.

    Without Data nobody says whose chat it is: then it is the latest of that call that the same
    transferor has had before or after us.
    """
    unique, element = call_parts(transfer.call_id)
    same_call = Chat.objects.filter(unique_part=unique, element=element).exclude(unique_part="")
    chats = list(same_call.select_for_update(no_key=True).order_by("pk"))
    if handed is None:
        asks = transfer.transfer_from
        had = [c for c in chats if any(same_address(uri, asks) for uri in (c.gone_to, c.came_from))]
        return had[-1] if had else None
    identities = identities_of(handed)
    known = (c for c in chats if not identities.isdisjoint({c.caller_uri, c.asserted_uri} - {""}))
    return next(known, None)


def identities_of(handed: HandedChat) -> frozenset[str]:
    """Every URI that a handed-over chat's caller goes by, as messages are matched by it."""
    return frozenset(
        uri for uri in map(caller_identity, (handed.caller_uri, handed.asserted_uri)) if uri
    )


def is_here(chat: Chat, transfer: Transfer) -> bool:
    """Whether the app of a locked chat is with us already, or about to follow another transfer."""
    if chat.session in HERE:
        return True
    others = Transfer.objects.filter(
        chat=chat, side=TransferSide.IN, state=TransferState.EXECUTING
    ).exclude(pk=transfer.pk)
    return others.exists()


def open_chat(transfer: Transfer, handed: HandedChat, now: datetime) -> Chat | None:
    """Open a chat that we never had; None where somebody has opened it this very moment."""
    unique, element = call_parts(transfer.call_id)
    relative = (
        Chat.objects.filter(unique_part=unique).exclude(unique_part="").order_by("pk").first()
    )
    pk = _draw_id()
    chat = Chat(
        pk=pk,
        call_id=transfer.call_id,
        unique_part=unique,
        element=element,
        service=handed.service,
        session=Session.ARRIVING,
        caller_uri=caller_identity(handed.caller_uri) or handed.caller_uri,
        target_uri=handed.app_uri,
        linked_to=relative,
        test=handed.test,
        opened_at=min(handed.opened_at, now),
        last_sign_of_life=min(handed.last_sign_of_life, now),  # clocks differ by seconds
        came_from=transfer.transfer_from,
        arrived=True,
        local_tag=new_tag(),
        head_hash=genesis_hash(pk),
        # No trunk has brought it: the default one is its way out.
        trunk="",
        transport="",
        peer="",
    )
    try:
        with transaction.atomic():
            chat.save(force_insert=True)
    except IntegrityError:
        return None
    asserted = caller_identity(handed.asserted_uri)
    kinds = {"test": handed.test, "silent": handed.silent}
    append_event(
        chat_id=pk,
        kind="chat-opened",
        at=now,
        actor=SYSTEM,
        data={
            "callId": chat.call_id,
            "service": chat.service,
            "caller": asserted or chat.caller_uri,
            "standalone": False,
            "recovered": False,
            "linkedTo": chat.linked_to_id,
            "cameFrom": chat.came_from,
            **{name: value for name, value in kinds.items() if value},
        },
    )
    return chat


def open_again(chat: Chat, transfer: Transfer, now: datetime) -> None:
    """Open a locked chat again that we have had before; its earlier transfers are over."""
    supersede_earlier(chat=chat, transfer=transfer, now=now)
    cancel_waiting(chat=chat, types=(START_TRANSFER,), cause="transfer", now=now)
    append_event(
        chat_id=chat.pk,
        kind="session-reopened",
        at=now,
        actor=SYSTEM,
        data={
            "cameFrom": transfer.transfer_from,
            "transfer": str(transfer.pk),
            "was": chat.session,
            **({"goneTo": chat.gone_to} if chat.gone_to else {}),
        },
    )
    chat.session, chat.session_due = Session.ARRIVING, None
    chat.came_from, chat.gone_to, chat.arrived = transfer.transfer_from, "", True
    chat.ended_by = chat.ended_at = chat.disposition = chat.closed_at = None
    chat.owner = chat.lease_until = chat.ringing_since = None


def take_over(chat: Chat, transfer: Transfer, handed: HandedChat | None, now: datetime) -> None:
    """Note what is told of a chat, give it to who has accepted it, and write it all down."""
    if handed is not None:
        _describe(chat, handed, now)
    owner = transfer.answered_by
    if owner is not None and owner.is_active:
        # As long as a claim: a desk that has gone since then does not keep it.
        chat.owner, chat.lease_until = owner, now + lease_time()
        chat.answered_at = chat.answered_at or now
    last = transfer.last_msg_id or 0
    chat.next_msg_id = max(chat.next_msg_id, last + 2)
    chat.save(
        update_fields=[
            "session", "session_due", "came_from", "gone_to", "arrived", "ended_by", "ended_at",
            "disposition", "closed_at", "owner", "lease_until", "ringing_since", "answered_at",
            "next_msg_id", "asserted_uri", "target_uri", "display_name", "language", "user_agent",
            "dialect", "priority", "silent", "signalling", "psaps", "last_in_msg_id",
            "last_caller_text", "last_sign_of_life", "last_delivered",
        ]
    )  # fmt: skip


def _describe(chat: Chat, handed: HandedChat, now: datetime) -> None:
    asserted = caller_identity(handed.asserted_uri)
    chat.asserted_uri = chat.asserted_uri or asserted
    chat.target_uri = handed.app_uri or chat.target_uri
    chat.display_name = handed.display_name or chat.display_name
    chat.language = handed.language or chat.language
    chat.user_agent = handed.user_agent or chat.user_agent
    chat.dialect = DEC112 if DEC112 in (handed.dialect, chat.dialect) else ""
    chat.priority = handed.priority or chat.priority
    chat.silent = chat.silent or handed.silent
    chat.signalling = {**chat.signalling, **handed.signalling}
    chat.psaps = [dict(psap) for psap in handed.psaps]
    if handed.last_in_msg_id is not None:
        chat.last_in_msg_id = handed.last_in_msg_id
    delivered = [m.at for m in handed.messages if m.text and m.status == "delivered"]
    chat.last_caller_text = _latest(now, chat.last_caller_text, handed.last_caller_text)
    chat.last_delivered = _latest(now, chat.last_delivered, *delivered)
    heard = min(handed.last_sign_of_life, now)
    chat.last_sign_of_life = max(chat.last_sign_of_life, heard)


def _latest(now: datetime, *times: datetime | None) -> datetime | None:
    return max((min(time, now) for time in times if time is not None), default=None)


def _draw_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence('chats_chat', 'id'))")
        return int(cursor.fetchone()[0])
