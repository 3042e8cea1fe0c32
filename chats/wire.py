"""The one place where dicts for JSON are built: WebSocket and HTTP; `exports` has the record's.

Times are RFC 3339 in UTC with `Z`; ids are strings, since JavaScript's numbers end at 2^53.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from chats.models import Direction, Disposition
from chats.rows import (
    OPEN_OFFERS,
    CardRow,
    DataRow,
    EventRow,
    FixRow,
    MessageRow,
    NoteRow,
    ReferenceRow,
    RelayRow,
    ReportRow,
    TransferRow,
)
from chats.selectors import Conversation
from psap.alarms import Alarm
from psap.models import Peer, Psap, User

Json = dict[str, Any]

SHOWN_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
"""Content types that consoles show in place, decoded and written anew by the server."""


def time(at: datetime) -> str:
    """Format an aware time, such as `2026-01-31T12:00:00.123456Z`."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def time_or_none(at: datetime | None) -> str | None:
    """Format an aware time, or nothing."""
    return None if at is None else time(at)


def card(row: CardRow) -> Json:
    """Return a chat as the queue shows it."""
    return {
        "chat": str(row.id),
        "seq": row.head_seq,
        "callId": row.call_id,
        "service": row.service,
        "session": row.session,
        "endedBy": row.ended_by,
        "liveness": row.liveness,
        "owner": _person(row.owner_username, row.owner_name),
        "disposition": row.disposition,
        "caller": caller(row),
        "openedAt": time(row.opened_at),
        "answeredAt": time_or_none(row.answered_at),
        "endedAt": time_or_none(row.ended_at),
        "ringingSince": time_or_none(row.ringing_since),
        "lastSignOfLife": time(row.last_sign_of_life),
        "lastCallerText": time_or_none(row.last_caller_text),
        "lastDelivered": time_or_none(row.last_delivered),
        "standalone": row.standalone,
        "recovered": row.recovered,
        "linkedTo": None if row.linked_to_id is None else str(row.linked_to_id),
        "fix": None if row.fix is None else fix(row.fix),
        "preview": row.preview or "",
        "messages": row.messages,
        "test": row.test,
        "alert": row.alert,
        "silent": row.silent,
        "unprotected": row.unprotected,
        "priority": row.priority,
        "cameFrom": row.came_from,
        "goneTo": row.gone_to,
        "clientEnds": {
            "redirect": row.client_ends_on_redirect,
            "transfer": row.client_ends_on_transfer,
            "override": not row.dialect,
        },
        "references": {
            "pending": row.references_pending,
            "unlisted": row.references_unlisted,
            "failed": row.references_failed,
        },
        "transfer": None if row.transfer is None else transfer(row.transfer),
    }


def caller(row: CardRow) -> Json:
    """Return who writes: the asserted identity if there is one, else what the app claims."""
    return {
        "uri": row.asserted_uri or row.caller_uri,
        "asserted": bool(row.asserted_uri),
        "displayName": row.display_name,
        "language": row.language,
    }


def message(row: MessageRow) -> Json:
    """Return one message with its delivery state; `cause` says why it failed or waits."""
    return {
        "id": str(row.id),
        "direction": row.direction,
        "type": row.type,
        "msgId": row.msg_id,
        "text": row.text,
        "status": row.status,
        "sipStatus": row.sip_status,
        "cause": row.cause or "",
        "author": _person(row.author_username, row.author_name),
        "at": time(row.at),
        "flags": row.flags,
        "psap": row.origin,
        "role": role(row),
        "parts": [_part(row.chat_id, found) for found in row.parts or ()],
    }


def role(row: MessageRow) -> str:
    """Say who wrote a message: caller, calltaker or system."""
    if row.role:
        return row.role
    if row.direction == Direction.IN:
        return "caller"
    return "system" if row.author_username is None else "calltaker"


def _part(chat_id: int, found: Mapping[str, Any]) -> Json:
    """Return one part, with where it can be had; `inline` says that it can be shown as an image."""
    return {
        **found,
        "inline": not found["flag"] and found["contentType"] in SHOWN_IMAGES,
        "url": f"/chats/{chat_id}/parts/{found['id']}/",
    }


def fix(row: FixRow) -> Json:
    """Return one location; metres and degrees WGS84, no `lat` and `lon` for an address alone."""
    shown = {
        "id": str(row.id),
        "shape": row.shape,
        "lat": row.latitude,
        "lon": row.longitude,
        "radius": row.radius,
        "method": row.method,
        "at": time(row.at),
        "messageId": str(row.message_id),
        "msgId": row.msg_id,
        **beside(row),
    }
    if row.reference_id is not None:
        shown["reference"] = str(row.reference_id)
    return shown


def beside(row: FixRow) -> Json:
    """Return what few locations have, where this one has it."""
    found = {
        "altitude": row.altitude,
        "confidence": row.confidence,
        "geometry": row.geometry,
        "civic": row.civic,
        "source": row.source or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def additional_data(row: DataRow) -> Json:
    """Return one block of additional data; its fields stand beside its kind."""
    return {**row.data, "kind": row.kind, "messageId": str(row.message_id)}


def reference(row: ReferenceRow) -> Json:
    """Return something that a message names by its URL; `cause` says why it is not there."""
    return {
        "id": str(row.id),
        "kind": row.kind,
        "purpose": row.purpose,
        "url": row.url,
        "status": row.status,
        "cause": row.cause,
        "allowedBy": row.allowed_by,
        "messageId": str(row.message_id),
    }


def report(row: ReportRow) -> Json:
    """Return one report of the chat's source to the BCF."""
    return {
        "id": str(row.id),
        "status": row.status,
        "source": row.source,
        "reason": row.reason,
        "by": _person(row.by_username, row.by_name),
        "at": time(row.at),
        "httpStatus": row.http_status,
        "cause": row.cause,
    }


def relay(row: RelayRow) -> Json:
    """Return how a message fares on its way to the PSAP that has its chat now."""
    return {
        "messageId": str(row.message_id),
        "target": row.target,
        "status": row.status,
        "sipStatus": row.sip_status,
    }


def transfer(row: TransferRow) -> Json:
    """Return one attempt to transfer a chat, by us (`out`) or to us (`in`)."""
    return {
        "id": str(row.id),
        "side": row.side,
        "state": row.state,
        "peer": row.peer,
        "reason": row.reason,
        "cause": row.cause,
        "requestedAt": time(row.requested_at),
        "dueAt": time_or_none(row.due_at),
        "expiresAt": time_or_none(row.expires_at),
        "executionExpiresAt": time_or_none(row.execution_expires_at),
        "atOnce": row.at_once,
        "by": _person(row.by_username, row.by_name),
    }


def offer(row: TransferRow) -> Json:
    """Return a chat that a peer offers us; `dueAt` is when it ends by itself."""
    return {
        "id": str(row.id),
        "state": row.state,
        "peer": row.peer,
        "from": row.transfer_from,
        "to": row.transfer_to,
        "callId": row.call_id,
        "reason": row.reason,
        "cause": row.cause,
        "requestedAt": time(row.requested_at),
        "dueAt": time_or_none(row.due_at),
        "by": _person(row.by_username, row.by_name),
        "automatic": row.automatic,
        "chat": None if row.chat_id is None else str(row.chat_id),
    }


def offers(found: Iterable[TransferRow]) -> Json:
    """Return the frame of the open offers; `ended` has those that were open before."""
    found = list(found)
    return {
        "ev": "offers",
        "offers": [offer(row) for row in found if row.state in OPEN_OFFERS],
        "ended": [offer(row) for row in found if row.state not in OPEN_OFFERS],
    }


def note(row: NoteRow) -> Json:
    """Return what a PSAP has noted about a chat; `psap` is empty for a note of ours."""
    return {"id": str(row.id), "at": time(row.at), "text": row.text, "psap": row.origin}


def history_event(row: EventRow) -> Json:
    """Return an event as the conversation lists it."""
    return {
        "seq": row.seq,
        "kind": row.kind,
        "at": time(row.at),
        "actor": row.actor,
        "data": row.data,
    }


def live_event(
    row: EventRow,
    *,
    card: Json,
    message: Json | None,
    fixes: Sequence[Json] = (),
    data: Sequence[Json] = (),
    references: Sequence[Json] = (),
    reports: Sequence[Json] = (),
    relays: Sequence[Json] = (),
) -> Json:
    """Return an event as consoles get it, with the chat's card after it."""
    event = {
        "ev": row.kind,
        "chat": str(row.chat_id),
        "seq": row.seq,
        "at": time(row.at),
        "actor": row.actor,
        "data": row.data,
        "card": card,
    }
    if message is not None:
        event["message"] = message
    if fixes:
        event["fixes"] = list(fixes)
    if data:
        event["additionalData"] = list(data)
    if references:
        event["references"] = list(references)
    if reports:
        event["reports"] = list(reports)
    if relays:
        event["relays"] = list(relays)
    return event


def snapshot(
    *,
    now: datetime,
    user: User,
    roles: Iterable[str],
    commands: Iterable[str],
    psap: Psap,
    peers: Iterable[Peer],
    cards: Iterable[CardRow],
    alarms: Iterable[Json] = (),
    offers: Iterable[TransferRow] = (),
) -> Json:
    """Return the first frame of a console: who, where and every chat in the queue."""
    return {
        "ev": "snapshot",
        "at": time(now),
        "you": {
            "username": user.username,
            "name": user.shown_name,
            "roles": sorted(roles),
            "commands": list(commands),
        },
        "psap": {
            "name": psap.name,
            "greeting": psap.greeting,
            "closingText": psap.closing_text,
            "redirectText": psap.redirect_text,
            "transferText": psap.transfer_text,
            "lostAfter": psap.lost_after,
            "reports": bool(psap.bad_actor_url),
            "dispositions": [{"value": v, "label": str(name)} for v, name in Disposition.choices],
        },
        "peers": [_peer(peer) for peer in peers],
        "chats": [card(row) for row in cards],
        "alarms": list(alarms),
        "offers": [offer(row) for row in offers],
    }


def _peer(peer: Peer) -> Json:
    return {
        "id": str(peer.pk),
        "name": peer.name,
        "uri": peer.uri,
        "transfers": peer.takes_transfers,
    }


def tests(cards: Iterable[CardRow]) -> Json:
    """Return the list of test calls."""
    return {"chats": [card(row) for row in cards]}


def alarms(found: Iterable[Alarm]) -> list[Json]:
    """Return what needs attention, as the snapshot and the frame `alarms` say it."""
    return [{"code": a.code, "severity": a.severity, "text": a.text} for a in found]


def conversation(found: Conversation) -> Json:
    """Return everything about one chat, as of its card's `seq`."""
    return {
        "card": card(found.chat),
        "signalling": found.signalling,
        "messages": [message(row) for row in found.messages],
        "fixes": [fix(row) for row in found.fixes],
        "additionalData": [additional_data(row) for row in found.data],
        "references": [reference(row) for row in found.references],
        "reports": [report(row) for row in found.reports],
        "relays": [relay(row) for row in found.relays],
        "transfers": [transfer(row) for row in found.transfers],
        "notes": [note(row) for row in found.notes],
        "psaps": [dict(psap) for psap in found.psaps],
        "events": [history_event(row) for row in found.events],
    }


def signs(now: datetime, signs_of_life: Mapping[int, datetime]) -> Json:
    """Return the frame of new signs of life."""
    return {
        "ev": "signs",
        "at": time(now),
        "chats": {str(chat): time(at) for chat, at in signs_of_life.items()},
    }


def _person(username: str | None, name: str | None) -> Json | None:
    return None if username is None else {"username": username, "name": name}
