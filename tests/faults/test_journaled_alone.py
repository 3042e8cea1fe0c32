"""The gateway dies between the 200 and all that follows from it: it follows after the restart."""

import asyncio
import signal

import pytest

from psap.models import Trunk
from sipgateway.simulator import lmpe
from tests.support.caller import Caller, kind_of
from tests.support.eventually import eventually
from tests.support.rawsip import RawSip
from tests.support.tls import Pki, TlsPeer, drop_tls_trunk, listening, make_tls_trunk

WITHIN = 15.0
ASSERTED = "sip:+436645550001@provider.example"
HERE, ELSEWHERE = "127.0.0.0/8 ::1/128", "192.0.2.0/24"
TEST = "urn:service:sos.test"


async def dies_at(gateway, point, proof):
    await eventually(lambda: not gateway.is_running(), f"it dies: {point}", WITHIN)
    assert gateway.wait_for_end() == -signal.SIGKILL
    assert proof.read_text() == point


@pytest.mark.parametrize("point", ["after-200", "after-sending", "before-marking"])
async def test_a_test_call_is_answered_after_the_restart_with_exactly_one_258(
    gateway, record, tmp_path, point
):
    """Red without the sweep, or without the request key: its repetition was another test."""
    record.configure(test_interval=120, test_limit=10)
    proof, caller = tmp_path / "reached", Caller("UDP", uri=f"sip:{point}@127.0.0.1:9")
    gateway.start(PSAP_FAIL_POINT=f"{point}:{proof}")
    async with RawSip(gateway.target("udp")) as app:
        data = caller.start(uri=TEST)
        app.send(data)
        await dies_at(gateway, point, proof)
        gateway.launch()
        async with asyncio.timeout(WITHIN):
            while not app.responses:
                app.send(data)  # as Timer E would
                await asyncio.wait({asyncio.ensure_future(heard(app))}, timeout=0.5)
        chat = await eventually(lambda: record.chat_id(caller.call_id), "it is on the record")
        await eventually(
            lambda: [status for _, status in record.outgoing(chat)] == ["delivered"], "answered", 10
        )
        assert (await app.exchange(data)).status == 200
    assert {response.status for response in app.responses} == {200}
    assert {kind_of(request) for request in app.requests} == {lmpe.STOP}
    assert len(set(app.raw_requests)) == 1
    assert record.texts_in(caller.call_id) == ["Hilfe!"]
    kinds = [event["kind"] for event in record.export(chat)["events"]]
    assert kinds.count("test-answered") == kinds.count("chat-closed") == 1
    record.verify(chat)


async def heard(app):
    await app.until(lambda: bool(app.responses), WITHIN)


@pytest.mark.parametrize("trusted", [True, False])
async def test_what_was_journaled_alone_keeps_who_it_is_from(gateway, record, tmp_path, trusted):
    """Red when the sweep decides anew whom we trust, by an address or by today's configuration."""
    proof, caller = tmp_path / "reached", Caller("TLS")
    pki, asserted = Pki(), ("P-Asserted-Identity", f"<{ASSERTED}>")
    before, after = (HERE, ELSEWHERE) if trusted else (ELSEWHERE, HERE)
    make_tls_trunk(record, pki)
    record.run(lambda: Trunk.objects.update(trusted_networks=before))
    try:
        gateway.start(PSAP_FAIL_POINT=f"after-200:{proof}")
        await listening(gateway.sips_port)
        async with TlsPeer(gateway.tls_target(), pki.context()) as peer:
            assert (await peer.exchange(caller.start(headers=(asserted,)))).status == 200
        await dies_at(gateway, "after-200", proof)
        assert record.chat_id(caller.call_id) is None
        record.run(lambda: Trunk.objects.update(trusted_networks=after))
        gateway.start()
        chat = await eventually(lambda: record.chat_id(caller.call_id), "it is projected", WITHIN)
    finally:
        drop_tls_trunk(record)
        record.run(lambda: Trunk.objects.update(trusted_networks=HERE))
    known = record.value("SELECT asserted_uri FROM chats_chat WHERE id = %s", chat)
    assert known == (ASSERTED if trusted else "")
    record.verify(chat)
