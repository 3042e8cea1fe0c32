"""Waiting for a condition from asynchronous tests, with a deadline and never longer than needed."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value")

LOOK_AGAIN = 0.02


async def eventually(
    condition: Callable[[], Value], what: str, within: float = 5.0, *, every: float = LOOK_AGAIN
) -> Value:
    """Return what `condition()` returns once that is true; fails the test after `within` seconds.

    The condition is looked at once more at the deadline, so that a busy machine does not decide.
    """
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() >= deadline
        if value := condition():
            return value
        assert not late, f"not within {within} s: {what}"
        await asyncio.sleep(every)
