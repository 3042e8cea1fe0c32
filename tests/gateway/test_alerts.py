"""Data without a session (clause 6.1.2.2, Annex D.3): alerts that ring, and get no answer."""

import secrets

import pytest

from chats.services.errors import SessionNotOpen
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

CAP = b"""<?xml version="1.0"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>smoke-7</identifier><sender>sensor@example.org</sender></alert>"""
CAP_TYPE = "application/EmergencyCallData.cap+xml"


@pytest.fixture(scope="module", autouse=True)
def quick_heartbeats(record):
    """Configured before the module's gateway starts."""
    record.configure(heartbeat_interval=1)


def a_sensor() -> str:
    return f"sip:{secrets.token_hex(6)}@127.0.0.1:9"


def alarm(sensor, body=CAP, content_type=CAP_TYPE, **parts):
    return make_message(
        body=body, content_type=content_type, from_uri=sensor, transport="TCP", **parts
    )


def chats_of(record, sensor):
    """Id, messages, alert flag and disposition of each entry of a sensor, oldest first."""
    return record.rows(
        "SELECT c.id, (SELECT count(*) FROM chats_message m WHERE m.chat_id = c.id), c.alert,"
        " c.disposition FROM chats_chat c WHERE c.caller_uri = %s ORDER BY c.id",
        sensor.rpartition(":")[0],
    )


@pytest.mark.conformance("6.1.2.2-1")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (CAP, CAP_TYPE),
        (b'{"temperature": 81}', "application/json"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
    ids=["cap", "sensor", "binary"],
)
async def test_data_alone_rings_as_an_alert_and_is_not_answered(
    gateway, record, body, content_type
):
    sensor, witness = a_sensor(), Caller()
    target = gateway.target()
    async with RawSip(target) as device, RawSip(target) as app:
        assert (await device.exchange(alarm(sensor, body, content_type))).status == 200
        await eventually(lambda: len(chats_of(record, sensor)) == 1, "it is on the record")
        ((chat, messages, alert, disposition),) = chats_of(record, sensor)
        assert (messages, alert, disposition) == (1, True, None)
        assert record.value("SELECT ringing_since FROM chats_chat WHERE id = %s", chat)
        opened = record.value(
            "SELECT data FROM chats_chatevent WHERE chat_id = %s AND seq = 1", chat
        )
        assert opened["alert"] and opened["standalone"]
        await app.exchange(witness.start())
        await app.until(lambda: [kind_of(r) for r in app.requests].count(lmpe.HEARTBEAT) == 3, 15)
        assert device.requests == []

        record.claim(chat)
        with pytest.raises(SessionNotOpen):
            record.send(chat, "Hallo, Sensor")
        record.close_chat(chat, "wird verworfen")
        beats = len(app.requests)
        await app.until(lambda: len(app.requests) >= beats + 3, 15)
        assert device.requests == []
    assert record.outgoing(chat) == []
    record.verify(chat)


async def test_a_source_that_repeats_rings_once_until_it_is_closed(gateway, record):
    """Red without the open alerts of a source: a sensor at 1 Hz filled the queue."""
    sensor, other = a_sensor(), a_sensor()
    async with RawSip(gateway.target()) as device:
        for _ in range(20):
            device.send(alarm(sensor))  # many in one batch
        device.send(alarm(other))
        await eventually(lambda: len(device.responses) == 21, "all are acknowledged")
        await eventually(lambda: [row[1] for row in chats_of(record, sensor)] == [20], "in one")
        await device.exchange(alarm(sensor))
        await eventually(lambda: [row[1] for row in chats_of(record, sensor)] == [21], "in one")
        assert [row[1] for row in chats_of(record, other)] == [1]
        chat = chats_of(record, sensor)[0][0]
        record.claim(chat)
        record.close_chat(chat)
        await device.exchange(alarm(sensor))
        await eventually(
            lambda: (
                [row[1:] for row in chats_of(record, sensor)]
                == [(21, True, "resolved"), (1, True, None)]
            ),
            "a new one rings",
        )
    record.verify(chat)


async def test_an_alert_waits_for_its_entry_that_somebody_holds(gateway, record):
    """Red without the unique constraint: a locked entry counted as none, and two rang."""
    sensor = a_sensor()
    async with RawSip(gateway.target()) as device:
        await device.exchange(alarm(sensor))
        await eventually(lambda: len(chats_of(record, sensor)) == 1, "it is on the record")
        with record.session() as holder:
            chat = chats_of(record, sensor)[0][0]
            holder.execute("SELECT FROM chats_chat WHERE id = %s FOR UPDATE", (chat,))
            await device.exchange(alarm(sensor))
            witness = a_sensor()
            await device.exchange(alarm(witness))
            await eventually(lambda: len(chats_of(record, witness)) == 1, "others go on")
            assert [row[1] for row in chats_of(record, sensor)] == [1]
        await eventually(lambda: [row[1] for row in chats_of(record, sensor)] == [2], "then it is")


async def test_who_asserts_another_identity_is_another_source(gateway, record):
    sensor = a_sensor()
    asserted = ("P-Asserted-Identity", "<sip:hub@provider.example>")
    async with RawSip(gateway.target()) as device:
        await device.exchange(alarm(sensor))
        await device.exchange(alarm(sensor, headers=(asserted,)))
        await eventually(
            lambda: [row[1] for row in chats_of(record, sensor)] == [1, 1], "they are two"
        )


@pytest.mark.conformance("6.1.2.2-3")
async def test_a_text_without_a_call_is_a_chat_of_its_own_each_time(gateway, record):
    """A human who writes outside of a session is no alert, and is not put together with others."""
    human = a_sensor()
    async with RawSip(gateway.target()) as phone:
        for text in (b"Hilfe", b"Hilfe"):
            await phone.exchange(alarm(human, text, "text/plain"))
        await eventually(
            lambda: [row[1:3] for row in chats_of(record, human)] == [(1, False), (1, False)],
            "two chats",
        )
