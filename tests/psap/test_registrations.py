"""Accounts at SIP cores in the admin, in the alarms and in Django's system checks."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone

from psap.alarms import current_alarms
from psap.checks import TAG
from psap.models import (
    ADMINISTRATOR,
    RegistrarLimit,
    Registration,
    ServiceProcess,
    SipAccount,
    User,
)
from psap.roles import ensure_roles

pytestmark = pytest.mark.django_db

PASSWORD = "streng-geheim"
VALUES = {
    "name": "core",
    "enabled": "on",
    "address_of_record": "sip:psap@core.example.org",
    "registrars": "sip:a.example.org;transport=tcp\n\n sips:b.example.org ",
    "username": "psap",
    "password": PASSWORD,
    "realm": "*",
    "expires": "300",
    "retry_after": "30",
    "contact": "",
    "feature_tags": '+g.oma.sip-im;language="en,de"',
}


@pytest.fixture
def admin() -> Client:
    ensure_roles()
    user = User.objects.create(username="admin", is_staff=True)
    user.groups.add(Group.objects.get(name=ADMINISTRATOR))
    client = Client()
    client.force_login(user)
    return client


def account(**values: object) -> SipAccount:
    given = {"name": "core", "address_of_record": "sip:psap@core", "registrars": "sip:core"}
    return SipAccount.objects.create(**given | values)


def standing(of: SipAccount, state: str, seconds: int, **values: object) -> Registration:
    changed = timezone.now() - timedelta(seconds=seconds)
    return Registration.objects.create(account=of, state=state, changed_at=changed, **values)


def codes() -> list[str]:
    return [alarm.code for alarm in current_alarms(timezone.now())]


def test_an_account_is_added_and_its_password_never_shown_again(admin: Client):
    assert admin.post("/admin/psap/sipaccount/add/", VALUES).status_code == 302
    made = SipAccount.objects.get()
    assert made.registrars == "sip:a.example.org;transport=tcp\nsips:b.example.org"
    assert made.feature_tags == '+g.oma.sip-im\nlanguage="en,de"'
    page = admin.get(f"/admin/psap/sipaccount/{made.pk}/change/").content.decode()
    assert PASSWORD not in page
    changed = VALUES | {"password": "", "retry_after": "20"}
    assert admin.post(f"/admin/psap/sipaccount/{made.pk}/change/", changed).status_code == 302
    made.refresh_from_db()
    assert (made.password, made.retry_after) == (PASSWORD, 20)
    admin.post(f"/admin/psap/sipaccount/{made.pk}/change/", changed | {"password": "anders"})
    made.refresh_from_db()
    assert made.password == "anders"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address_of_record", "psap"),
        ("registrars", "sip:a\nhttp://b"),
        ("contact", "<sip:a>"),
        ("feature_tags", "+g.oma.sip-im\n>;evil"),
        ("expires", "5"),
        ("retry_after", "0"),
    ],
)
def test_what_could_not_be_registered_is_refused(admin: Client, field: str, value: str):
    answer = admin.post("/admin/psap/sipaccount/add/", VALUES | {field: value})
    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors


def test_the_list_shows_how_each_account_stands(admin: Client):
    until = timezone.now() + timedelta(minutes=5)
    standing(account(name="one"), "registered", 60, registered_until=until)
    standing(account(name="two"), "failed", 60, reason="401 Unauthorized", sip_status=401)
    past = timezone.now() - timedelta(minutes=5)
    standing(account(name="three"), "registered", 600, registered_until=past)
    account(name="four")
    page = admin.get("/admin/psap/sipaccount/").content.decode()
    assert f"registered until {timezone.localtime(until):%H:%M:%S}" in page
    assert "failed" in page
    assert "expired" in page
    two = SipAccount.objects.get(name="two")
    assert (
        "401 Unauthorized" in admin.get(f"/admin/psap/sipaccount/{two.pk}/change/").content.decode()
    )


def test_limits_are_shown_and_not_changed(admin: Client):
    limit = RegistrarLimit.objects.create(
        code="urn-request-uri", detail="It throws them away.", found_at=timezone.now()
    )
    assert "throws them away" in admin.get("/admin/psap/registrarlimit/").content.decode()
    assert admin.post(f"/admin/psap/registrarlimit/{limit.pk}/delete/").status_code == 403


def test_saving_an_account_that_receives_in_pjsua2_warns_of_its_limits(admin: Client):
    RegistrarLimit.objects.create(
        code="packet-size-tcp", detail="It takes 3900 bytes.", found_at=timezone.now()
    )
    values = VALUES | {"receive_in_pjsua2": "on"}
    page = admin.post("/admin/psap/sipaccount/add/", values, follow=True).content.decode()
    assert "receives in pjsua2. It takes 3900 bytes." in page


def test_the_checks_warn_of_accounts_that_ask_for_what_pjsua2_cannot_do():
    account(name="ours")
    account(name="nat", receive_in_pjsua2=True)
    account(name="tls", registrars="sip:a;transport=TLS")
    account(name="off", receive_in_pjsua2=True, enabled=False)
    found = run_checks(tags=[TAG])
    assert [w.id for w in found] == ["psap.W001"]
    assert "“nat” receives in pjsua2. What it cannot do is found" in found[0].msg
    for code, detail in (("tls-1.3", "No TLS 1.3."), ("packet-size-udp", "It cuts.")):
        RegistrarLimit.objects.create(code=code, detail=detail, found_at=timezone.now())
    first, second = run_checks(tags=[TAG])
    assert first.msg == "The account “nat” receives in pjsua2. It cuts."
    assert second.msg == "The account “tls” registers over TLS with pjsua2. No TLS 1.3."


@pytest.mark.parametrize(
    ("state", "seconds", "alarmed"),
    [
        ("failed", 31, True),
        ("failed", 29, False),
        ("trying", 31, True),
        ("off", 31, True),
    ],
)
def test_an_account_without_a_binding_raises_an_alarm_after_its_retry_time(
    state: str, seconds: int, alarmed: bool
):
    standing(account(retry_after=30), state, seconds, reason="503 Service Unavailable")
    assert ("not-registered" in codes()) is alarmed


def test_a_binding_that_has_run_out_raises_an_alarm_also_when_nobody_says_so():
    past = timezone.now() - timedelta(seconds=31)
    row = standing(account(retry_after=30), "registered", 600, registered_until=past)
    assert "not-registered" in codes()
    row.registered_until = timezone.now() + timedelta(seconds=60)
    row.save(update_fields=["registered_until"])
    assert "not-registered" not in codes()


def test_an_account_that_is_switched_off_raises_none():
    standing(account(enabled=False), "failed", 600)
    assert "not-registered" not in codes()


def test_a_message_that_was_cut_raises_an_alarm_for_an_hour():
    now = timezone.now()
    row = ServiceProcess.objects.create(
        name="registrar", instance="a:1", started_at=now, beat_at=now, figures={"cut_at": ""}
    )
    assert "message-cut" not in codes()
    for minutes, alarmed in ((59, True), (61, False)):
        at = now - timedelta(minutes=minutes)
        row.figures = {"cut_at": at.isoformat(), "cut_from": "192.0.2.1:5060"}
        row.save(update_fields=["figures"])
        assert ("message-cut" in codes()) is alarmed
