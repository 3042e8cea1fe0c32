"""Messages that could be put on no chat, as people read them on the status page."""

from chats.models import SetAside
from psap.status import LooseMessage

MOST_SHOWN = 50
LONGEST_SHOWN = 4000


def messages_set_aside() -> list[LooseMessage]:
    """Return the newest of them, their bytes as text."""
    rows = SetAside.objects.select_related("journal").order_by("-at")[:MOST_SHOWN]
    return [
        LooseMessage(
            number=row.pk,
            received_at=row.journal.received_at,
            peer=row.journal.peer,
            error=row.error,
            text=bytes(row.journal.raw).decode("utf-8", "replace")[:LONGEST_SHOWN],
        )
        for row in rows
    ]
