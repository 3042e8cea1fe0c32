"""An INVITE is refused until its ACK has come, over UDP (RFC 3261 17.2.1)."""

from sipgateway.protocol.invite_refusal import MOST, TIMER_H, RefusedInvites
from sipgateway.protocol.message import Request, parse_message
from tests.protocol.samples import raw_message


def request(method: str, branch: str = "z9hG4bKa", cseq: str = "1") -> Request:
    message = parse_message(
        raw_message(
            start=f"{method} sip:112@example.org SIP/2.0",
            via=f"SIP/2.0/UDP 192.0.2.1:5060;branch={branch}",
            cseq=f"{cseq} {method}",
        )
    )
    assert isinstance(message, Request)
    return message


def refused(now: float = 0.0) -> RefusedInvites[str]:
    invites: RefusedInvites[str] = RefusedInvites()
    invites.refuse(request("INVITE"), "405", now)
    return invites


def test_the_answer_is_repeated_with_doubling_intervals_up_to_t2() -> None:
    invites = refused()
    sent = [now / 2 for now in range(1, 40) if invites.due(now / 2)]
    assert sent == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5]


def test_an_ack_ends_it() -> None:
    invites = refused()
    invites.acknowledge(request("ACK"))
    assert (invites.due(10.0), len(invites)) == ([], 0)


def test_the_ack_of_another_invite_does_not() -> None:
    invites = refused()
    invites.acknowledge(request("ACK", branch="z9hG4bKb"))
    invites.acknowledge(request("ACK", cseq="2"))
    assert invites.due(0.5) == ["405"]


def test_timer_h_gives_up() -> None:
    invites = refused()
    assert invites.due(TIMER_H) == []
    assert len(invites) == 0


def test_a_repeated_invite_starts_no_second_row_of_answers() -> None:
    invites = refused()
    invites.refuse(request("INVITE"), "again", 0.4)
    assert invites.due(0.5) == ["405"]


def test_what_is_kept_is_bounded() -> None:
    invites: RefusedInvites[str] = RefusedInvites()
    for number in range(MOST + 50):
        invites.refuse(request("INVITE", branch=f"z9hG4bK{number}"), "405", 0.0)
    assert len(invites) == MOST
