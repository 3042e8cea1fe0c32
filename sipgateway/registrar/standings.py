"""The rows that people see: how each account stands, and that this process lives."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sipgateway.database import Connection

# An account may have been deleted meanwhile: then there is nothing to write.
_WRITE = """
INSERT INTO psap_registration
    (account_id, state, registrar, contact, sip_status, reason, registered_until, changed_at)
SELECT f.* FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::text[], %b::int[], %b::text[],
    %b::timestamptz[], %b::timestamptz[])
    AS f(account_id, state, registrar, contact, sip_status, reason, registered_until, changed_at)
JOIN psap_sipaccount a ON a.id = f.account_id
ON CONFLICT (account_id) DO UPDATE SET
    state = excluded.state, registrar = excluded.registrar, contact = excluded.contact,
    sip_status = excluded.sip_status, reason = excluded.reason,
    registered_until = excluded.registered_until,
    changed_at = CASE WHEN psap_registration.state = excluded.state
        THEN psap_registration.changed_at ELSE excluded.changed_at END
"""
# What a process before this one has left.
_NOBODY_ELSE = """
UPDATE psap_registration SET state = 'off', registered_until = NULL, changed_at = %b
WHERE state <> 'off' AND account_id <> ALL(%b)
"""
_BEAT = """
INSERT INTO psap_serviceprocess (name, instance, started_at, beat_at, figures)
VALUES ('registrar', %b, %b, %b, %b::jsonb)
ON CONFLICT (name, instance) DO UPDATE
SET started_at = excluded.started_at, beat_at = excluded.beat_at, figures = excluded.figures
"""
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Row:
    """One account as it is shown."""

    account_id: int
    state: str
    registrar: str
    contact: str
    sip_status: int | None
    reason: str
    registered_until: datetime | None


async def write_standings(connection: Connection, rows: Iterable[Row], now: datetime) -> None:
    """Write how accounts stand; `changed_at` moves with the state alone."""
    written = list(rows)
    await connection.execute(
        _WRITE,
        (
            [row.account_id for row in written],
            [row.state for row in written],
            [row.registrar[:400] for row in written],
            [row.contact[:800] for row in written],
            [row.sip_status for row in written],
            [row.reason[:LONGEST_REASON] for row in written],
            [row.registered_until for row in written],
            [now for _ in written],
        ),
    )


async def leave_others_off(connection: Connection, ours: Iterable[int], now: datetime) -> None:
    """Mark as off what a process before this one has left as registered."""
    await connection.execute(_NOBODY_ELSE, (now, list(ours)))


async def beat(
    connection: Connection,
    *,
    instance: str,
    started_at: datetime,
    now: datetime,
    figures: dict[str, object],
) -> None:
    """Leave a sign of life of this process and what it counts."""
    await connection.execute(_BEAT, (instance, started_at, now, json.dumps(figures)))
