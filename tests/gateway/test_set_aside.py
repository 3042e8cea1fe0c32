"""A message that nothing puts on its chat: seen by itself, holding up nobody, never lost."""

from contextlib import contextmanager

import pytest

from psap.figures import METRICS
from sipgateway.set_aside import APART
from tests.support.caller import Caller
from tests.support.eventually import eventually
from tests.support.gateway import running_gateway
from tests.support.rawsip import RawSip

# Three tries on its own chat take seven seconds.
PATIENCE = 20.0
MARK = "SELECT max(journal_id) FROM chats_projectionmark"


@contextmanager
def refusing(record, condition):
    """Have PostgreSQL refuse messages for what they hold."""
    record.rows(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'poison' USING ERRCODE = 'data_exception'; END $$"
    )
    record.rows(
        f"CREATE TRIGGER poison BEFORE INSERT ON chats_message FOR EACH ROW WHEN ({condition})"
        " EXECUTE FUNCTION refuse()"
    )
    try:
        yield
    finally:
        record.rows("DROP FUNCTION refuse CASCADE")


@pytest.fixture(scope="module")
def gateway(record, tmp_path_factory):
    """A gateway of our own, since its log is full of errors on purpose."""
    with running_gateway(record.database_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


@pytest.fixture
async def app(gateway):
    async with RawSip(gateway.target("tcp")) as app:
        yield app


def journal_id(record, caller):
    return record.value("SELECT max(id) FROM chats_journal WHERE call_id = %s", caller.call_id)


async def test_a_text_that_its_chat_does_not_take_is_an_alert_of_its_own(gateway, record, app):
    """Red without the last try on a chat of its own: nobody ever saw the text."""
    caller = Caller()
    await app.exchange(caller.start())
    await eventually(lambda: record.chat_id(caller.call_id), "the chat is open")
    chat = record.chat_id(caller.call_id)
    with refusing(record, f"NEW.chat_id = {chat} AND NEW.text = 'Gift'"):
        await app.exchange(caller.say("Gift"))
        await app.exchange(caller.say("danach"))
        found = await eventually(
            lambda: record.rows(
                "SELECT c.id, c.alert, m.flags FROM chats_message m JOIN chats_chat c"
                " ON c.id = m.chat_id WHERE m.text = 'Gift'"
            ),
            "it is on a chat of its own",
            PATIENCE,
        )
    assert found[0][0] != chat and found[0][1] is True and APART in found[0][2]
    assert record.texts_in(caller.call_id) == ["Hilfe!", "danach"]
    record.verify(found[0][0])
    assert record.value("SELECT count(*) FROM chats_setaside") == 0


async def test_what_nothing_takes_is_set_aside_told_of_and_tried_again_at_the_next_start(
    gateway, record, app
):
    """Red without the note: the mark stood still, and each sweep read more and more of the
    journal, for ever."""
    bad, good = Caller(), Caller()
    with refusing(record, "NEW.text = 'Gift'"):
        await app.exchange(bad.start("Gift"))
        await app.exchange(good.start("gut"))
        await eventually(
            lambda: record.rows("SELECT error FROM chats_setaside"), "it is set aside", PATIENCE
        )
        assert "poison" in record.value("SELECT error FROM chats_setaside")
        assert record.value("SELECT journal_id FROM chats_setaside") == journal_id(record, bad)
        await eventually(
            lambda: record.value(MARK) >= journal_id(record, good),
            "the mark has passed over it",
            PATIENCE,
        )
        assert record.texts_in(good.call_id) == ["gut"]
    gateway.restart()
    await eventually(lambda: record.chat_ids(bad.call_id), "it is on its chat after all")
    assert record.texts_in(bad.call_id) == ["Gift"]
    await eventually(
        lambda: record.value("SELECT count(*) FROM chats_setaside") == 0, "nothing is left", 10
    )


async def test_the_gateway_tells_its_figures_with_its_sign_of_life(gateway, record, app):
    caller = Caller()
    await app.exchange(caller.start())
    for _ in range(3):
        await app.exchange(caller.say("x"))

    def figures():
        return record.value(
            "SELECT figures FROM psap_serviceprocess WHERE name = 'gateway'"
            " ORDER BY beat_at DESC LIMIT 1"
        )

    def received():
        of_type = {row[0]: row[3] for row in figures()["leitstand_messages_received_total"]}
        return of_type.get("in-chat", 0) >= 3 and of_type.get("start", 0) >= 1

    await eventually(received, "they are counted", 5)
    told = figures()
    assert set(told) <= set(METRICS)
    assert told["leitstand_open_chats"] >= 1
    assert ["tcp", 1] in told["leitstand_connections"]
    assert sum(told["leitstand_commit_seconds"]["counts"]) >= 1
    assert told["leitstand_overload_active"] == 0
