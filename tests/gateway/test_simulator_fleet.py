"""Scripts of many callers, the report and the command line."""

import asyncio
import json
import re
import sys

import pytest

from sipgateway.simulator.agent import Timers
from sipgateway.simulator.fleet import Fleet
from sipgateway.simulator.pace import Plan
from sipgateway.simulator.report import render, summarise
from sipgateway.simulator.transport import Target
from tests.support.blast import Blast
from tests.support.psap import Manners, SmallPsap

QUICK = Timers(t1=0.02, t2=0.1)


def fleet_for(psap, script="chat", transport="udp", callers=3, **plan):
    target = Target(transport, "127.0.0.1", psap.port)
    plan = Plan(script, **{"duration": 0.6, "heartbeat": 0.2, "patience": 0.5, **plan})
    return Fleet(target, plan, callers, rate=1000, seed=1, timers=QUICK)


async def run(manners=None, **options):
    """Play a fleet; return its summary and the PSAP."""
    async with SmallPsap(manners or Manners()) as psap:
        fleet = fleet_for(psap, **options)
        await fleet.run()
        return summarise(fleet, 1.0), psap


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_chat_writes_beats_and_stops(transport):
    summary, psap = await run(transport=transport)

    assert (summary["served"], summary["unserved"], summary["failures"]) == (3, 0, {})
    assert {chat["endedBy"] for chat in summary["chats"]} == {"caller"}
    assert len(psap.of_type(258)) == 3
    assert len(psap.of_type(259)) == 9
    assert summary["heartbeatsSent"] >= 3
    assert summary["textsSent"] == 15
    assert summary["greetingMs"]["p50"] > 0


async def test_mover_reports_another_place_in_every_message():
    _, psap = await run(script="mover", callers=1)

    places = [a.body.partition(b"<gml:pos>")[2].partition(b"<")[0] for a in psap.of_type(259)]
    assert len(set(places)) == 3
    assert b"" not in places


async def test_silent_sends_heartbeats_and_a_stop_without_any_text():
    summary, psap = await run(script="silent", callers=1)

    assert psap.of_type(259) == []
    assert psap.of_type(260)
    assert summary["textsSent"] == 1  # the start's
    assert summary["served"] == 1


async def test_vanish_ends_without_a_stop_and_is_no_failure():
    summary, psap = await run(script="vanish", callers=1)

    assert psap.of_type(258) == []
    assert len(psap.of_type(259)) == 2
    assert summary["chats"][0]["endedBy"] == "vanished"
    assert summary["served"] == 1


async def test_caller_answers_a_call_taker_and_waits_again_until_the_psap_stops():
    async with SmallPsap() as psap:
        fleet = fleet_for(psap, callers=1)
        running = asyncio.create_task(fleet.run())
        await psap.until(lambda: len(psap.of_type(259)) == 3)
        psap.say(psap.arrivals[0], 259, "Wie viele Personen?")
        await psap.until(lambda: len(psap.of_type(259)) == 4)
        psap.say(psap.arrivals[0], 258, "Auf Wiedersehen")
        await running

    chat = summarise(fleet, 1.0)["chats"][0]
    assert psap.of_type(259)[3].body.decode() == "Ja, verstanden 👍"
    assert psap.of_type(258) == []
    assert (chat["endedBy"], chat["textsReceived"], chat["failures"]) == ("psap", 3, [])


@pytest.mark.parametrize(
    ("manners", "name"),
    [
        (Manners(greeting_type=None), "greeting-missing"),
        (Manners(greeting_type=259), "first-not-257"),
        (Manners(reply_to="<sip:psap@psap.example.org>"), "reply-to-name-addr"),
        (Manners(first_msg_id=2), "msg-id-order"),
        (Manners(extra_headers=("P-Asserted-Identity: <sip:p@x>",)), "p-asserted-identity-present"),
        (Manners(call_info=lambda lines: lines.replace("dec", "x").upper()), "call-id-missing"),
    ],
)
async def test_caller_who_is_not_served_counts_under_the_failures_name(manners, name):
    summary, _ = await run(manners, callers=2)

    assert summary["unserved"] == 2
    assert summary["failures"][name] == 2
    assert name in render(summary, terminal=False)
    assert name in render(summary, terminal=True)


async def test_nobody_listening_is_a_refused_connection():
    fleet = fleet_for(type("Nobody", (), {"port": 9}), transport="tcp", callers=1)
    await fleet.run()

    assert summarise(fleet, 1.0)["failures"] == {"connection-refused": 1}


async def test_hundreds_of_callers_run_in_one_process():
    summary, _ = await run(callers=300, duration=1.5, patience=10.0)

    assert (summary["served"], summary["failures"]) == (300, {})


async def test_interrupted_run_returns_at_once_with_what_it_knows():
    async with SmallPsap() as psap:
        fleet = fleet_for(psap, callers=2, duration=60.0)
        running = asyncio.create_task(fleet.run())
        await psap.until(lambda: len(psap.answers) == 2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    summary = summarise(fleet, 1.0)
    assert [chat["endedBy"] for chat in summary["chats"]] == ["interrupted"] * 2
    assert summary["unserved"] == 0


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_blast_journals_every_acknowledged_text_once_through_an_outage(transport, tmp_path):
    journal = tmp_path / "acknowledged"
    async with SmallPsap() as psap:
        target = Target(transport, "127.0.0.1", psap.port)
        blast = Blast(target, journal, rate=400, chats=5, connections=2, timers=QUICK)
        running = asyncio.create_task(blast.run())
        await psap.until(lambda: len(psap.arrivals) > 50)
        port = psap.port
        psap.manners.lose_first = 60
        psap.manners.close_after = 80
        await psap.until(lambda: len(blast.acknowledged) > 100)
        blast.stop()
        if transport == "tcp":  # what was lost on a stream is repeated once the stream is new
            psap.drop_connections()
        await running

    assert port == psap.port
    lines = journal.read_text().splitlines()
    assert sorted(lines) == sorted(blast.sent) == sorted(blast.acknowledged)
    assert len(set(lines)) == len(lines) > 100


async def simulate(*arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "manage.py",
        "simulate",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_command_prints_json_and_ends_with_0_when_all_were_served():
    async with SmallPsap() as psap:
        code, out, err = await simulate(
            *("--target", f"127.0.0.1:{psap.port}", "--callers", "2", "--rate", "50"),
            *("--duration", "0.3", "--transport", "udp", "--json"),
        )

    summary = json.loads(out)
    assert (code, err) == (0, "")
    assert (summary["callers"], summary["served"], summary["script"]) == (2, 2, "chat")


async def test_command_prints_a_table_and_ends_with_1_when_a_caller_was_not_served():
    async with SmallPsap(Manners(status=500)) as psap:
        code, out, _ = await simulate("--target", f"127.0.0.1:{psap.port}", "--duration", "0.2")

    assert code == 1
    assert re.search("callers served +0 of 1", out)
    assert "request-refused" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("--target", "nowhere"),
        ("--rate", "0"),
        ("--rate", "often"),
        ("--callers", "0"),
        ("--heartbeat", "21"),
        ("--script", "shout"),
        ("--louder",),
    ],
)
async def test_bad_arguments_end_with_2_and_one_line(arguments):
    code, out, err = await simulate(*arguments)

    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("simulate: ")
