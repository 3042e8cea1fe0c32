"""What the gateway remembers of live chats, against what is on the record."""

from dataclasses import replace

from sipgateway.presence import LiveChat, Presence
from tests.support.arrivals import NOW, arrival
from tests.support.caller import Caller


def presence_of(caller: Caller, asserted_uri: str = "") -> Presence:
    presence = Presence()
    key = (caller.unique_part, "app.example.org", "sip:anna@127.0.0.1")
    presence.add(
        LiveChat(
            id=1,
            call_id=caller.call_id,
            key=key,
            remote_uri=caller.uri,
            local_tag="t",
            liveness="alive",
            transport="tcp",
            peer="127.0.0.1:7",
            last_sign_of_life=NOW,
            heartbeat_due=0.0,
            asserted_uri=asserted_uri,
        )  # fmt: skip
    )
    return presence


def test_a_heartbeat_with_news_is_no_old_one_before_it_is_on_the_record():
    """Red when the body is noted on arrival: with a full journal its repetition was acknowledged
    from memory, and the position was nowhere."""
    caller = Caller()
    presence = presence_of(caller)
    beats = [arrival(caller.message(260, "here")) for _ in range(3)]
    assert not presence.absorbs(beats[0])
    assert not presence.absorbs(beats[1])
    presence.committed(beats[1])
    assert presence.absorbs(beats[2])


def test_a_heartbeat_as_before_is_news_after_something_else_was_said():
    caller = Caller()
    presence = presence_of(caller)
    presence.committed(arrival(caller.message(260, "here")))
    presence.committed(arrival(caller.say("there")))
    assert not presence.absorbs(arrival(caller.message(260, "here")))


def test_only_the_asserted_identity_moves_the_way_to_a_chat_that_has_one():
    """Red when the From alone decides: whoever knew the call identifier drew the answers away."""
    caller = Caller()
    presence = presence_of(caller, "sip:+43664@provider.example")
    assertion = ("P-Asserted-Identity", "<sip:+43664@provider.example>")
    proven = caller.message(260, headers=(assertion,))
    another = ("P-Asserted-Identity", "<sip:mallory@provider.example>")
    assert not presence.absorbs(arrival(caller.heartbeat()))
    assert not presence.absorbs(arrival(proven))
    assert not presence.absorbs(arrival(caller.message(260, headers=(another,)), trusted=True))
    assert presence.way_of(1) == ("tcp", "127.0.0.1:7")
    assert presence.absorbs(arrival(proven, trusted=True))
    assert presence.way_of(1) == ("udp", "192.0.2.1:5060")


def test_a_trusted_peer_need_not_assert_in_each_heartbeat():
    caller = Caller()
    presence = presence_of(caller, "sip:+43664@provider.example")
    assert presence.absorbs(arrival(caller.heartbeat(), trusted=True))


def test_an_app_that_is_sent_away_begins_again_with_our_start_alone():
    """Red when the answer to our 266, or an old one, counts: heartbeats went to a stalled app."""
    caller = Caller()
    presence = presence_of(caller)
    (chat,) = presence.chats()
    presence.mark_greeted(1)
    presence.dismiss(1)
    assert presence.take_awaited() == []
    presence.mark_greeted(1)  # its answer to our 265
    assert presence.take_awaited() == [1]
    presence.add(chat)
    assert presence.take_awaited() == []


def test_a_chat_that_was_open_may_be_open_again():
    presence = presence_of(Caller())
    presence.mark_greeted(1)
    presence.forget(1)
    assert presence.take_awaited() == [1]
    presence.await_still([1])
    assert presence.take_awaited() == [1]


def test_an_app_that_has_not_written_is_where_it_was_reached():
    caller = Caller()
    presence = presence_of(caller)
    (chat,) = presence.chats()
    presence.reached(1, "tcp", "192.0.2.9:5060", "default")
    assert presence.way_of(1) == ("tcp", "127.0.0.1:7")  # where it was heard counts more
    presence.forget(1)
    presence.add(replace(chat, transport="", peer="", trunk=""))
    assert presence.way_of(1) == ("tcp", "192.0.2.9:5060")
    presence.add(replace(chat, peer="127.0.0.1:8"))
    presence.add(replace(chat, transport="", peer="", trunk=""))
    assert presence.way_of(1) == ("", "")
