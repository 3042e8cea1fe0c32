"""Work against PostgreSQL is repeated while it may succeed, and only then."""

import asyncio

import psycopg
import pytest

from sipgateway.database import Database


def database() -> Database:
    return Database("postgresql://nobody@127.0.0.1:1/nothing", "test")


async def test_what_the_driver_refuses_to_send_is_not_tried_for_ever():
    """Red when every error without an SQLSTATE counts as an outage: one NUL stopped all intake."""

    async def work() -> None:
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")

    async with asyncio.timeout(2):
        with pytest.raises(psycopg.DataError):
            await database().retry(work)


async def test_a_cancellation_that_the_driver_reports_as_its_own_error_ends_the_work():
    """Red when it counts as an outage: the gateway did not end on SIGTERM."""
    begun = asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise psycopg.OperationalError("the connection is closed") from None

    task = asyncio.create_task(database().retry(work))
    await begun.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done and task.cancelled()


async def test_a_cancellation_that_was_swallowed_ends_the_work_with_its_result():
    begun = asyncio.Event()

    async def work() -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
        return "done"

    task = asyncio.create_task(database().retry(work))
    await begun.wait()
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=2)
    assert done and task.cancelled()
