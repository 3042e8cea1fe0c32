"""Peers in the admin: who may call us, whom we ask, and what does not fit together."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client

from psap.demo import seed_demo
from psap.models import Certificate, CertificateAuthority, Peer, Psap, User
from psap.peer_tokens import digest_of

pytestmark = pytest.mark.django_db

ADD = "/admin/psap/peer/add/"
TOKEN = "Rk9SLXRlc3RzLW9ubHktMDEyMzQ1Njc4OWFiY2RlZg=="
EAST = {
    "name": "Control room East",
    "uris": "sip:psap@east.example.org",
    "agreement": "on",
    "url": "https://east.example.org:8443/",
    "certificate_names": "psap.east.example.org",
    "auto_accept_limit": 10,
    "offer_time": 30,
    "answer_time": 45,
    "expiry_time": 60,
    "execution_time": 20,
}


@pytest.fixture(autouse=True)
def demo(tmp_path: Path) -> None:
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )
    psap = Psap.objects.get()
    psap.peer_certificate = Certificate.objects.create(name="ours", chain="-", private_key="-")
    psap.save()
    psap.peer_authorities.add(CertificateAuthority.objects.create(name="ESInet", certificates="-"))


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    return client


def refusal(client: Client, values: dict[str, object], path: str = ADD) -> str:
    answer = client.post(path, values)
    assert answer.status_code == 200
    return str(answer.context["adminform"].form.errors)


def stored(client: Client, values: dict[str, object], path: str = ADD) -> list[str]:
    """Store a peer; returns the warnings that follow."""
    answer = client.post(path, values, follow=True)
    assert answer.redirect_chain, answer.context["adminform"].form.errors
    said = [str(one) for one in answer.context["messages"] if one.level_tag == "warning"]
    return said


def page_of(peer: Peer) -> str:
    return f"/admin/psap/peer/{peer.pk}/change/"


def test_a_peer_is_known_by_the_uris_that_apps_can_be_sent_to(admin: Client):
    assert "sip:psap@host" in refusal(admin, EAST | {"uris": "sip:east.example.org"})
    assert "required" in refusal(admin, EAST | {"uris": " "})
    uris = "sip:psap@east.example.org  sip:east@example.org sip:east@example.org"
    assert stored(admin, EAST | {"uris": uris}) == []
    peer = Peer.objects.get()
    assert peer.all_uris == ("sip:psap@east.example.org", "sip:east@example.org")
    assert peer.uri == "sip:psap@east.example.org"


@pytest.mark.parametrize("field", ["url", "negotiation_url", "execution_url"])
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("http://east.example.org/", "only https"),
        ("https://anna@east.example.org/", "names a user"),
        ("https://east.example.org/?a=b", "begins at ?"),
        ("https://east.example.org/#a", "begins at ?"),
        ("sip:psap@east.example.org", "valid URL"),
    ],
)
def test_a_peer_is_asked_over_https_alone(admin: Client, field: str, written: str, why: str):
    assert why in refusal(admin, EAST | {field: written})


def test_one_of_two_urls_leads_nowhere(admin: Client):
    """Red when half a peer can be stored: its negotiation would be accepted and never executed."""
    values = EAST | {"url": ""}
    for given, lacking in (
        ("negotiation_url", "execution_url"),
        ("execution_url", "negotiation_url"),
    ):
        answer = admin.post(ADD, values | {given: "https://east.example.org/x"})
        assert lacking in answer.context["adminform"].form.errors
    both = {name: f"https://east.example.org/{name}" for name in ("negotiation_url", given)}
    assert stored(admin, values | both) == []
    assert Peer.objects.get().takes_transfers


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("not a/name", "is no name of a certificate"),
        ("127.0.0.1", "is an address"),
        ("*.*.example.org", "is no name of a certificate"),
    ],
)
def test_names_that_no_certificate_is_admitted_by_are_refused(admin: Client, names: str, why: str):
    assert why in refusal(admin, EAST | {"certificate_names": names})


def test_names_are_kept_as_certificates_are_compared_with_them(admin: Client):
    stored(admin, EAST | {"certificate_names": "PSAP.East.example.org\r\n*.East.example.org"})
    assert Peer.objects.get().certificate_names == "psap.east.example.org\n*.east.example.org"


# Nobody can be taken for another.


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"uris": "sip:psap@EAST.example.org"}, "uris"),
        ({"uris": "sip:psap@127.0.0.1:5060"}, "uris"),
        ({"certificate_names": "psap.east.example.org"}, "certificate_names"),
        ({"certificate_names": "*.east.example.org"}, "certificate_names"),
        ({"certificate_names": "sip:psap.east.example.org"}, "certificate_names"),
        ({"token": TOKEN}, "token"),
    ],
)
def test_two_peers_share_nothing_that_they_are_known_by(
    admin: Client, changed: dict[str, str], field: str
):
    stored(admin, EAST | {"token": TOKEN})
    west = EAST | {
        "name": "West",
        "uris": "sip:psap@west.example.org",
        "certificate_names": "psap.west.example.org",
    }
    answer = admin.post(ADD, west | changed)
    assert list(answer.context["adminform"].form.errors) == [field]
    assert stored(admin, west) == []
    assert stored(admin, EAST, page_of(Peer.objects.get(name=EAST["name"]))) == []  # itself


def test_our_own_uri_cannot_become_that_of_a_peer(admin: Client):
    stored(admin, EAST)
    answer = admin.post("/admin/psap/psap/1/change/", {"public_uri": EAST["uris"]})
    errors = answer.context["adminform"].form.errors
    assert "is a URI of the peer “Control room East”" in str(errors["public_uri"])


# Tokens.


@pytest.mark.parametrize("field", ["token", "own_token"])
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("short", "at least 32 characters; this one has 5"),
        ("a" * 40, "can be guessed"),
        ("with blanks within, and a comma, so no token", "consists of letters"),
        ("ä" * 20 + "abcdefghijklmnop", "consists of letters"),
        (TOKEN * 40, "at most 1000"),
    ],
)
def test_a_token_that_is_none_is_refused_in_words(
    admin: Client, field: str, written: str, why: str
):
    assert why in refusal(admin, EAST | {field: written})


def test_a_token_goes_in_as_text_and_stays_as_a_digest(admin: Client):
    stored(admin, EAST | {"token": f" {TOKEN} "})
    peer = Peer.objects.get()
    assert peer.token_sha256 == digest_of(TOKEN)
    assert TOKEN not in admin.get(page_of(peer)).content.decode()
    stored(admin, EAST, page_of(peer))
    peer.refresh_from_db()
    assert peer.token_sha256 == digest_of(TOKEN)
    both = EAST | {"token": TOKEN, "forget_token": "on"}
    assert "Either forget" in refusal(admin, both, page_of(peer))
    stored(admin, EAST | {"forget_token": "on"}, page_of(peer))
    peer.refresh_from_db()
    assert peer.token_sha256 == ""


def test_a_token_of_ours_stays_until_it_is_replaced_or_forgotten(admin: Client):
    stored(admin, EAST | {"own_token": TOKEN})
    peer = Peer.objects.get()
    assert TOKEN not in admin.get(page_of(peer)).content.decode()
    for changed, kept in (
        ({}, TOKEN),
        ({"own_token": TOKEN[::-1].strip("=")}, TOKEN[::-1].strip("=")),
        ({"forget_own_token": "on"}, ""),
    ):
        stored(admin, EAST | changed, page_of(peer))
        peer.refresh_from_db()
        assert peer.own_token == kept
    stored(admin, EAST | {"own_token": ""}, page_of(peer))
    assert "No fields changed" in admin.get(f"{page_of(peer)[:-7]}history/").content.decode()


def test_what_was_typed_as_a_token_does_not_come_back_with_the_complaint(admin: Client):
    values = EAST | {"token": TOKEN, "own_token": TOKEN, "uris": "nonsense"}
    assert TOKEN not in admin.post(ADD, values).content.decode()


def test_a_drawn_token_is_shown_once(admin: Client):
    stored(admin, EAST)
    peer = Peer.objects.get()
    page = f"/admin/psap/peer/{peer.pk}/token/"
    assert page in admin.get(page_of(peer)).content.decode()
    assert "<code" not in admin.get(page).content.decode()
    peer.refresh_from_db()
    assert peer.token_sha256 == ""
    drawn = admin.post(page)
    token = re.search(r'<code id="token">([^<]+)', drawn.content.decode())[1]
    assert len(token) >= 32 and "no-store" in drawn["Cache-Control"]
    peer.refresh_from_db()
    assert peer.token_sha256 == digest_of(token)
    for later in (page, page_of(peer), f"/admin/psap/peer/{peer.pk}/history/"):
        assert token not in admin.get(later).content.decode()
    history = admin.get(f"/admin/psap/peer/{peer.pk}/history/").content.decode()
    assert "Drew a new token" in history
    assert admin.get("/admin/psap/peer/4711/token/").status_code == 404


def test_who_may_not_change_peers_draws_no_token():
    peer = Peer.objects.create(name="East", uris="sip:e@east")
    onlooker = User.objects.create(username="onlooker", is_staff=True)
    client = Client()
    client.force_login(onlooker)
    assert client.post(f"/admin/psap/peer/{peer.pk}/token/").status_code == 403
    peer.refresh_from_db()
    assert peer.token_sha256 == ""


# What will not work as it stands.


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"certificate_names": ""}, ["neither a name of its certificate nor a token"]),
        ({"certificate_names": "", "token": TOKEN}, []),
        ({"url": ""}, ["Without a URL no chat goes to it"]),
        ({"url": "", "certificate_names": ""}, []),  # redirects alone
        ({"agreement": "", "certificate_names": ""}, []),
        ({"answer_time": 30}, ["We wait 30 s for its answer"]),
        ({"execution_time": 61}, ["Our executions may take 61 s", "expires after 60 s"]),
        ({"expiry_time": 10, "execution_time": 10}, ["expires after 10 s", "(10 s)"]),
    ],
)
def test_a_combination_that_will_not_work_is_stored_and_said(
    admin: Client, changed: dict[str, object], said: list[str]
):
    warnings = stored(admin, EAST | changed)
    assert len(warnings) == min(len(said), 1)
    assert all(part in warnings[0] for part in said)


def test_without_a_certificate_of_ours_peers_are_told_to_be_out_of_reach(admin: Client, settings):
    Psap.objects.update(peer_certificate=None)
    warnings = " ".join(stored(admin, EAST))
    assert "nothing listens on the port for peers" in warnings
    assert "We cannot prove to it who we are" in warnings
    assert len(stored(admin, EAST | {"own_token": TOKEN}, page_of(Peer.objects.get()))) == 1


def test_without_authorities_a_certificate_alone_proves_nothing(admin: Client):
    Psap.objects.get().peer_authorities.clear()
    (warning,) = stored(admin, EAST)
    assert "cannot be verified" in warning
    assert stored(admin, EAST | {"token": TOKEN}, page_of(Peer.objects.get())) == []


def test_a_rule_that_accepts_nothing_is_refused(admin: Client):
    values = EAST | {"auto_accept": "on", "auto_accept_limit": 0}
    assert "nothing would be accepted" in refusal(admin, values)
    assert stored(admin, values | {"auto_accept": ""}) == []


def test_the_list_says_which_way_transfers_go(admin: Client):
    stored(admin, EAST)
    assert "to it and from it" in admin.get("/admin/psap/peer/").content.decode()
    Peer.objects.update(url="")
    assert "from it" in admin.get("/admin/psap/peer/").content.decode()
    Peer.objects.update(agreement=False)
    assert "from it" not in admin.get("/admin/psap/peer/").content.decode()


def test_manage_check_says_it_too(admin: Client, capsys: pytest.CaptureFixture[str]):
    stored(admin, EAST | {"certificate_names": ""})
    call_command("check")
    told = capsys.readouterr().err
    assert "psap.W003" in told and "The peer “Control room East”" in told
