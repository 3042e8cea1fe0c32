"""The 49 torture messages of RFC 4475 at a user agent that takes MESSAGE and nothing else.

What the RFC lets an element choose is decided like this: a MESSAGE is taken whenever it can be
answered, all other methods are refused by their method first (RFC 3261 8.2.1), and stray or
broken responses are ignored.
"""

import re
from pathlib import Path

import pytest

from tests.support.eventually import eventually
from tests.support.rawsip import RawSip, make_message

MESSAGES = Path(__file__).parents[1] / "data" / "rfc4475"
IGNORED = None

# Name of the message in the RFC, with its section → status that we answer over UDP.
OUTCOMES = {
    # 3.1.1 valid messages
    "wsinv": 405,
    "intmeth": 501,
    "esc01": 405,
    "escnull": 405,
    "esc02": 501,  # "RE%47IST%45R" is not REGISTER
    "lwsdisp": 200,
    "longreq": 405,
    "dblreq": 405,  # and the INVITE behind its Content-Length is no message
    "semiuri": 200,
    "transports": 200,
    "mpart01": 200,
    "unreason": IGNORED,
    "noreason": IGNORED,
    # 3.1.2 invalid messages
    "badinv01": 405,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 405,
    "scalarlg": IGNORED,
    "quotbal": 405,
    "ltgtruri": 405,
    "lwsruri": 405,
    "lwsstart": 405,
    "trws": 200,
    "escruri": 405,
    "baddate": 405,
    "regbadct": 405,
    "badaspec": 200,
    "baddn": 200,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 501,
    "bigcode": IGNORED,
    # 3.2 transaction layer semantics
    "badbranch": 200,
    # 3.3 application layer semantics
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": 405,
    "bext01": 420,
    "invut": 405,
    "regaut01": 405,
    "multi01": 405,
    "mcl01": 400,
    "bcast": IGNORED,
    "zeromf": 200,  # Max-Forwards is a proxy's to refuse, not the destination's
    "cparam01": 405,
    "cparam02": 405,
    "regescrt": 405,
    "sdp01": 405,
    # 3.4 backward compatibility
    "inv2543": 405,
}
# What each request would be as a MESSAGE: an emergency, taken for all that is odd about it.
BROKEN = {"clerr", "ncl", "badvers", "insuf", "mcl01"}
RESPONSES = {name for name, status in OUTCOMES.items() if status is IGNORED}
AS_MESSAGES = sorted(OUTCOMES.keys() - BROKEN - RESPONSES - {"mpart01"})  # that is one


def torture(name: str) -> bytes:
    return (MESSAGES / f"{name}.dat").read_bytes()


def as_message(name: str) -> bytes:
    """The same request with MESSAGE for its method, in the request line and in CSeq."""
    method, _, rest = torture(name).partition(b" ")
    return b"MESSAGE " + re.sub(
        rb"(?im)^(cseq\s*:\s*\d+\s+)" + re.escape(method), rb"\1MESSAGE", rest, count=1
    )


def test_all_49_are_here():
    assert sorted(path.stem for path in MESSAGES.glob("*.dat")) == sorted(OUTCOMES)
    assert len(OUTCOMES) == 49


@pytest.mark.parametrize("name", OUTCOMES)
async def test_each_gets_the_answer_that_it_should(gateway, name):
    async with RawSip(gateway.target("udp")) as peer, RawSip(gateway.target("udp")) as probe:
        peer.send(with_way_back(torture(name)))
        if OUTCOMES[name] is not IGNORED:
            await peer.until(lambda: bool(peer.responses))
        await probe.exchange(make_message(method="OPTIONS", body=b""))

    assert [answer.status for answer in peer.responses[:1]] == (
        [] if OUTCOMES[name] is IGNORED else [OUTCOMES[name]]
    )


async def test_what_is_not_supported_is_named(gateway):
    async with RawSip(gateway.target("udp")) as peer:
        peer.send(with_way_back(torture("bext01")))
        await peer.until(lambda: bool(peer.responses))
    unsupported = peer.responses[0].header("unsupported")
    assert unsupported == "nothingSupportsThis, nothingSupportsThisEither"


@pytest.mark.parametrize("name", AS_MESSAGES)
async def test_as_an_emergency_each_is_taken_and_stored(gateway, record, name):
    async with RawSip(gateway.target("udp")) as peer:
        sent = with_way_back(as_message(name))
        peer.send(sent)
        await peer.until(lambda: bool(peer.responses))
    assert peer.responses[0].status == 200
    await eventually(lambda: is_on_a_chat(record, sent), "it is on a chat")


@pytest.mark.parametrize("answered_after", [1, 3])
async def test_a_refused_invite_is_refused_again_until_its_ack(gateway, answered_after):
    invite = make_message(method="INVITE", body=b"", transport="UDP", branch="z9hG4bKinvite")
    ack = invite.replace(b"INVITE", b"ACK")
    async with RawSip(gateway.target("udp")) as peer, RawSip(gateway.target("udp")) as clock:
        peer.send(invite)
        await peer.until(lambda: len(peer.responses) == answered_after, 10.0)
        peer.send(ack)
        await silence(clock, 3)
    assert {answer.status for answer in peer.responses} == {405}
    assert len(peer.responses) == answered_after


async def silence(clock: RawSip, times: int) -> None:
    """Let an INVITE of another peer be refused so often: longer than the next repetition."""
    clock.send(make_message(method="INVITE", body=b"", transport="UDP"))
    await clock.until(lambda: len(clock.responses) == times, 10.0)


def is_on_a_chat(record, sent: bytes) -> bool:
    return record.value(
        "SELECT count(*) FROM chats_journal j JOIN chats_message m ON m.journal_id = j.id"
        " WHERE j.raw = %s",
        sent,
    )


def with_way_back(data: bytes) -> bytes:
    """Ask for the answer to come back to us: `rport` in the top Via (RFC 3581)."""
    return re.sub(rb"(?im)^(via|v)(\s*:\s*[^\r\n;,]+)", rb"\1\2;rport", data, count=1)
