"""Whether a task is to end, for loops that must not outlive their cancellation."""

import asyncio


def is_cancelled() -> bool:
    """Tell whether the running task has been cancelled, though nothing was raised in it.

    `asyncio.wait_for` of Python 3.11, and psycopg by it, swallows a cancellation that comes at the
    same moment as its result; and a driver may report one as an error of its connection.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
