"""Secrets of the configuration: no page shows them, and no filter tells them letter by letter."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from psap.models import ADMINISTRATOR, Certificate, Peer, SipAccount, Trunk, User
from psap.roles import ensure_roles

pytestmark = pytest.mark.django_db

SECRET = "streng-geheim"


@pytest.fixture
def admin() -> Client:
    ensure_roles()
    user = User.objects.create(username="admin", is_staff=True)
    user.groups.add(Group.objects.get(name=ADMINISTRATOR))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def onlooker() -> Client:
    """Somebody whom a superuser lets look at the configuration."""
    user = User.objects.create(username="onlooker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture(autouse=True)
def rows() -> None:
    Trunk.objects.all().delete()
    Trunk.objects.create(name="north", username="psap", password=SECRET)
    SipAccount.objects.create(name="core", username="psap", password=SECRET, registrars="sip:c")
    Certificate.objects.create(name="ours", chain="-", private_key=SECRET)
    Peer.objects.create(name="East", uris="sip:e@east", own_token=SECRET, token_sha256=SECRET)


SECRETS = [
    ("trunk", "password"),
    ("sipaccount", "password"),
    ("certificate", "private_key"),
    ("peer", "own_token"),
    ("peer", "token_sha256"),
]


@pytest.mark.parametrize(("model", "field"), SECRETS)
@pytest.mark.parametrize("lookup", ["__startswith", "__regex", "", "__gt"])
def test_no_filter_of_a_list_tells_a_secret(admin: Client, model: str, field: str, lookup: str):
    answer = admin.get(f"/admin/psap/{model}/", {f"{field}{lookup}": SECRET[:3]})
    assert answer.status_code == 400


@pytest.mark.parametrize(("model", "field"), SECRETS)
@pytest.mark.parametrize("who", ["admin", "onlooker"])
def test_no_page_shows_a_secret(
    request: pytest.FixtureRequest, who: str, model: str, field: str
) -> None:
    client: Client = request.getfixturevalue(who)
    models = {"trunk": Trunk, "sipaccount": SipAccount, "certificate": Certificate, "peer": Peer}
    row = models[model].objects
    for page in ("", f"{row.get().pk}/change/", f"{row.get().pk}/history/"):
        answer = client.get(f"/admin/psap/{model}/{page}")
        assert answer.status_code == 200
        assert SECRET not in answer.content.decode()


def test_an_empty_password_keeps_the_one_of_the_trunk(admin: Client):
    row = Trunk.objects.get()
    page = f"/admin/psap/trunk/{row.pk}/change/"
    values = {
        "name": "north",
        "transport": "plain",
        "tls_version": "1.2",
        "username": "psap",
        "password": "",
    }
    assert admin.post(page, values).status_code == 302
    row.refresh_from_db()
    assert row.password == SECRET
    admin.post(page, values | {"password": "anders"})
    row.refresh_from_db()
    assert row.password == "anders"
    admin.post(page, values | {"username": ""})
    row.refresh_from_db()
    assert row.password == ""
