"""SIPp, a SIP stack that we did not write, as the app: straight to the gateway, and by Kamailio."""

from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.instance import Instance
from tests.support.kamailio import Kamailio
from tests.support.sipp import run_sipp

BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])
CHATS = """
    SELECT session, ended_by, (
        SELECT string_agg(btrim(text, E'\\r\\n'), '|' ORDER BY m.id) FROM chats_message m
        WHERE m.chat_id = c.id AND direction = 'in' AND text <> ''
    ) FROM chats_chat c WHERE unique_part LIKE %s ORDER BY id
"""
UNDELIVERED = """
    SELECT count(*) FROM chats_chat c WHERE unique_part LIKE %s AND NOT EXISTS (
        SELECT 1 FROM chats_message m WHERE m.chat_id = c.id AND direction = 'out'
        AND type = 257 AND status = 'delivered' AND sip_status = 200)
"""


def like(prefix: str) -> str:
    return f"{prefix}%"


async def greeted(psap: Instance, prefix: str) -> None:
    """Wait until SIPp has acknowledged our first message in each chat of a run."""
    await eventually(
        lambda: psap.rows(UNDELIVERED, like(prefix)) == [(0,)], "all were greeted", within=15
    )


async def chats_of(psap: Instance, prefix: str, count: int) -> list[tuple[str, str, str]]:
    """Wait until all chats of a run have ended; returns session, ended_by and texts of each."""

    def all_ended() -> list[tuple[str, str, str]]:
        rows = psap.rows(CHATS, like(prefix))
        return rows if [row[0] for row in rows].count("stopped") == count else []

    return await eventually(all_ended, f"{count} chats have ended", within=20)


@pytest.mark.conformance("5.6-1", "6.2.2-3", "6.2.4-1", "6.2.5-3")
@BOTH
async def test_a_chat_from_start_to_stop(psap: Instance, tmp_path: Path, transport: str):
    run = run_sipp("chat", psap.sip_port, tmp_path, transport=transport)
    assert await chats_of(psap, run.prefix, 1) == [
        ("stopped", "caller", "Start 1|First 1|Second 1|Stop 1")
    ]
    await greeted(psap, run.prefix)


@BOTH
async def test_two_hundred_chats_at_once(psap: Instance, tmp_path: Path, transport: str):
    run = run_sipp("chat", psap.sip_port, tmp_path, transport=transport, calls=200, rate=200)
    chats = await chats_of(psap, run.prefix, 200)
    assert sorted(texts for _, _, texts in chats) == sorted(
        f"Start {n}|First {n}|Second {n}|Stop {n}" for n in range(1, 201)
    )
    await greeted(psap, run.prefix)


@pytest.mark.conformance("6.1.2.3-2", "6.2.3-3")
@BOTH
async def test_callers_without_registration_are_served_and_not_vouched_for(
    psap: Instance, kamailio: Kamailio, tmp_path: Path, transport: str
):
    run = run_sipp("chat", kamailio.port, tmp_path, transport=transport, calls=50, rate=50)
    await chats_of(psap, run.prefix, 50)
    await greeted(psap, run.prefix)
    callers = psap.rows(
        "SELECT DISTINCT asserted_uri, transport FROM chats_chat WHERE unique_part LIKE %s",
        like(run.prefix),
    )
    assert callers == [("", "tls")]


@pytest.mark.conformance("6.1.1-3")
async def test_what_is_repeated_because_its_answer_was_lost_is_stored_once(
    psap: Instance, tmp_path: Path
):
    run = run_sipp("lossy", psap.sip_port, tmp_path, calls=20)
    texts = psap.rows(
        "SELECT m.text FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id"
        " WHERE unique_part LIKE %s AND direction = 'in'",
        like(run.prefix),
    )
    assert sorted(text.strip() for (text,) in texts) == sorted(f"Lossy {n}" for n in range(1, 21))


@pytest.mark.conformance("6.1.2.8-1", "5.6-4")
@BOTH
async def test_a_place_comes_beside_a_text(psap: Instance, tmp_path: Path, transport: str):
    run = run_sipp("place", psap.sip_port, tmp_path, transport=transport)
    fixes = await eventually(
        lambda: psap.rows(
            "SELECT shape, latitude, longitude, radius, method FROM chats_locationfix f"
            " JOIN chats_chat c ON c.id = f.chat_id WHERE unique_part LIKE %s",
            like(run.prefix),
        ),
        "the place is on the record",
    )
    assert fixes == [("Circle", 47.5, 13.25, 25.0, "GPS")]


@pytest.mark.conformance("6.1.1-4")
@pytest.mark.parametrize(("transport", "length"), [("udp", 10_000), ("tcp", 60_000)])
async def test_a_big_message_comes_whole(
    psap: Instance, tmp_path: Path, transport: str, length: int
):
    text = "".join(f"line {n:04} " for n in range(length // 10))
    (tmp_path / "big.txt").write_text(text)
    run = run_sipp("big", psap.sip_port, tmp_path, transport=transport)
    stored = await eventually(
        lambda: psap.rows(
            "SELECT m.text FROM chats_message m JOIN chats_chat c ON c.id = m.chat_id"
            " WHERE unique_part LIKE %s AND direction = 'in'",
            like(run.prefix),
        ),
        "the text is on the record",
    )
    assert stored[0][0].rstrip() == text.rstrip()


@BOTH
async def test_an_invite_is_refused_and_options_are_answered(
    psap: Instance, tmp_path: Path, transport: str
):
    run_sipp("unwelcome", psap.sip_port, tmp_path, transport=transport)


@pytest.mark.conformance("6.1.2.10-5", "6.1.2.10-7", "6.1.2.10-12")
async def test_a_second_test_call_comes_too_soon(psap: Instance, tmp_path: Path):
    run = run_sipp("testcall", psap.sip_port, tmp_path)
    ((session, ended_by, _),) = await chats_of(psap, run.prefix, 1)
    assert (session, ended_by) == ("stopped", "system")


async def test_sipp_says_so_when_an_answer_is_another_one(psap: Instance, tmp_path: Path):
    """Red where SIPp's exit code would tell nothing."""
    run = run_sipp("refused", psap.sip_port, tmp_path, patience=1.0, expected=1)
    assert "receive timeout on message refused:1" in run.said
