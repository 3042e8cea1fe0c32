"""The rarer callers of the simulator against a real gateway: all are served as they expect."""

import pytest

from sipgateway.simulator.agent import Timers
from sipgateway.simulator.fleet import Fleet
from sipgateway.simulator.pace import Plan
from sipgateway.simulator.report import summarise
from sipgateway.simulator.shapes import SHAPES
from tests.support.eventually import eventually


async def played(gateway, script, *, callers=1, **plan):
    """Play a script against the gateway and return the report."""
    times = {"duration": 0.5, "heartbeat": 0.2, "patience": 5.0, **plan}
    target = gateway.target("tcp")
    fleet = Fleet(target, Plan(script, **times), callers, rate=100, seed=7, timers=Timers())
    await fleet.run()
    return summarise(fleet, 1.0)


def chat_of(record, summary):
    return record.chat_id(summary["chats"][0]["callId"])


@pytest.mark.parametrize(
    ("script", "ended_by"),
    [
        ("shapes", "caller"),
        ("attachments", "caller"),
        ("data", "caller"),
        ("background", "caller"),
        ("bot", "reported"),
    ],
)
async def test_each_script_is_served_to_its_end(gateway, script, ended_by):
    summary = await played(gateway, script)
    assert (summary["served"], summary["failures"]) == (1, {})
    assert summary["chats"][0]["endedBy"] == ended_by


@pytest.mark.conformance("5.6-3", "5.6-4")
async def test_every_shape_is_on_the_record(gateway, record):
    chat = chat_of(record, await played(gateway, "shapes"))
    await eventually(
        lambda: {row[0] for row in record.rows(SHAPES_OF, chat)} == set(SHAPES), "all shapes"
    )
    record.verify(chat)


@pytest.mark.conformance("6.1.2.8-5")
async def test_enclosures_are_kept_with_their_names(gateway, record):
    chat = chat_of(record, await played(gateway, "attachments"))
    names = {row[0] for row in record.rows(NAMES_OF, chat)}
    assert names == {"kitchen.png", "medication.txt"}


@pytest.mark.conformance("6.1.2.7-1", "6.1.2.11-1")
async def test_blocks_of_additional_data_and_the_did_are_on_the_record(gateway, record):
    chat = chat_of(record, await played(gateway, "data"))
    await eventually(
        lambda: (
            {row[0] for row in record.rows(KINDS_OF, chat)}
            >= {"ProviderInfo", "ServiceInfo", "DeviceInfo", "Comment", "SubscriberInfo"}
        ),
        "all blocks",
    )
    did = record.value("SELECT signalling->>'did' FROM chats_chat WHERE id = %s", chat)
    assert did == "did:example:123456789abcdefghi"


@pytest.mark.conformance("6.1.2.10-1", "6.1.2.10-2", "6.1.2.10-3", "6.1.2.10-5")
async def test_a_test_call_is_answered_and_a_second_one_refused(gateway):
    first = await played(gateway, "test")
    second = await played(gateway, "test")
    assert [run["chats"][0]["endedBy"] for run in (first, second)] == ["tested", "refused"]
    assert (first["failures"], second["failures"]) == ({}, {})


async def test_a_redirect_that_never_comes_is_a_failure(gateway):
    summary = await played(gateway, "redirect")
    assert summary["failures"] == {"redirect-unfinished": 1}


SHAPES_OF = "SELECT shape FROM chats_locationfix WHERE chat_id = %s"
NAMES_OF = (
    "SELECT p.name FROM chats_bodypart p JOIN chats_message m ON m.id = p.message_id"
    " WHERE m.chat_id = %s AND p.name <> ''"
)
KINDS_OF = "SELECT kind FROM chats_additionaldata WHERE chat_id = %s"
