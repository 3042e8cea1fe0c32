"""The simulated app over real sockets, against a small PSAP of the tests' own."""

import pytest

from sipgateway.simulator.agent import NoFinalResponse, Timers
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.transport import Target
from tests.support.psap import URI, Manners, SmallPsap
from tests.support.rawsip import RawSip, make_message

QUICK = Timers(t1=0.02, t2=0.1)
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def app_for(psap, transport="udp"):
    return SimulatedApp(Target(transport, "127.0.0.1", psap.port), timers=QUICK)


def failures(app):
    return [failure.name.value for failure in app.failures]


@BOTH
async def test_start_carries_place_person_and_text_and_the_reply_to_becomes_the_target(transport):
    async with SmallPsap() as psap, app_for(psap, transport) as app:
        response = await app.start("Hilfe 🚑")
        greeting = await app.wait_for_type(257)
        await app.say("Ich bin hier")

    start, text = psap.arrivals
    assert response.status == 200
    assert greeting.text == "Was ist passiert?"
    assert start.line == f"MESSAGE {app.persona.dialled} SIP/2.0"
    assert start.header("Content-Type").startswith("multipart/mixed; boundary=")
    assert b"<gs:Circle" in start.body
    assert b"SubscriberInfo" in start.body
    assert "Hilfe 🚑".encode() in start.body
    assert text.line == f"MESSAGE {URI} SIP/2.0"
    assert text.body.decode() == "Ich bin hier"
    assert text.call_info("callid") == start.call_info("callid") == app.call_id
    assert text.call_info("msgid").split(":")[-2] == "2"
    assert text.header("Call-ID") != start.header("Call-ID")
    assert app.failures == []


async def test_location_travels_when_it_has_changed_and_an_idle_heartbeat_is_empty():
    async with SmallPsap() as psap, app_for(psap) as app:
        await app.start()
        await app.heartbeat()
        app.move(48.2, 16.37, 40)
        await app.heartbeat(inactive=True)

    idle, moved = psap.arrivals[1:]
    assert (idle.msg_type, idle.body) == (260, b"")
    assert idle.header("Content-Type").startswith("multipart/mixed")
    assert moved.msg_type == 388
    assert b"<gml:pos>48.200000 16.370000</gml:pos>" in moved.body
    assert moved.header("Geolocation").startswith("<cid:")


async def test_call_id_and_headers_of_a_proxy_can_be_given():
    call_id = "urn:emergency:uid:callid:0123456789:x"
    async with SmallPsap() as psap:
        target = Target("udp", "127.0.0.1", psap.port)
        async with SimulatedApp(target, call_id=call_id, timers=QUICK) as app:
            app.proxy_headers = [("P-Asserted-Identity", "<sip:alice@example.org>")]
            await app.start()

    assert psap.arrivals[0].call_info("callid") == call_id
    assert psap.arrivals[0].header("P-Asserted-Identity") == "<sip:alice@example.org>"


async def test_lost_datagrams_are_sent_again_until_answered():
    async with SmallPsap(Manners(lose_first=3)) as psap, app_for(psap) as app:
        await app.start()

    assert len(psap.arrivals) == 1
    assert app.agent.counters.retransmissions == 3
    assert app.failures == []


async def test_unanswered_request_fails_by_name_when_timer_f_fires():
    async with SmallPsap(Manners(lose_first=999)) as psap, app_for(psap) as app:
        with pytest.raises(NoFinalResponse):
            await app.start()

    assert failures(app) == ["request-unanswered"]


async def test_refused_request_fails_by_name():
    manners = Manners(status=503, greeting_type=None)
    async with SmallPsap(manners) as psap, app_for(psap) as app:
        await app.start()

    assert failures(app) == ["request-refused"]


async def test_repeated_psap_message_is_answered_again_and_shown_once():
    async with SmallPsap(Manners(repeat_greeting=3)) as psap, app_for(psap) as app:
        await app.start()
        await psap.until(lambda: len(psap.answers) == 3)

    assert len(app.received) == 1
    assert app.agent.counters.duplicates == 2
    assert len(set(psap.answers)) == 1
    assert app.failures == []


async def test_psap_message_repeated_under_another_branch_is_shown_once():
    async with SmallPsap(Manners(greeting_type=None)) as psap, app_for(psap) as app:
        await app.start()
        psap.say(psap.arrivals[0], 257, "Hallo", branch="a")
        await psap.until(lambda: len(psap.answers) == 1)
        psap._msg_ids.clear()
        psap.say(psap.arrivals[0], 257, "Hallo", branch="b")
        await psap.until(lambda: len(psap.answers) == 2)

    assert len(app.received) == 1


async def test_lost_connection_is_opened_again_and_the_request_repeated():
    async with SmallPsap(Manners(close_after=1)) as psap, app_for(psap, "tcp") as app:
        await app.start()
        await app.say("noch da?")

    assert [arrival.msg_type for arrival in psap.arrivals] == [257, 259]
    assert app.agent.counters.reconnections == 1
    assert app.failures == []


async def test_message_that_the_app_refuses_is_not_received():
    async with SmallPsap(Manners(greeting_type=None)) as psap, app_for(psap) as app:
        await app.start()
        app.answer_status = 480
        psap.say(psap.arrivals[0], 257, "Hallo")
        await psap.until(lambda: len(psap.answers) == 1)

    assert psap.answers[0].startswith("SIP/2.0 480 ")
    assert app.received == []


async def test_vanished_app_answers_nothing():
    async with SmallPsap() as psap, app_for(psap) as app, app_for(psap) as witness:
        await app.start()
        app.vanish()
        psap.say(psap.arrivals[0], 259, "Sind Sie da?")
        await witness.start()
        await witness.wait_for_type(257)
        await psap.until(lambda: len(psap.answers) == 2)

    assert [message.msg_type for message in app.received] == [257]
    assert app.failures == []


@BOTH
async def test_options_is_answered_and_an_invite_refused(transport):
    async with SmallPsap() as psap, app_for(psap, transport) as app:
        await app.start()
        for method in ("OPTIONS", "INVITE", "ACK", "CANCEL"):
            request = make_message(method=method, branch=f"z9hG4bK{method}", body=b"")
            psap.arrivals[0].send(request)
        await psap.until(lambda: len(psap.answers) == 4)

    assert [answer[8:11] for answer in psap.answers] == ["200", "200", "405", "481"]
    assert "Allow: MESSAGE, OPTIONS" in psap.answers[1]


@BOTH
async def test_raw_bytes_get_their_final_response_and_psap_messages_are_kept(transport):
    info = "<urn:emergency:uid:callid:0123456789:x>;purpose=EmergencyCallData.CallId"
    start = "<urn:emergency:service:uid:msgtype:257:x>;purpose=EmergencyCallData.MsgType"
    async with SmallPsap() as psap, RawSip(Target(transport, "127.0.0.1", psap.port)) as raw:
        response = await raw.exchange(
            make_message(call_info=(info, start), transport=transport.upper())
        )
        await raw.until(lambda: len(raw.requests) == 1)
        await psap.until(lambda: len(psap.answers) == 1)

    assert response.status == 200
    assert raw.requests[0].header("reply-to") == URI
