"""The session machine of clause 6.2."""

from itertools import product

import pytest

from sipgateway.protocol.lmpe import MessageType
from sipgateway.protocol.session import (
    OPENINGS,
    TRANSITIONS,
    Action,
    Session,
    Transition,
    step,
)

ENDING = (Session.OPEN, Session.REDIRECTING, Session.ARRIVING)


def actions(
    session: Session | None, msg_type: int, *, has_text: bool = False, standalone: bool = False
) -> set[Action]:
    return set(step(session, msg_type, has_text=has_text, standalone=standalone).actions)


def test_the_table_has_every_pair_of_state_and_type() -> None:
    assert set(TRANSITIONS) == set(product(Session, MessageType))
    assert set(OPENINGS) == set(MessageType)


@pytest.mark.parametrize("transition", [*TRANSITIONS.values(), *OPENINGS.values()])
def test_every_transition_stores_the_message_and_does_nothing_twice(transition: Transition) -> None:
    assert Action.STORE in transition.actions
    assert len(set(transition.actions)) == len(transition.actions)
    assert (Action.END in transition.actions) <= (transition.new is Session.STOPPED)
    assert not {Action.GREET, Action.RELAY} <= set(transition.actions)


@pytest.mark.parametrize("transition", OPENINGS.values())
def test_every_first_message_opens_a_chat(transition: Transition) -> None:
    assert transition.actions[0] is Action.OPEN


def test_a_start_opens_a_chat_and_is_greeted() -> None:
    transition = step(None, MessageType.START, has_text=True)
    assert transition.new is Session.OPEN
    assert {Action.OPEN, Action.GREET} <= set(transition.actions)
    assert Action.MARK_RECOVERED not in transition.actions


@pytest.mark.parametrize("msg_type", [259, 260, 388, 265, 266, 274, 300])
def test_any_other_first_message_opens_a_recovered_chat(msg_type: int) -> None:
    assert {Action.OPEN, Action.MARK_RECOVERED, Action.GREET} <= actions(None, msg_type)


def test_a_stop_of_an_unknown_chat_is_kept_but_not_greeted() -> None:
    transition = step(None, MessageType.STOP, has_text=True)
    assert transition.new is Session.STOPPED
    assert {Action.OPEN, Action.MARK_RECOVERED, Action.END} <= set(transition.actions)
    assert Action.GREET not in transition.actions


def test_a_stand_alone_message_is_neither_greeted_nor_recovered() -> None:
    assert actions(None, 259, standalone=True) == {Action.OPEN, Action.MARK_ALIVE, Action.STORE}


def test_a_start_in_an_open_chat_is_greeted_again() -> None:
    assert Action.GREET in actions(Session.OPEN, MessageType.START)
    assert Action.REOPEN not in actions(Session.OPEN, MessageType.START)


STARTS = (MessageType.START, MessageType.START_REDIRECT)
GONE = (Session.REDIRECTING, Session.REDIRECTED, Session.TRANSFERRED)
ELSEWHERE = (Session.REDIRECTED, Session.TRANSFERRED)
NEVER_ENDED = (Session.OPEN, Session.ARRIVING)


@pytest.mark.conformance("6.2.2-3", "6.2.7-7")
@pytest.mark.parametrize(
    ("session", "start"),
    [
        (session, start)
        for session, start in product(Session, STARTS)
        if session not in NEVER_ENDED and (session, start) not in product(GONE, STARTS[1:])
    ],
)
def test_a_start_leads_to_an_open_session(session: Session, start: MessageType) -> None:
    transition = step(session, start, has_text=False)
    assert transition.new is Session.OPEN
    assert {Action.REOPEN, Action.GREET} <= set(transition.actions)


@pytest.mark.parametrize("session", GONE)
def test_a_273_in_a_chat_that_is_with_another_psap_goes_on_to_it(session: Session) -> None:
    transition = step(session, MessageType.START_REDIRECT, has_text=True)
    assert transition.new is session
    assert {Action.STORE, Action.RELAY} <= set(transition.actions)
    assert not {Action.GREET, Action.REOPEN} & set(transition.actions)


@pytest.mark.parametrize("session", [state for state in Session if state not in NEVER_ENDED])
def test_a_273_that_the_target_sends_back_opens_the_chat_here(session: Session) -> None:
    transition = step(session, MessageType.START_REDIRECT, has_text=True, comes_back=True)
    assert transition.new is Session.OPEN
    assert {Action.REOPEN, Action.GREET} <= set(transition.actions)


@pytest.mark.parametrize("msg_type", [258, 259, 260, 388, 265, 266, 274, 300])
@pytest.mark.parametrize("has_text", [True, False])
@pytest.mark.parametrize("session", ELSEWHERE)
def test_all_that_comes_for_a_chat_that_has_left_is_kept_and_goes_on(
    session: Session, msg_type: int, has_text: bool
) -> None:
    transition = step(session, msg_type, has_text=has_text)
    assert transition.new is session
    assert {Action.STORE, Action.RELAY} <= set(transition.actions)


@pytest.mark.parametrize("msg_type", [259, 260, 388])
def test_what_comes_before_the_app_has_gone_over_waits_here(msg_type: int) -> None:
    transition = step(Session.REDIRECTING, msg_type, has_text=True)
    assert transition.new is Session.REDIRECTING
    assert Action.RELAY not in transition.actions


@pytest.mark.parametrize("msg_type", [258, 259, 260, 388, 265, 266, 274, 300])
@pytest.mark.parametrize("has_text", [True, False])
def test_what_comes_while_a_chat_is_handed_over_waits_here_a_stop_too(
    msg_type: int, has_text: bool
) -> None:
    transition = step(Session.TRANSFERRING, msg_type, has_text=has_text)
    assert transition.new is Session.TRANSFERRING
    assert {Action.STORE, Action.SETTLE} <= set(transition.actions)
    assert not {Action.RELAY, Action.END, Action.CANCEL} & set(transition.actions)


@pytest.mark.parametrize("msg_type", [259, 260, 388, 265, 266, 274, 300])
@pytest.mark.parametrize("has_text", [True, False])
def test_whatever_an_app_writes_to_a_transferee_says_that_it_has_followed(
    msg_type: int, has_text: bool
) -> None:
    transition = step(Session.ARRIVING, msg_type, has_text=has_text)
    assert transition.new is Session.OPEN
    assert {Action.STORE, Action.SETTLE} <= set(transition.actions)
    assert not {Action.GREET, Action.REOPEN, Action.END} & set(transition.actions)


def test_an_app_may_end_or_begin_anew_with_the_transferee() -> None:
    ended = step(Session.ARRIVING, MessageType.STOP, has_text=False)
    assert ended.new is Session.STOPPED
    assert {Action.END, Action.CANCEL, Action.SETTLE} <= set(ended.actions)
    begun = step(Session.ARRIVING, MessageType.START, has_text=True)
    assert begun.new is Session.OPEN
    assert {Action.GREET, Action.SETTLE} <= set(begun.actions)


@pytest.mark.parametrize("session", [s for s in Session if s not in ("transferring", "arriving")])
@pytest.mark.parametrize("msg_type", [257, 258, 259, 260])
def test_nothing_but_a_transfer_under_way_is_settled(session: Session, msg_type: int) -> None:
    assert Action.SETTLE not in actions(session, msg_type)


@pytest.mark.conformance("6.1.2.10-3", "6.1.2.10-10")
@pytest.mark.parametrize("has_text", [True, False])
@pytest.mark.parametrize(("msg_type", "standalone"), [(257, False), (273, False), (259, True)])
def test_a_test_is_answered_with_a_stop_and_never_greeted(
    msg_type: int, has_text: bool, standalone: bool
) -> None:
    transition = step(None, msg_type, has_text=has_text, standalone=standalone, test=True)
    assert transition.new is Session.STOPPED
    assert {Action.OPEN, Action.CLOSE_TEST, Action.ANSWER_TEST} <= set(transition.actions)
    assert Action.GREET not in transition.actions


@pytest.mark.parametrize(
    ("msg_type", "has_text"), [(258, True), (260, True), (388, False), (259, False)]
)
def test_what_else_opens_a_test_is_neither_answered_nor_rings(
    msg_type: int, has_text: bool
) -> None:
    transition = step(None, msg_type, has_text=has_text, test=True)
    assert transition.new is Session.STOPPED
    assert Action.CLOSE_TEST in transition.actions
    assert not {Action.ANSWER_TEST, Action.GREET} & set(transition.actions)


@pytest.mark.parametrize("session", [None, Session.STOPPED])
def test_a_human_who_writes_in_a_test_is_heard_and_greeted(session: Session | None) -> None:
    transition = step(session, MessageType.IN_CHAT, has_text=True, test=True)
    assert transition.new is Session.OPEN
    assert Action.GREET in transition.actions
    assert Action.CLOSE_TEST not in transition.actions


def test_a_test_that_comes_again_is_answered_again() -> None:
    transition = step(Session.STOPPED, MessageType.START, has_text=True, test=True)
    assert transition.new is Session.STOPPED
    assert Action.ANSWER_TEST in transition.actions


@pytest.mark.parametrize("session", [Session.OPEN, Session.STOPPED, Session.REDIRECTING])
def test_a_stop_cancels_what_we_have_not_sent(session: Session) -> None:
    assert Action.CANCEL in actions(session, MessageType.STOP)


@pytest.mark.parametrize("session", Session)
def test_a_stop_ends_what_has_not_ended_and_is_only_stored_after(session: Session) -> None:
    transition = step(session, MessageType.STOP, has_text=True)
    assert (Action.END in transition.actions) == (session in ENDING)
    assert transition.new is (Session.STOPPED if session in ENDING else session)


def test_a_text_after_the_end_rings_again() -> None:
    transition = step(Session.STOPPED, MessageType.IN_CHAT, has_text=True)
    assert transition.new is Session.OPEN
    assert {Action.REOPEN, Action.MARK_RECOVERED} <= set(transition.actions)
    assert Action.GREET not in transition.actions


@pytest.mark.parametrize("msg_type", [259, 260, 388])
def test_signs_of_life_after_the_end_are_only_stored(msg_type: int) -> None:
    transition = step(Session.STOPPED, msg_type, has_text=False)
    assert transition == Transition(Session.STOPPED, (Action.STORE,))
    assert step(Session.STOPPED, 260, has_text=True) == transition


def test_heartbeats_say_how_the_device_is() -> None:
    assert Action.MARK_ALIVE in actions(Session.OPEN, MessageType.HEARTBEAT)
    assert Action.MARK_BACKGROUND in actions(Session.OPEN, MessageType.HEARTBEAT_INACTIVE)


@pytest.mark.parametrize("msg_type", [256, 512 + 1, 300])
@pytest.mark.parametrize("session", [None, *Session])
def test_an_unknown_type_counts_as_in_chat_and_is_noted(
    session: Session | None, msg_type: int
) -> None:
    as_in_chat = step(session, 259, has_text=True)
    unknown = step(session, msg_type, has_text=True)
    assert unknown.new is as_in_chat.new
    assert unknown.actions == (*as_in_chat.actions, Action.NOTE_UNKNOWN)


@pytest.mark.parametrize("msg_type", [265, 266, 274])
@pytest.mark.parametrize("has_text", [True, False])
def test_types_that_only_a_psap_sends_move_nothing_and_are_noted(
    msg_type: int, has_text: bool
) -> None:
    for session in Session:
        transition = step(session, msg_type, has_text=has_text)
        assert Action.NOTE_UNKNOWN in transition.actions
        assert Action.END not in transition.actions
    assert step(Session.OPEN, msg_type, has_text=has_text).new is Session.OPEN


def test_states_are_given_by_value_too() -> None:
    assert step("stopped", 257, has_text=False).new is Session.OPEN
