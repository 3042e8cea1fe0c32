"""The registrar's decisions, without pjsua2 and without sockets: `now` is given."""

import pytest

from sipgateway.bridged import flags_of, is_cut, read_message
from sipgateway.configuration import Configuration
from sipgateway.protocol.message import Request, parse_message
from sipgateway.registrar.accounts import (
    Listener,
    contact_parameters,
    listener_of,
    make_contact,
    named_host,
    read_accounts,
    transport_of,
)
from sipgateway.registrar.lifecycle import (
    Answer,
    Drop,
    Lifecycle,
    Register,
    State,
    Unregister,
    refresh_interval,
)
from sipgateway.registrar.limits import read_findings
from sipgateway.registrar.outbox import Outbox
from sipgateway.registrar.packets import PacketLog
from sipgateway.trunks import TLS, TrunkSettings

OK = Answer(200, "OK", 600)
REFUSED = Answer(503, "Service Unavailable")
RETRY = 30


def started(registrars: int = 1, retry_after: int = RETRY) -> Lifecycle:
    life = Lifecycle(registrars, retry_after=retry_after)
    life.start(0.0)
    assert life.commands() == [Register(0)]
    return life


def test_an_account_registers_and_is_refreshed_within_its_retry_time():
    life = started()
    life.answered(0, OK, 1.0)
    assert (life.standing.state, life.standing.registered_until) == (State.REGISTERED, 601.0)
    life.tick(30.9)
    assert life.commands() == []
    life.tick(31.0)
    assert life.commands() == [Register(0)]


@pytest.mark.parametrize(
    ("granted", "retry", "interval"), [(600, 30, 30), (40, 30, 20), (1, 30, 1), (600, 0, 1)]
)
def test_the_refresh_comes_at_half_time_or_after_the_retry_time(granted, retry, interval):
    assert refresh_interval(granted, retry) == interval


@pytest.mark.parametrize("status", [401, 403, 408, 423, 480, 500, 503, 603])
def test_whatever_a_registrar_refuses_with_the_next_one_is_tried(status):
    life = started(3)
    life.answered(0, Answer(status, "no"), 1.0)
    assert life.commands() == [Drop(0), Register(1)]
    life.answered(1, Answer(status, "no"), 2.0)
    assert life.commands() == [Drop(1), Register(2)]
    life.answered(2, OK, 3.0)
    assert (life.standing.state, life.standing.registrar) == (State.REGISTERED, 2)


def test_a_registrar_that_is_silent_is_passed_over():
    life = started(2)
    life.tick(7.9)
    assert life.commands() == []
    life.tick(8.0)
    assert life.commands() == [Drop(0), Register(1)]
    life.answered(0, OK, 8.5)  # too late: it is not kept
    assert life.standing.state is State.TRYING


def test_when_all_refuse_the_cause_is_shown_and_tried_again_after_the_retry_time():
    life = started(2)
    life.answered(0, Answer(503, "Connection refused"), 1.0)
    life.answered(1, Answer(403, "Forbidden"), 2.0)
    life.commands()
    assert life.standing.state is State.FAILED
    assert life.standing.reason == "503 Connection refused; 403 Forbidden"
    life.tick(31.9)
    assert life.commands() == []
    life.tick(32.0)
    assert life.commands() == [Register(0)]
    assert life.standing.state is State.FAILED  # shown until there is news


def test_while_a_later_one_holds_the_binding_the_first_is_tried_each_retry_time():
    """Red when a refresh of the later one puts off the attempt at the first for ever."""
    life = started(2)
    life.answered(0, REFUSED, 1.0)
    life.answered(1, OK, 2.0)
    life.commands()
    life.tick(32.0)
    assert life.commands() == [Register(1)]
    life.answered(1, OK, 32.1)
    life.tick(32.2)
    assert life.commands() == [Register(0)]
    life.answered(0, REFUSED, 33.0)
    assert (life.standing.state, life.standing.registrar) == (State.REGISTERED, 1)
    life.commands()
    life.tick(62.1)
    life.answered(1, OK, 62.2)
    life.commands()
    life.tick(63.0)
    assert life.commands() == [Register(0)]
    life.answered(0, OK, 63.1)
    assert life.commands() == [Unregister(1)]
    assert life.standing.registrar == 0
    life.answered(1, OK, 63.2)
    assert life.commands() == [Drop(1)]
    life.tick(64.1)  # where both share their bindings, the farewell took ours away
    assert life.commands() == [Register(0)]


def test_a_refresh_that_fails_is_tried_elsewhere_at_once():
    life = started(2)
    life.answered(0, OK, 1.0)
    life.tick(31.0)
    life.commands()
    life.answered(0, REFUSED, 31.1)
    assert life.commands() == [Drop(0), Register(1)]
    assert life.standing.state is State.TRYING


def test_a_lost_connection_brings_the_refresh_forward_but_not_in_a_circle():
    life = started()
    life.answered(0, OK, 1.0)
    life.lost(3.0)  # a registrar that closes each connection after its answer
    life.tick(5.0)
    assert life.commands() == []
    life.lost(10.0)
    life.tick(11.0)
    assert life.commands() == [Register(0)]


def test_stopping_takes_the_binding_away():
    life = started()
    life.answered(0, OK, 1.0)
    life.stop(2.0)
    assert life.commands() == [Unregister(0)]
    life.answered(0, Answer(200, "OK"), 2.1)
    assert life.standing.state is State.OFF
    assert life.commands() == [Drop(0)]


def test_stopping_waits_for_an_answer_that_may_be_a_binding():
    life = started()
    life.stop(0.5)
    assert life.commands() == []
    life.answered(0, OK, 0.7)
    assert life.commands() == [Unregister(0)]


def test_stopping_waits_no_longer_than_its_patience():
    life = started()
    life.answered(0, OK, 1.0)
    life.stop(2.0)
    life.tick(3.9)
    assert life.standing.state is State.LEAVING
    life.tick(4.0)
    assert life.standing.state is State.OFF


def test_an_account_without_a_registrar_says_so():
    life = Lifecycle(0, retry_after=RETRY)
    life.start(0.0)
    assert life.standing.state is State.FAILED
    assert life.standing.reason == "no registrar is configured"


LISTENER = Listener("192.0.2.1", 5060, 5061)


def contact(registrar: str, **values: str) -> str:
    given = {"contact": "", "address_of_record": "sip:psap@example.org", "parameters": ""} | values
    return make_contact(registrar=registrar, listener=LISTENER, **given)


@pytest.mark.parametrize(
    ("registrar", "expected"),
    [
        ("sip:esrp.example.org;transport=tcp", "<sip:psap@192.0.2.1:5060;transport=tcp>"),
        ("sip:esrp.example.org", "<sip:psap@192.0.2.1:5060>"),
        ("sip:esrp.example.org;transport=TLS", "<sip:psap@192.0.2.1:5061;transport=tls>"),
        ("sips:esrp.example.org", "<sip:psap@192.0.2.1:5061;transport=tls>"),
    ],
)
def test_the_contact_is_our_listener_as_the_core_can_reach_it(registrar, expected):
    assert contact(registrar) == expected


def test_without_a_tls_trunk_the_contact_is_the_plain_listener():
    assert Listener("::1", 5070).uri("psap", "tls") == "sip:psap@[::1]:5070;transport=tcp"


def test_a_contact_of_the_admins_own_and_feature_tags():
    tags = '+g.oma.sip-im;language="en,de"\n; +sip.automata ;\n'
    parameters = contact_parameters(tags)
    assert parameters == ';+g.oma.sip-im;language="en,de";+sip.automata'
    assert contact("sip:a", contact=" <sip:x@y;z> ", parameters=parameters) == (
        '<sip:x@y;z>;+g.oma.sip-im;language="en,de";+sip.automata'
    )


def test_each_registrar_gets_the_contact_for_its_transport():
    row = (1, "n", "sip:p@e", "sip:a\r\nsip:b;transport=tcp\n\n", "", "", "*", 60, 30, "", "")
    account, receiving = read_accounts([(*row, False), (*row, True)], LISTENER)
    assert account.registrars == ("sip:a", "sip:b;transport=tcp")
    assert account.contacts == ("<sip:p@192.0.2.1:5060>", "<sip:p@192.0.2.1:5060;transport=tcp>")
    assert receiving.contacts == ()


def test_the_listener_is_where_the_trunks_say():
    configuration = Configuration(trunks={"b": TrunkSettings(name="b", transport=TLS, port=5999)})
    values = {"public_uri": "sip:psap@[2001:db8::1]:5060", "port": 5060, "sips_port": 5061}
    assert listener_of(configuration, host="0.0.0.0", **values) == Listener(  # noqa: S104
        "2001:db8::1", 5060, 5999
    )
    assert listener_of(Configuration(), host="192.0.2.9", **values).tls_port is None


@pytest.mark.parametrize(
    ("host", "public", "expected"),
    [
        ("192.0.2.1", "sip:psap@psap.example.org", "192.0.2.1"),
        ("0.0.0.0", "sip:psap@psap.example.org:5060;x=y", "psap.example.org"),  # noqa: S104
        ("::", "sip:psap@[2001:db8::1]", "2001:db8::1"),
    ],
)
def test_a_listener_on_all_addresses_is_named_by_the_public_uri(host, public, expected):
    assert named_host(host, public) == expected


def test_a_password_is_in_no_representation():
    row = (1, "n", "sip:p@e", "sip:a", "psap", "geheim", "*", 60, 30, "", "", False)
    assert "geheim" not in repr(read_accounts([row], LISTENER)[0])


def test_the_transport_of_a_uri_whose_user_has_parameters():
    assert transport_of("sip:a;transport=tcp@b;lr") == "udp"


MESSAGE = (
    "MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/{via} h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
    "To: <sip:c@d>\r\nCall-ID: i\r\nCSeq: 1 MESSAGE\r\nContent-Length: {length}\r\n\r\nGrüß Gott"
)


def written(length: int, via: str = "UDP", uri: str = "sip:c@d") -> bytes:
    return MESSAGE.format(length=length, via=via, uri=uri).encode()


def test_of_a_message_that_was_cut_the_beginning_is_read():
    request = read_message(written(10_000))
    assert request is not None
    assert is_cut(request)
    assert request.body.decode() == "Grüß Gott"


@pytest.mark.parametrize(
    ("raw", "flags"),
    [
        (written(11), ("acknowledged-before-commit",)),
        (written(11, "TCP"), ("acknowledged-before-commit",)),
        (written(10_000), ("acknowledged-before-commit", "truncated")),
        (written(10_000, "TCP"), ("truncated",)),
        (written(11, uri="urn:service:sos"), ()),
    ],
)
def test_the_record_says_what_pjsua2_has_acknowledged_and_what_it_has_cut(raw, flags):
    request = read_message(raw)
    assert request is not None
    assert flags_of(request) == flags


def test_pjsua2s_log_tells_of_a_message_that_was_too_long():
    line = (
        "Error processing packet from 127.0.0.1:59248: Rx buffer overflow (PJSIP_ERXOVERFLOW)"
        "  [code 171062]:\nMESSAGE sip:x SIP/2.0\r\nVia: \udcff"
    )
    packet = PacketLog().read(line)
    assert packet is not None
    assert (packet.transport, packet.peer, packet.too_long) == ("tcp", "127.0.0.1:59248", True)
    assert packet.raw == b"MESSAGE sip:x SIP/2.0\r\nVia: \xff"
    assert PacketLog().read(line.replace("MESSAGE", "xxxxxxx")) is None  # the stream's rest


def test_pjsua2s_log_tells_of_a_message_that_it_could_not_read():
    log = PacketLog()
    assert log.read("Dropping 293 bytes packet from UDP [::1]:45312 : PJSIP syntax error") is None
    packet = log.read("Dropped packet:MESSAGE urn:service:sos SIP/2.0\r\n")
    assert packet is not None
    assert (packet.transport, packet.peer, packet.too_long) == ("udp", "[::1]:45312", False)
    assert log.read("Dropped packet:MESSAGE urn:service:sos SIP/2.0\r\n") is None


def test_the_findings_of_the_probe_survive_its_death():
    output = (
        "10:07:43 os_core_unix.c pjlib\n"
        '{"code": "urn-request-uri", "detail": "no"}\n{"code": "done", "detail": ""}\n'
        '{"code": "accounts", "most": 7}\n{"code": "accounts", "most": 8}\n'
    )
    found = read_findings(output, ended_well=False)
    assert found["urn-request-uri"] == "no"
    assert found["accounts"].startswith("It holds 8 accounts")
    assert "accounts" not in read_findings(output, ended_well=True)
    assert set(read_findings('{"co', ended_well=False)) == {"not-tried"}


def gateways_request() -> Request:
    data = (
        b"MESSAGE sip:anna@app SIP/2.0\r\nVia: SIP/2.0/PJSUA2 h:5060;branch=z9hG4bKours\r\n"
        b"Max-Forwards: 70\r\nFrom: <sip:public@h>;tag=1\r\nTo: <sip:anna@app>\r\nCall-ID: i\r\n"
        b"CSeq: 4 MESSAGE\r\nReply-To: sip:public@h\r\nCall-Info: <urn:x>; purpose=y\r\n"
        b"Content-Type: text/plain;charset=utf-8\r\nContent-Length: 2\r\n\r\nhi"
    )
    message = parse_message(data)
    assert isinstance(message, Request)
    return message


def test_an_answer_goes_back_as_one_to_the_gateways_own_request():
    row = (1, "n", "sip:psap@core", "sip:a", "psap", "geheim", "*", 60, 30, "", "", True)
    (account,) = read_accounts([row], LISTENER)
    sent: list[tuple] = []
    answers: list[bytes] = []
    outbox = Outbox(lambda *arguments: sent.append(arguments))
    outbox.take(account, gateways_request(), answers.append)
    _, uri, headers, content_type, body, done = sent[-1]
    assert (uri, content_type, body) == ("sip:anna@app", "text/plain;charset=utf-8", "hi")
    assert headers == [("Reply-To", "sip:psap@core"), ("Call-Info", "<urn:x>; purpose=y")]
    challenge = (
        b"SIP/2.0 407 P\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKpj\r\nFrom: <sip:a@b>;tag=1\r\n"
        b"To: <sip:c@d>;tag=2\r\nCall-ID: i\r\nCSeq: 1 MESSAGE\r\n"
        b'Proxy-Authenticate: Digest realm="r", nonce="n"\r\nContent-Length: 0\r\n\r\n'
    )
    done(407, "P", challenge)
    assert sent[-1][2][-1][0] == "Proxy-Authorization"
    sent[-1][5](407, "P", challenge)  # the same again: the password is wrong
    assert len(sent) == 2
    assert answers[0].startswith(b"SIP/2.0 407 P\r\nVia: SIP/2.0/PJSUA2 h:5060;branch=z9hG4bKours")


def test_what_no_account_can_send_is_to_be_tried_again():
    answers: list[bytes] = []
    Outbox(lambda *_: None).take(None, gateways_request(), answers.append)
    assert answers[0].startswith(b"SIP/2.0 503 no account is registered\r\n")
