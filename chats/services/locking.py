"""Taking a chat's row, with a bound on how long a command waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from psycopg import errors as postgres

from chats.models import Chat
from chats.services.errors import ChatBusy, ChatUnknown, NotYourChat
from psap.models import User

LOCK_TIMEOUT = "3s"
STATEMENT_TIMEOUT = "10s"


@contextmanager
def bounded_transaction(*, lock_timeout: str = "", statement_timeout: str = "") -> Iterator[None]:
    """Run a block in one transaction that waits 3 s at most for any lock; raises ChatBusy.

    Where much is written the times may be others, such as "15s".
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('lock_timeout', %s, true),"
                    " set_config('statement_timeout', %s, true)",
                    [lock_timeout or LOCK_TIMEOUT, statement_timeout or STATEMENT_TIMEOUT],
                )
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, postgres.LockNotAvailable | postgres.QueryCanceled):
            raise ChatBusy from error
        raise


def lock_chat(chat_id: int) -> Chat:
    """Lock and return a chat's row; raises ChatUnknown. Only inside `bounded_transaction`.

    NO KEY UPDATE: rows that refer to the chat may still be inserted by others.
    """
    try:
        return Chat.objects.select_for_update(no_key=True).get(pk=chat_id)
    except Chat.DoesNotExist as error:
        raise ChatUnknown from error


def lock_own_chat(chat_id: int, call_taker: User) -> Chat:
    """Lock and return a chat that the call-taker has; raises ChatUnknown, NotYourChat."""
    chat = lock_chat(chat_id)
    if chat.owner_id != call_taker.pk:
        raise NotYourChat
    return chat


@transaction.atomic
def update_free(rows: "QuerySet[Any]", **values: object) -> set[int]:
    """Update the rows that nobody holds; returns their ids.

    Who waits for one that is held would keep those that it has already from everybody else.
    """
    free = rows.select_for_update(skip_locked=True, no_key=True, of=("self",))
    found = set(free.values_list("pk", flat=True))
    rows.model._default_manager.filter(pk__in=found).update(**values)
    return found
