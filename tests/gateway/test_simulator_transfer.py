"""The simulated app in a transfer (clause 6.2.6), against small PSAPs of the tests' own."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from sipgateway.simulator.agent import NoFinalResponse, Timers
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.fleet import Fleet
from sipgateway.simulator.pace import Plan
from sipgateway.simulator.report import summarise
from sipgateway.simulator.transport import Target, target_of
from tests.support.psap import URI, Manners, SmallPsap
from tests.support.rawsip import RawSip

QUICK = Timers(t1=0.02, t2=0.1)
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def failures(app):
    return [failure.name.value for failure in app.failures]


@asynccontextmanager
async def stalled_app(transport="udp", **options):
    """An app that its PSAP has told to wait; yields PSAP, app and what its PSAP writes by."""
    async with SmallPsap() as psap:
        target = Target(transport, "127.0.0.1", psap.port)
        async with SimulatedApp(target, timers=QUICK, **options) as app:
            await app.start()
            await app.wait_for_type(257)
            psap.stall(psap.arrivals[0])
            await app.wait_for_type(266)
            yield psap, app, psap.arrivals[0]


def statuses(psap):
    return [answer.split()[1] for answer in psap.answers]


@pytest.mark.conformance("6.2.6-7")
async def test_its_user_waits_from_the_266_to_the_265_and_then_writes_to_the_new_peer():
    async with stalled_app() as (psap, app, arrival):
        assert app.transferring
        writing = asyncio.create_task(app.say("Hallo?"))
        assert (await app.heartbeat()).status == 200  # it lives, and its user waits
        assert not writing.done()
        psap.manners.reply_to = "sip:psap-b@b.example"
        psap.say(arrival, 265, "Hier ist B")
        assert (await writing).status == 200

    assert psap.arrivals[-1].line == "MESSAGE sip:psap-b@b.example SIP/2.0"
    assert psap.arrivals[-2].line == f"MESSAGE {URI} SIP/2.0"
    assert len(app.counters.transfer_gaps) == 1
    assert app.failures == []


@pytest.mark.conformance("6.2.6-12")
async def test_a_further_265_is_refused_until_another_266():
    async with stalled_app() as (psap, app, arrival):
        psap.say(arrival, 265, "Hier ist B")
        await app.wait_for_type(265)
        psap.say(arrival, 265, "Und hier C")
        await psap.until(lambda: "403" in statuses(psap))
        assert [message.text for message in app.refused] == ["Und hier C"]
        assert failures(app) == ["start-refused"]
        psap.stall(arrival)
        psap.say(arrival, 265, "Jetzt aber")
        await app.wait_for(lambda message: message.text == "Jetzt aber")
    assert not app.transferring


async def test_a_265_that_comes_twice_is_acknowledged_twice():
    async with stalled_app() as (psap, app, arrival):
        psap.say(arrival, 265, "Hier ist B")
        await app.wait_for_type(265)
        psap._msg_ids.update({key: value - 1 for key, value in psap._msg_ids.items()})
        psap.say(arrival, 265, "Hier ist B", branch="")
        await psap.until(lambda: len(psap.answers) == 4)
    assert set(statuses(psap)) == {"200"}
    assert app.refused == []


async def test_an_acknowledgement_can_get_lost():
    async with stalled_app() as (psap, app, arrival):
        app.lose_answers[265] = 1
        psap.say(arrival, 265, "Hier ist B")
        await app.wait_for_type(265)
        assert not app.transferring
        answered = len(psap.answers)
        psap._msg_ids.update({key: value - 1 for key, value in psap._msg_ids.items()})
        psap.say(arrival, 265, "Hier ist B")
        await psap.until(lambda: len(psap.answers) > answered)
    assert len(psap.answers) == answered + 1
    assert app.failures == []


async def test_a_202_of_a_server_on_the_way_takes_nothing_up():
    async with stalled_app() as (psap, app, arrival):
        app.answers[265] = 202
        psap.say(arrival, 265, "Hier ist B")
        await psap.until(lambda: "202" in statuses(psap))
        assert app.transferring


async def test_an_impatient_user_writes_all_the_same():
    async with stalled_app() as (psap, app, _):
        app.patient = False
        assert (await app.say("Hallo?")).status == 200
    assert psap.arrivals[-1].body == b"Hallo?"


async def test_a_user_does_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr("sipgateway.simulator.app.LONGEST_STALL", 0.05)
    async with stalled_app() as (_, app, _):
        with pytest.raises(NoFinalResponse):
            await app.say("Hallo?")
    assert failures(app) == ["transfer-unfinished"]


async def test_an_app_may_be_one_that_ends_on_a_266():
    async with SmallPsap() as psap:
        target = Target("udp", "127.0.0.1", psap.port)
        async with SimulatedApp(target, timers=QUICK, user_agent="ng112-js/2") as app:
            app.ends_on_transfer = True
            await app.start()
            await app.wait_for_type(257)
            psap.stall(psap.arrivals[0])
            await app.wait_for_type(266)
    assert app.ended_by_psap and not app.transferring
    assert psap.arrivals[0].header("User-Agent") == "ng112-js/2"


@pytest.mark.parametrize("msg_type", [259, 260, 258])
async def test_whoever_writes_to_an_app_that_waits_is_told_on(msg_type):
    async with stalled_app() as (psap, app, arrival):
        psap.say(arrival, msg_type, "Noch etwas")
        await app.wait_for_type(msg_type)
    assert "sent-after-transfer" in failures(app)


async def test_a_new_266_may_skip_msg_ids_that_another_psap_may_have_used():
    async with stalled_app() as (psap, app, arrival):
        psap._msg_ids.update({key: value + 2 for key, value in psap._msg_ids.items()})
        psap.say(arrival, 266, "Noch einen Moment", branch="again")
        psap.say(arrival, 265, "Wir sind wieder da")
        await app.wait_for_type(265)
    assert app.failures == []


@BOTH
async def test_without_a_proxy_it_is_reachable_at_its_uri_and_goes_straight_to_its_peer(transport):
    async with stalled_app(transport, direct=True) as (psap, app, arrival), SmallPsap() as other:
        home = target_of(app.persona.uri, app.agent.target)
        assert home is not None and home.transport == transport
        async with RawSip(home) as caller:  # nobody's proxy: a socket of the transferee's own
            arrival.send = caller.send
            psap.manners.reply_to = f"sip:psap-b@127.0.0.1:{other.port}"
            psap.say(arrival, 265, "Hier ist B")
            await caller.until(lambda: bool(caller.responses))
            assert caller.responses[0].status == 200
        await app.say("Hallo B")

    assert [arrived.body for arrived in other.arrivals] == [b"Hallo B"]
    assert b"Hallo B" not in [arrived.body for arrived in psap.arrivals]
    assert app.failures == []


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("sip:a@127.0.0.1:5070", ("tcp", "127.0.0.1", 5070)),
        ("sip:127.0.0.1", ("tcp", "127.0.0.1", 5060)),
        ("sip:a@127.0.0.1:5070;transport=udp", ("udp", "127.0.0.1", 5070)),
        ("sips:a@[::1]:5071;x=y", ("tls", "::1", 5071)),
        ("sip:a@psap.example.org", None),
        ("urn:service:sos", None),
    ],
)
def test_an_address_in_a_uri_needs_no_proxy(uri, found):
    target = target_of(uri, Target("tcp", "127.0.0.1", 9))
    assert (target and (target.transport, target.host, target.port)) == found


async def test_the_script_waits_for_its_transfer_and_writes_to_the_transferee():
    async with SmallPsap(Manners()) as psap:
        target = Target("tcp", "127.0.0.1", psap.port)
        plan = Plan("transfer", duration=5.0, heartbeat=0.2)
        fleet = Fleet(target, plan, callers=1, rate=100, seed=7, timers=QUICK)
        playing = asyncio.create_task(fleet.run())
        await psap.until(lambda: bool(psap.of_type(260)))
        psap.stall(psap.arrivals[0])
        await psap.until(lambda: len(psap.answers) == 2)
        psap.manners.reply_to = "sip:psap-b@b.example"
        psap.say(psap.arrivals[0], 265, "Hier ist B")
        await psap.until(lambda: bool(psap.of_type(258)))
        await playing
    summary = summarise(fleet, 1.0)
    assert (summary["served"], summary["failures"]) == (1, {})
    assert summary["transferMs"]["max"] > 0
    assert psap.of_type(258)[0].line == "MESSAGE sip:psap-b@b.example SIP/2.0"


async def test_the_script_says_when_nobody_transfers_it():
    async with SmallPsap() as psap:
        target = Target("tcp", "127.0.0.1", psap.port)
        plan = Plan("transfer", duration=0.3, heartbeat=0.2)
        fleet = Fleet(target, plan, callers=1, rate=100, seed=7, timers=QUICK)
        await fleet.run()
    assert summarise(fleet, 1.0)["failures"] == {"transfer-unfinished": 1}
