"""Certificates that peers have shown, for the admin's list and the alarm before they expire."""

from datetime import datetime

from psap.certificates import Identity
from sipgateway.database import Database

# One row for each certificate; the trunk is that on which it was seen last.
_UPSERT = b"""
INSERT INTO psap_peercertificate (trunk, fingerprint, subject, names, not_after, seen_at)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::timestamptz[],
                     %b::timestamptz[])
ON CONFLICT (fingerprint) DO UPDATE SET trunk = excluded.trunk, seen_at = excluded.seen_at
"""
MOST_WAITING = 1000


class PeerCertificates:
    """Collects what was seen and writes it down now and then."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, Identity, datetime]] = {}

    def note(self, trunk: str, identity: Identity, at: datetime) -> None:
        """Take a certificate by which a peer was admitted."""
        if len(self._seen) < MOST_WAITING:
            self._seen[identity.fingerprint] = (trunk, identity, at)

    async def flush(self, database: Database) -> None:
        """Write down what was seen since the last time; raises psycopg.Error."""
        if not self._seen:
            return
        seen = list(self._seen.values())
        connection = await database.connection()
        await connection.execute(
            _UPSERT,
            (
                [trunk[:100] for trunk, _, _ in seen],
                [one.fingerprint for _, one, _ in seen],
                [one.subject.replace("\0", "") for _, one, _ in seen],
                [" ".join(one.names).replace("\0", "") for _, one, _ in seen],
                [one.not_after for _, one, _ in seen],
                [at for _, _, at in seen],
            ),
        )
        for _, one, at in seen:
            if self._seen.get(one.fingerprint, (None, None, None))[2] == at:
                del self._seen[one.fingerprint]
