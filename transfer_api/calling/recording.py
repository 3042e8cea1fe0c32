"""Writing down what came of a call, until it is written."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error as DatabaseFailure
from django.db import connection

from chats.services.errors import ChatBusy

logger = logging.getLogger(__name__)

PAUSE = 0.1
# Then the lease has long run out and the call is made again; the same bytes get the same answer.
LONGEST = 60.0
Result = TypeVar("Result")


def until_done(write: Callable[[], Result]) -> Result:
    """Do a write again while its chat is held by somebody else or PostgreSQL is away.

    Raises the last failure after a minute.
    """
    patience = time.monotonic() + LONGEST
    while True:
        try:
            return write()
        except (ChatBusy, DatabaseFailure) as error:
            if time.monotonic() >= patience:
                raise
            logger.info("the outcome of a call waits to be written down: %s", error or "busy")
            if isinstance(error, DatabaseFailure):
                connection.close()
            time.sleep(PAUSE)
