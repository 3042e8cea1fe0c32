"""Alarms from 30 days before something expires."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client

from psap.alarms import ALARM, WARNING, current_alarms
from psap.demo import seed_demo
from psap.expiry import certificates
from psap.models import Certificate, CertificateAuthority, PeerCertificate, User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def in_days(days: float) -> datetime:
    return NOW + timedelta(days=days)


def seen(names: str, ends: datetime, fingerprint: str = "0") -> None:
    PeerCertificate.objects.create(
        trunk="sips", fingerprint=fingerprint * 64, names=names, not_after=ends, seen_at=NOW
    )


@pytest.mark.parametrize(
    ("days", "severity"), [(30.01, None), (30, WARNING), (0.01, WARNING), (0, ALARM), (-90, ALARM)]
)
def test_ours_warns_for_thirty_days_and_alarms_from_its_end(days, severity):
    Certificate.objects.create(name="ours", not_after=in_days(days))
    found = list(certificates(NOW))
    assert [alarm.severity for alarm in found] == ([severity] if severity else [])
    if found:
        assert found[0].code == "certificate-expires"
        assert "“ours”" in found[0].text
        assert found[0].text.endswith(f"on {in_days(days).date().isoformat()}.")


def test_authorities_and_their_lists_warn_each_for_itself():
    CertificateAuthority.objects.create(name="CA", not_after=in_days(20), next_update=in_days(-1))
    assert [(alarm.code, alarm.severity) for alarm in certificates(NOW)] == [
        ("revocation-list-expires", ALARM),
        ("authority-expires", WARNING),
    ]


def test_a_peers_certificate_warns_until_a_newer_one_has_been_seen():
    seen("esrp.example.org", in_days(5), "1")
    seen("bcf.example.org", in_days(6), "2")
    assert [alarm.code for alarm in certificates(NOW)] == ["peer-certificate-expires"] * 2
    seen("esrp.example.org", in_days(365), "3")
    [left] = certificates(NOW)
    assert left.text == (
        f"The certificate of bcf.example.org (trunk “sips”) expires on {in_days(6):%Y-%m-%d}."
    )


def test_a_peer_that_is_gone_is_forgotten_in_the_end():
    seen("old.example.org", in_days(-31))
    assert list(certificates(NOW)) == []


def test_it_is_one_of_the_sources_and_stands_on_the_admins_first_page(tmp_path: Path):
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )
    now = datetime.now(UTC)
    Certificate.objects.create(name="ours", not_after=now + timedelta(days=3))
    assert "certificate-expires" in {alarm.code for alarm in current_alarms(now)}
    client = Client()
    client.force_login(User.objects.get(username="admin"))
    assert "Our certificate “ours” expires on" in client.get("/admin/").content.decode()
