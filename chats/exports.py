"""A chat's record as `exportchat` prints it (docs/record.md)."""

from collections.abc import Mapping
from typing import Any

from chats import wire
from chats.models import TransferSide
from chats.rows import MessageRow, TransferRow
from chats.selectors import Conversation


def record(found: Conversation) -> wire.Json:
    """Return everything that is kept of a chat; authors by username, parts by digest."""
    chat = found.chat
    return {
        "id": str(chat.id),
        "callId": chat.call_id,
        "service": chat.service,
        "session": chat.session,
        "endedBy": chat.ended_by,
        "liveness": chat.liveness,
        "owner": chat.owner_username,
        "disposition": chat.disposition,
        "caller": wire.caller(chat),
        "openedAt": wire.time(chat.opened_at),
        "answeredAt": wire.time_or_none(chat.answered_at),
        "endedAt": wire.time_or_none(chat.ended_at),
        "test": chat.test,
        "alert": chat.alert,
        "silent": chat.silent,
        "unprotected": chat.unprotected,
        "priority": chat.priority,
        "cameFrom": chat.came_from,
        "goneTo": chat.gone_to,
        "signalling": found.signalling,
        "messages": [_message(row) for row in found.messages],
        "locations": [
            {
                "shape": row.shape,
                "lat": row.latitude,
                "lon": row.longitude,
                "radius": row.radius,
                "method": row.method,
                "at": wire.time(row.at),
                "msgId": row.msg_id,
                **wire.beside(row),
            }
            for row in found.fixes
        ],
        "additionalData": [{**row.data, "kind": row.kind} for row in found.data],
        "references": [wire.reference(row) for row in found.references],
        "reports": [wire.report(row) for row in found.reports],
        "notes": [wire.note(row) for row in found.notes],
        "psaps": [dict(psap) for psap in found.psaps],
        "transfers": [_transfer(row) for row in found.transfers],
        "events": [
            {
                "seq": row.seq,
                "kind": row.kind,
                "at": wire.time(row.at),
                "actor": row.actor,
                "hash": row.hash,
            }
            for row in found.events
        ],
    }


def _message(row: MessageRow) -> wire.Json:
    return {
        "direction": row.direction,
        "type": row.type,
        "msgId": row.msg_id,
        "text": row.text,
        "status": row.status,
        "sipStatus": row.sip_status,
        "author": row.author_username or wire.role(row),
        "role": wire.role(row),
        "psap": row.origin,
        "at": wire.time(row.at),
        "parts": [_part(found) for found in row.parts or ()],
    }


def _transfer(row: TransferRow) -> wire.Json:
    automatic = {"automatic": row.automatic} if row.side == TransferSide.IN else {}
    uris = {"from": row.transfer_from, "to": row.transfer_to}
    return {**wire.transfer(row), **uris, **automatic}


def _part(found: Mapping[str, Any]) -> wire.Json:
    names = ("contentType", "size", "sha256", "flag", *(("name",) if found["name"] else ()))
    return {name: found[name] for name in names}
