"""What a peer asks us to hold back (RFC 7339): heartbeats bear it, texts do not."""

import pytest

from sipgateway.outgoing import Outgoing
from sipgateway.protocol.message import parse_message
from sipgateway.protocol.overload import OFFER
from sipgateway.throttle import MOST_PEERS, Throttle
from tests.support.arrivals import Flow
from tests.support.caller import Caller


class Peer(Flow):
    def __init__(self, number=1):
        self.peer = f"192.0.2.{number}:5060"


def response(parameters):
    data = (
        f"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP us:5060;branch=z9hG4bK1{parameters}\r\n"
        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 MESSAGE\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    return parse_message(data.encode())


@pytest.mark.conformance("6.1.2.9-2")
def test_half_of_the_requests_are_left_out_and_all_of_them_are_heartbeats():
    throttle, peer = Throttle(lambda: 0.0), Peer()
    throttle.heard(peer, response(";oc=25;oc-algo=loss;oc-validity=60000;oc-seq=1.0"))
    left_out = 0
    for _ in range(100):
        throttle.sent(peer)
        left_out += throttle.leaves_out(peer)
    assert 48 <= left_out <= 52 and throttle.left_out == left_out
    assert not throttle.leaves_out(Peer(2))


def test_a_response_that_reports_nothing_changes_nothing():
    throttle, peer = Throttle(lambda: 0.0), Peer()
    for parameters in ("", OFFER, ";oc=101", ";oc=50;oc-algo=rate"):
        throttle.heard(peer, response(parameters))
    assert not any(throttle.leaves_out(peer) for _ in range(100))


def test_peers_are_bounded():
    throttle = Throttle(lambda: 0.0)
    for number in range(MOST_PEERS + 50):
        throttle.heard(Peer(number), response(";oc=100;oc-algo=loss;oc-validity=60000"))
    assert len(throttle._peers) == MOST_PEERS
    assert throttle.leaves_out(Peer(MOST_PEERS + 49)) and not throttle.leaves_out(Peer(0))


async def test_only_the_response_to_a_request_of_ours_is_believed():
    """Red when any response counts: a forged datagram would silence our heartbeats."""
    outgoing, peer = Outgoing(lambda: 0.0), Peer()
    answer = response(";oc=100;oc-algo=loss;oc-validity=60000")
    outgoing.receive_response(answer)
    assert not outgoing.throttle.leaves_out(peer)
    outgoing.send(Caller().start(), "z9hG4bK1", peer, lambda status, response: None)
    outgoing.receive_response(answer)
    assert outgoing.throttle.leaves_out(peer)
