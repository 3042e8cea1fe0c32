"""How the instance does: who may see it, what stands there, and what Prometheus reads."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from chats.models import Journal, SetAside
from psap import alarms
from psap.alarms import Alarm, current_alarms
from psap.demo import seed_demo
from psap.figures import METRICS
from psap.models import Certificate, Registration, ServiceProcess, SipAccount, User
from psap.programs import gateway_load, programs
from sipgateway.figures import GatewayFigures
from tests.support.chats import open_chat

pytestmark = pytest.mark.django_db
TOKEN = {"authorization": "Bearer long-enough-secret"}
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def demo(tmp_path: Path) -> None:
    seed_demo(
        public_uri="sip:psap@127.0.0.1:5060",
        outbound_proxy="",
        credentials_path=tmp_path / "credentials.json",
    )


def client_of(username: str) -> Client:
    client = Client()
    client.force_login(User.objects.get(username=username))
    return client


def program(name, *, silent_for=0.0, now=None, instance="host:1", **figures):
    at = (now or timezone.now()) - timedelta(seconds=silent_for)
    return ServiceProcess.objects.create(
        name=name, instance=instance, started_at=at, beat_at=at, figures=figures
    )


def busy_gateway(**gauges):
    figures = GatewayFigures()
    figures.count_received(257, "bcf", "tls")
    figures.count_received(259, "bcf", "tls")
    figures.count_received(4711, 'odd "one"\n', "udp")
    figures.answers[200] += 3
    figures.answers[486] += 1
    figures.refusals["400 Missing Via"] += 2
    figures.commit.observe(0.004)
    figures.commit.observe(7.0)
    figures.gauges |= {name: (lambda value=value: value) for name, value in gauges.items()}
    return figures.snapshot()


def samples_of(client: Client) -> dict[tuple[str, frozenset], float]:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def labels(**given: str) -> frozenset:
    return frozenset(given.items())


# Who may see it.


@pytest.mark.parametrize(
    ("username", "status"), [("supervisor", 200), ("admin", 200), ("calltaker", 403)]
)
def test_the_status_page_is_for_supervisors_and_administrators(username: str, status: int):
    assert client_of(username).get("/status/").status_code == status


def test_who_is_not_logged_in_is_sent_to_the_login():
    answer = Client().get("/status/")
    assert answer.status_code == 302 and answer["Location"].startswith("/login/?next=/status/")


@pytest.mark.parametrize(
    ("sender", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("192.0.2.7", {}, 403),
        ("192.0.2.7", TOKEN, 200),
        ("192.0.2.7", {"authorization": "bearer  long-enough-secret"}, 200),
        ("192.0.2.7", {"authorization": "Bearer wrong"}, 403),
        ("192.0.2.7", {"authorization": "Bearer "}, 403),
        ("192.0.2.7", {"authorization": "Basic long-enough-secret"}, 403),
        ("192.0.2.7", {"authorization": "Bearer sch\udcf6n"}, 403),
        ("127.0.0.1", {"x-real-ip": "192.0.2.7"}, 403),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, 403),
        (
            "127.0.0.1",
            {"x-forwarded-proto": "https", "authorization": "Bearer long-enough-secret"},
            200,
        ),
        ("", {}, 403),
    ],
)
def test_metrics_are_for_this_machine_and_for_who_has_the_token(settings, sender, headers, status):
    """Red when a proxy on this machine makes everybody local."""
    settings.METRICS_TOKEN = "long-enough-secret"
    answer = Client().get("/metrics", REMOTE_ADDR=sender, headers=headers)
    assert answer.status_code == status


def test_without_a_configured_token_no_token_is_right(settings):
    settings.METRICS_TOKEN = ""
    headers = {"authorization": "Bearer "}
    assert Client().get("/metrics", REMOTE_ADDR="192.0.2.7", headers=headers).status_code == 403


# What Prometheus reads.


def test_the_figures_of_every_gateway_stand_there_by_instance():
    program("gateway", instance="a:sip:5060", **busy_gateway(leitstand_open_chats=7))
    program("gateway", instance="b:sip:5060", **busy_gateway(leitstand_open_chats=9))
    program("gateway", instance="gone:sip:5060", silent_for=60, leitstand_open_chats=100)
    found = samples_of(Client())
    of_a = {"program": "gateway", "instance": "a:sip:5060"}
    of_b = {"program": "gateway", "instance": "b:sip:5060"}
    assert found["leitstand_open_chats", labels(**of_a)] == 7
    assert found["leitstand_open_chats", labels(**of_b)] == 9
    assert not any("gone" in str(key) for key in found)
    name = "leitstand_messages_received_total"
    assert found[name, labels(**of_a, type="start", trunk="bcf", transport="tls")] == 1
    assert found[name, labels(**of_a, type="other", trunk='odd "one"\n', transport="udp")] == 1
    assert found["leitstand_answers_total", labels(**of_b, status="200")] == 3
    assert found["leitstand_test_calls_refused_total", labels(**of_b)] == 1
    bucket = "leitstand_commit_seconds_bucket"
    assert found[bucket, labels(**of_a, le="0.005")] == 1
    assert found[bucket, labels(**of_a, le="5.0")] == 1
    assert found[bucket, labels(**of_a, le="10.0")] == 2
    assert found[bucket, labels(**of_a, le="+Inf")] == 2
    assert found["leitstand_commit_seconds_sum", labels(**of_a)] == pytest.approx(7.004)


def test_what_the_database_says_stands_there_without_an_instance():
    chat = open_chat("Hilfe", ringing_since=timezone.now() - timedelta(seconds=90))
    Certificate.objects.create(
        name="ours",
        chain="",
        private_key="",
        not_after=timezone.now() + timedelta(days=10, minutes=1),
    )
    account = SipAccount.objects.create(name="esrp", address_of_record="sip:a@b", registrars="")
    Registration.objects.create(account=account, state="registered", changed_at=NOW)
    program("worker", silent_for=4)
    found = samples_of(Client())
    key = labels(session=chat.session, liveness=chat.liveness)
    assert found["leitstand_chats", key] == 1
    assert found["leitstand_chats_waiting", labels()] == 1
    assert 90 <= found["leitstand_chats_waiting_longest_seconds", labels()] < 120
    assert found["leitstand_certificate_days_left", labels(certificate="ours")] == 10
    states = "leitstand_registration_state"
    assert found[states, labels(account="esrp", state="registered")] == 1
    assert found[states, labels(account="esrp", state="failed")] == 0
    assert 4 <= found["leitstand_process_beat_age_seconds", labels(process="worker")] < 20
    assert found["leitstand_alarms", labels(code="certificate-expires", severity="warning")] == 1


@pytest.mark.parametrize(
    "odd",
    [
        {"leitstand_open_chats": "many"},
        {"leitstand_open_chats": [[1, 2]]},
        {"leitstand_answers_total": 5},
        {"leitstand_answers_total": [["200"], ["a", "b", 1], None, ["404", "x"]]},
        {"leitstand_commit_seconds": {"counts": [1], "sum": 1}},
        {"leitstand_commit_seconds": 3},
        {"something_else": 1},
    ],
)
def test_figures_of_another_version_cost_nobody_theirs(odd):
    program("gateway", instance="odd", **odd)
    program("gateway", instance="good", leitstand_outgoing_requests=3)
    found = samples_of(Client())
    of = {"program": "gateway", "instance": "good"}
    assert found["leitstand_outgoing_requests", labels(**of)] == 3
    assert client_of("admin").get("/status/").status_code == 200


def test_every_figure_of_a_gateway_is_declared_with_its_labels():
    for name, value in busy_gateway().items():
        metric = METRICS[name]
        if metric.labels:
            assert all(len(entry) == len(metric.labels) + 1 for entry in value), name


# Alarms.


def codes(found) -> list[str]:
    return [alarm.code for alarm in found]


def test_a_program_that_is_silent_is_missed_and_one_that_never_ran_is_not():
    program("web", now=NOW)
    assert codes(programs(NOW)) == []
    program("gateway", silent_for=6, now=NOW)
    program("worker", silent_for=9, now=NOW)
    assert codes(programs(NOW)) == ["gateway-silent"]
    assert codes(programs(NOW + timedelta(seconds=2))) == ["gateway-silent", "worker-silent"]


def test_a_program_that_was_started_again_is_not_missed():
    program("web", now=NOW)
    program("worker", silent_for=300, now=NOW, instance="host:before")
    program("worker", now=NOW, instance="host:after")
    assert codes(programs(NOW)) == []


def test_of_several_gateways_each_is_missed():
    program("web", now=NOW)
    program("gateway", now=NOW, instance="a:sip:5060")
    program("gateway", now=NOW, instance="b:sip:5060", silent_for=20)
    program("gateway", now=NOW, instance="old:sip:5060", silent_for=7200)
    (alarm,) = programs(NOW)
    assert "b:sip:5060" in alarm.text


def test_the_registrar_is_missed_only_where_there_is_an_account_to_register():
    program("web", now=NOW)
    program("registrar", now=NOW, silent_for=60)
    assert codes(programs(NOW)) == []
    SipAccount.objects.create(name="esrp", address_of_record="sip:a@b", registrars="")
    assert codes(programs(NOW)) == ["registrar-silent"]


def test_when_nobody_can_write_that_is_what_is_said():
    """Red when each program is called silent: the disk is full, and nobody would look at it."""
    program("web", now=NOW, silent_for=6)
    program("gateway", now=NOW, silent_for=7)
    (alarm,) = programs(NOW)
    assert alarm.code == "commits-failing" and alarm.since == NOW - timedelta(seconds=6)


def test_a_gateway_that_writes_signs_of_life_and_no_message_is_told():
    """Red when the signs of life decide: they are written over in place on a full disk."""
    program("gateway", now=NOW, instance="a", leitstand_journal_stuck_seconds=5.5)
    program("gateway", now=NOW, instance="b", leitstand_journal_stuck_seconds=4.5)
    (alarm,) = gateway_load(NOW)
    assert alarm.code == "commits-failing" and alarm.since == NOW - timedelta(seconds=5.5)


def test_a_gateway_tells_that_it_is_overloaded_or_behind():
    program("gateway", now=NOW, instance="a", leitstand_overload_active=1)
    program("gateway", now=NOW, instance="b", leitstand_projection_lag_seconds=5.5)
    program("gateway", now=NOW, instance="c", leitstand_projection_lag_seconds=4.5)
    assert codes(gateway_load(NOW)) == ["overload", "projection-behind"]


def test_a_source_that_fails_is_named_and_hides_no_other(monkeypatch):
    def good(now):
        return [Alarm("one", "warning", "One.")]

    def bad_weather(now):
        raise ValueError

    def grave(now):
        return [Alarm("two", "alarm", "Two.")]

    monkeypatch.setattr(alarms, "_sources", [good, bad_weather, grave])
    found = current_alarms(NOW)
    assert codes(found) == ["two", "one", "check-failed"]
    assert "bad weather" in found[-1].text


# What people see.


@pytest.fixture
def set_aside() -> SetAside:
    journal = Journal.objects.create(
        received_at=NOW,
        trunk="bcf",
        transport="udp",
        peer="192.0.2.9:5060",
        request_key=b"0" * 16,
        raw=b"MESSAGE sip:112@x SIP/2.0\r\n\r\nHilfe <b>\xff",
    )
    return SetAside.objects.create(journal=journal, at=NOW, error="DataError('poison')")


def test_a_message_on_no_chat_is_read_by_supervisors_and_an_alarm(set_aside: SetAside):
    page = client_of("supervisor").get("/status/").content.decode()
    assert "Hilfe &lt;b&gt;\ufffd" in page and "DataError" in page
    assert "Messages could be put on no chat" in page
    page = client_of("admin").get("/status/").content.decode()
    assert "Hilfe" not in page and "DataError" in page


def test_everything_stands_on_the_page():
    program("gateway", **busy_gateway(leitstand_overload_active=1, leitstand_open_chats=12345))
    program("worker", silent_for=30)
    account = SipAccount.objects.create(name="esrp", address_of_record="sip:a@b", registrars="")
    Registration.objects.create(
        account=account, state="failed", sip_status=403, reason="Forbidden", changed_at=NOW
    )
    Certificate.objects.create(
        name="psap.example.org", chain="", private_key="", not_after=NOW + timedelta(days=365)
    )
    page = client_of("supervisor").get("/status/").content.decode()
    for text in (
        "overloaded",
        "12,345",
        "400 Missing Via",
        "The program “worker” gives no sign of life.",
        "403 Forbidden",
        "psap.example.org",
        "2027-05-01",
    ):
        assert text in page, text
    assert "<script>" not in page and "style=" not in page
