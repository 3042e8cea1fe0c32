"""What every answer of the web says to browsers, also errors, the admin and files."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.test import Client

from psap.models import User
from psap.project.environment import PROJECT_ROOT

pytestmark = pytest.mark.django_db
ASK = (
    "import django, json; django.setup(); from django.conf import settings as s;"
    "print(json.dumps([s.SECURE_HSTS_SECONDS, s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE]))"
)


@pytest.fixture
def administrator() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("root", password="right horse battery"))
    return client


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/login/", 200),
        ("/admin/", 200),
        ("/admin/psap/user/add/", 200),
        ("/nowhere", 404),
        ("/", 302),
        ("/chats/1/conversation/", 403),
        ("/healthz", 200),
    ],
)
def test_every_answer_is_guarded(administrator: Client, path: str, status: int):
    client = Client() if path == "/login/" else administrator
    answer = client.get(path)
    assert answer.status_code == status
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "Strict-Transport-Security" not in answer


def test_errors_and_refusals_are_guarded_too(administrator: Client, monkeypatch):
    monkeypatch.setattr("chats.selectors.conversation", lambda chat_id: 1 / 0)
    monkeypatch.setattr("chats.http.may_see_chats", lambda request: True)
    failed = administrator.get("/chats/1/conversation/")
    forged = Client(enforce_csrf_checks=True).post("/login/", {"username": "root"})
    misled = Client().get("/login/", HTTP_HOST="evil.example")
    assert [failed.status_code, forged.status_code, misled.status_code] == [500, 403, 400]
    for answer in (failed, forged, misled):
        assert "default-src 'none'" in answer["Content-Security-Policy"]


def test_files_are_not_taken_for_anything_else():
    answer = Client().get("/static/console/main.js")
    assert (answer.status_code, answer["X-Content-Type-Options"]) == (200, "nosniff")


@pytest.mark.parametrize("behind", ["", "1"])
def test_only_behind_tls_browsers_are_told_to_stay_with_it(behind: str):
    said = subprocess.run(
        [sys.executable, "-c", ASK],
        cwd=PROJECT_ROOT,
        env=os.environ
        | {"PSAP_BEHIND_TLS": behind, "DJANGO_SETTINGS_MODULE": "psap.project.settings"}
        | {"PSAP_STATE_DIR": str(settings.STATE_DIR)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.strip() == ("[31536000, true, true]" if behind else "[0, false, false]")
