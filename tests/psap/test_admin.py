"""The admin: who gets in, and what it takes and refuses."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client

from psap.demo import seed_demo
from psap.models import (
    ADMINISTRATOR,
    CALL_TAKER,
    LimitedClient,
    LocationServer,
    Psap,
    ServiceNumber,
    Trunk,
    User,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def demo(tmp_path: Path) -> None:
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )


def _client(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


@pytest.fixture
def admin() -> Client:
    return _client("admin")


def _errors(client: Client, path: str, values: dict[str, object]) -> str:
    answer = client.post(path, values)
    assert answer.status_code == 200
    return str(answer.context["adminform"].form.errors)


def test_the_admin_has_one_door_which_is_our_login():
    for path in ("/admin/", "/admin/login/?next=/admin/psap/"):
        answer = Client().get(path, follow=True)
        assert answer.redirect_chain[-1][0].startswith("/login/?next=/admin/")


def test_call_takers_and_supervisors_are_kept_out():
    for username in ("calltaker", "supervisor"):
        assert _client(username).get("/admin/", follow=True).status_code == 403


def test_administrators_configure_without_being_superusers(admin: Client):
    page = admin.get("/admin/").content.decode()
    assert "Leitstand" in page
    for model in ("psap", "servicenumber", "trunk", "user", "serviceprocess", "loginfailure"):
        assert f"/admin/psap/{model}/" in page
    assert "/admin/auth/group/" not in page
    assert 'href="/status/"' in page


def test_every_page_of_the_admin_does_without_inline_code(admin: Client):
    trunk = Trunk.objects.get()
    user = User.objects.get(username="calltaker")
    for path in (
        "",
        "psap/psap/1/change/",
        "psap/peer/add/",
        f"psap/trunk/{trunk.pk}/change/",
        f"psap/user/{user.pk}/change/",
        "psap/user/add/",
        "psap/user/",
        "psap/serviceprocess/",
    ):
        answer = admin.get(f"/admin/{path}")
        assert answer.status_code == 200, path
        page = answer.content.decode()
        scripts = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", page)
        assert all("application/json" in attributes for attributes in scripts), path
        assert not re.search(r"<style|\son\w+=", page), path
        assert "script-src 'self'" in answer["Content-Security-Policy"]


def test_there_is_one_psap_that_is_changed_but_never_added_or_deleted(admin: Client):
    assert admin.get("/admin/psap/psap/add/").status_code == 403
    assert admin.post("/admin/psap/psap/1/delete/", {"post": "yes"}).status_code == 403
    values = {
        "name": "PSAP Graz",
        "public_uri": "sip:graz@example.org",
        "greeting": "Hello",
        "closing_text": "Goodbye",
        "heartbeat_interval": 20,
        "lost_after": 60,
        "lease": 12,
        "test_interval": 60,
        "test_limit": 5,
        "redirect_text": "We pass you on.",
        "redirect_patience": 30,
        "transfer_text": "We hand you over.",
        "arrival_text": "You are with us now.",
        "stop_patience": 8,
        "transfer_margin": 4,
        "largest_transfer": 30,
        "bad_actor_format": "application/json",
    }
    assert admin.post("/admin/psap/psap/1/change/", values).status_code == 302
    row = Psap.objects.get()
    assert row.name == "PSAP Graz"
    assert (row.test_calls, row.test_interval, row.test_limit) == (False, 60, 5)
    assert (row.redirect_text, row.redirect_patience) == ("We pass you on.", 30)
    assert (row.transfer_text, row.arrival_text) == ("We hand you over.", "You are with us now.")
    assert (row.stop_patience, row.transfer_margin, row.largest_transfer) == (8, 4, 30)
    for url in ("https://bcf.example.org/BadActors", "http://127.0.0.1:8080/"):
        good = values | {"bad_actor_url": url}
        assert admin.post("/admin/psap/psap/1/change/", good).status_code == 302
        assert Psap.objects.get().bad_actor_url == url
    for url in ("ftp://bcf.example.org/", "https://anna@bcf.example.org/"):
        bad = values | {"bad_actor_url": url}
        assert "cannot be posted to" in _errors(admin, "/admin/psap/psap/1/change/", bad)
    impatient = _errors(admin, "/admin/psap/psap/1/change/", values | {"lost_after": 20})
    assert "longer than the time between heartbeats" in impatient
    too_rare = _errors(admin, "/admin/psap/psap/1/change/", values | {"heartbeat_interval": 21})
    assert "less than or equal to 20" in too_rare


def test_a_trunk_with_a_broken_proxy_or_network_is_refused(admin: Client):
    plain = {"name": "north", "transport": "plain", "tls_version": "1.2", "port": "5070"}
    values = plain | {"outbound_proxy": "proxy", "trusted_networks": "10.0.0.0/33"}
    errors = _errors(admin, "/admin/psap/trunk/add/", values)
    assert "is no SIP URI" in errors
    assert "is no network" in errors
    good = plain | {"outbound_proxy": "sip:p;transport=tcp", "trusted_networks": "::1"}
    assert admin.post("/admin/psap/trunk/add/", good).status_code == 302
    assert Trunk.objects.filter(name="north").exists()


def test_a_port_that_is_none_is_not_taken_for_the_default_one(admin: Client):
    values = {"name": "north", "enabled": "on", "transport": "plain", "tls_version": "1.2"}
    errors = _errors(admin, "/admin/psap/trunk/add/", values | {"port": "70000"})
    assert "70000 is no port number" in errors
    assert "belongs to the trunk" not in errors


def test_a_number_gets_a_service(admin: Client):
    errors = _errors(admin, "/admin/psap/servicenumber/add/", {"number": "140", "service": "x"})
    assert "is no service URN" in errors
    values = {"number": "140", "service": "urn:service:sos.mountain"}
    assert admin.post("/admin/psap/servicenumber/add/", values).status_code == 302
    assert ServiceNumber.objects.get(number="140").service == "urn:service:sos.mountain"


def _edit(client: Client, user: User, *roles: str) -> int:
    values = {
        "username": user.username,
        "is_active": "on",
        "is_superuser": "on",
        "is_staff": "on",
        "groups": [Group.objects.get(name=role).pk for role in roles],
    }
    return client.post(f"/admin/psap/user/{user.pk}/change/", values).status_code


def test_access_to_the_admin_follows_the_role_and_nobody_becomes_superuser(admin: Client):
    user = User.objects.get(username="calltaker")
    for roles, expected in (((ADMINISTRATOR, CALL_TAKER), True), ((CALL_TAKER,), False)):
        assert _edit(admin, user, *roles) == 302
        user.refresh_from_db()
        assert (user.is_staff, user.is_superuser) == (expected, False)


def test_an_administrator_does_not_touch_a_superuser(admin: Client):
    chief = User.objects.create_superuser("chief", password="long enough for this")
    assert _edit(admin, chief) == 403
    assert admin.post(f"/admin/psap/user/{chief.pk}/password/", {}).status_code == 403
    assert admin.post(f"/admin/psap/user/{chief.pk}/delete/", {"post": "yes"}).status_code == 403


def test_signs_of_life_are_read_only(admin: Client):
    assert admin.get("/admin/psap/serviceprocess/add/").status_code == 403


def test_a_location_server_is_listed_as_urls_are_compared_with_it(admin: Client):
    path = "/admin/psap/locationserver/add/"
    for bad in (
        "https://lis.example.org",
        "lis.example.org/x",
        "lis:0",
        "lis:99999",
        "[::1",
        "a b",
    ):
        assert "is no host" in _errors(admin, path, {"host": bad}), bad
    written = {
        "LIS.Example.org:443": "lis.example.org",
        "lis.example.org:8443": "lis.example.org:8443",
        "[2001:DB8:0::1]:8443": "[2001:db8::1]:8443",
        "192.0.2.7": "192.0.2.7",
        "bücher.example": "xn--bcher-kva.example",
    }
    for host, stored in written.items():
        assert admin.post(path, {"host": host}).status_code == 302
        assert LocationServer.objects.filter(host=stored).exists(), host
    twice = _errors(admin, path, {"host": "lis.example.org."})
    assert "already exists" in twice


def test_an_app_that_does_not_follow_is_known_from_the_start_and_others_can_be_added(admin: Client):
    LimitedClient.objects.all().delete()  # another test may have emptied all tables
    import_module("psap.migrations.0005_known_limited_clients").know(apps, None)
    assert LimitedClient.objects.get().user_agent == "ng112-js"
    another = {"user_agent": "Oldphone/1", "ends_on_redirect": "on"}
    assert admin.post("/admin/psap/limitedclient/add/", another).status_code == 302
    assert LimitedClient.objects.filter(user_agent="Oldphone/1", ends_on_transfer=False).exists()
