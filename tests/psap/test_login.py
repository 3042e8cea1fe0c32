"""Login and logout, the limit to guessing, and the status page."""

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from psap.login import ALLOWED_FAILURES, WINDOW
from psap.models import LoginFailure, User

pytestmark = pytest.mark.django_db
PASSWORD = "right horse battery"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("cora", password=PASSWORD)


def _login(client: Client, password: str, **extra: str) -> int:
    attempt = {"username": "cora", "password": password}
    return client.post("/login/?next=/healthz", attempt, **extra).status_code


def test_the_right_password_logs_in_and_goes_on_to_where_one_wanted(user: User):
    client = Client()
    answer = client.post("/login/?next=/healthz", {"username": "cora", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/healthz")
    assert client.session["_auth_user_id"] == str(user.pk)


def test_logout_takes_a_post_and_leads_to_the_login(user: User):
    client = Client()
    client.force_login(user)
    assert client.get("/logout/").status_code == 405
    answer = client.post("/logout/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/")
    assert "_auth_user_id" not in client.session


def test_after_too_many_failures_even_the_right_password_has_to_wait(user: User):
    client = Client()
    for _ in range(ALLOWED_FAILURES):
        assert _login(client, "wrong") == 200
    assert _login(client, PASSWORD) == 200
    answer = client.post("/login/", {"username": "cora", "password": PASSWORD})
    assert "Too many failed logins" in str(answer.context["form"].non_field_errors())


def test_somebody_guessing_elsewhere_does_not_lock_the_call_taker_out(user: User):
    for _ in range(ALLOWED_FAILURES):
        _login(Client(), "wrong", REMOTE_ADDR="198.51.100.7")
    assert _login(Client(), PASSWORD, REMOTE_ADDR="192.0.2.1") == 302


def test_behind_a_proxy_the_address_that_it_tells_counts(user: User, settings):
    """Red when all come from the proxy: anybody could lock a call-taker out."""
    settings.BEHIND_TLS = True
    for _ in range(ALLOWED_FAILURES):
        _login(Client(), "wrong", HTTP_X_REAL_IP="198.51.100.7")
    assert _login(Client(), PASSWORD, HTTP_X_REAL_IP="198.51.100.7") == 200
    assert _login(Client(), PASSWORD, HTTP_X_REAL_IP="192.0.2.1") == 302


@pytest.mark.parametrize("told", ["", "nonsense", "\0", "1" * 5000])
def test_an_address_that_is_none_is_not_believed(user: User, settings, told: str):
    settings.BEHIND_TLS = True
    assert _login(Client(), "wrong", HTTP_X_REAL_IP=told) == 200
    assert LoginFailure.objects.get().address == "127.0.0.1"


def test_without_a_proxy_nobody_tells_where_they_come_from(user: User):
    for number in range(ALLOWED_FAILURES):
        _login(Client(), "wrong", HTTP_X_REAL_IP=f"198.51.100.{number}")
    assert _login(Client(), PASSWORD, HTTP_X_REAL_IP="192.0.2.1") == 200


def test_attempts_count_before_they_are_tried(user: User, monkeypatch: pytest.MonkeyPatch):
    """Red when only failures count: as many as fit into half a second at once were free."""
    seen = []
    monkeypatch.setattr(
        "django.contrib.auth.forms.authenticate",
        lambda *_, **__: seen.append(LoginFailure.objects.count()),
    )
    _login(Client(), "wrong")
    assert seen == [1]


def test_the_wait_ends_with_the_window_and_success_forgives(user: User):
    client = Client()
    for _ in range(ALLOWED_FAILURES):
        _login(client, "wrong")
    long_ago = timezone.now() - WINDOW - timedelta(seconds=1)
    LoginFailure.objects.update(at=long_ago)
    assert _login(client, PASSWORD) == 302
    assert not LoginFailure.objects.exists()


def test_healthz_tells_whether_the_database_answers(monkeypatch: pytest.MonkeyPatch):
    assert Client().get("/healthz").json() == {"status": "ok"}

    def refuse() -> None:
        raise DatabaseError

    monkeypatch.setattr(connection, "cursor", refuse)
    assert Client().get("/healthz").status_code == 503
