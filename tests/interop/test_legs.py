"""The way between BCF and PSAP: one TLS connection for both directions, or plain where allowed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.conftest import stand_behind
from tests.support.answering import answered, card_of, said
from tests.support.instance import Instance
from tests.support.kamailio import Kamailio, running_kamailio
from tests.support.live_console import LiveConsole
from tests.support.ng112 import NgApp

ESTABLISHED = "01"


def open_between(psap: Instance, kamailio: Kamailio) -> set[int]:
    """Return the ports from which either side has connected to the other's TLS."""
    accepted = {psap.environment.sips_port, kamailio.inside_port}
    found = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state = line.split()[:4]
        if state == ESTABLISHED and int(local.partition(":")[2], 16) in accepted:
            found.add(int(remote.partition(":")[2], 16))
    return found


@pytest.mark.conformance("6.1.1-1", "6.1.1-2", "6.1.1-8", "6.1.1-9")
async def test_one_tls_connection_carries_both_directions(
    kamailio: Kamailio, desk: LiveConsole, psap: Instance
):
    async with NgApp(kamailio.endpoint, "anna") as app:
        call, chat = await answered(app, desk)
        before = open_between(psap, kamailio)
        await said(desk, chat, "Wo sind Sie?")
        await app.hears("Wo sind Sie?")
        await app.say("Im Bad")
        shown = await desk.shows("Im Bad")
        await app.stop("Ende")
        await desk.until(card_of(call, session="stopped"))
        assert open_between(psap, kamailio) == before
    peers = psap.rows(
        "SELECT DISTINCT transport, peer FROM chats_journal WHERE position(%s::bytea in raw) > 0",
        call.encode(),
    )
    assert [transport for transport, _ in peers] == ["tls"]
    assert int(peers[0][1].rpartition(":")[2]) in before
    assert not shown["card"].get("unprotected")


@pytest.fixture(params=["tcp", "udp"])
def plain_kamailio(
    psap: Instance, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Kamailio]:
    """A BCF on the same closed network as the PSAP, without certificates."""
    transport = request.param
    with running_kamailio(tmp_path, psap_port=psap.sip_port, psap_transport=transport) as running:
        stand_behind(psap, running, "plain")
        yield running


@pytest.mark.conformance("6.1.1-3")
async def test_a_chat_from_start_to_stop_without_tls(plain_kamailio: Kamailio, desk: LiveConsole):
    async with NgApp(plain_kamailio.endpoint, "bert") as app:
        call, chat = await answered(app, desk, heartbeat=1000)
        await said(desk, chat, "Wo sind Sie?")
        await app.hears("Wo sind Sie?")
        plain_kamailio.kill()
        plain_kamailio.start()
        await said(desk, chat, "Hören Sie mich?")
        await app.hears("Hören Sie mich?", within=30)
        await app.say("Im Bad")
        await desk.shows("Im Bad")
        closed = await desk.command("close", chat=chat, disposition="resolved", text="Danke.")
        assert closed["ok"], closed
        await app.becomes("stopped")
        await desk.until(card_of(call, session="stopped", endedBy="calltaker"))
