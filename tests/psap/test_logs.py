"""What a log says of a request that got no page."""

import io
import logging
from collections.abc import Iterator

import pytest
from django.test import Client

from psap.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    (handler,) = (one for one in logging.root.handlers if type(one) is logging.StreamHandler)
    written = io.StringIO()
    usual = handler.setStream(written)
    yield written
    handler.setStream(usual)


def _somebody() -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_user("anna", password="right horse battery"))
    return client


def test_a_refusal_is_one_line(log: io.StringIO):
    """Red when each click on a page that is not theirs writes forty lines."""
    assert _somebody().get("/status/").status_code == 403
    assert "Forbidden (Permission denied): /status/" in log.getvalue()
    assert len(log.getvalue().splitlines()) == 1


def test_an_error_of_ours_keeps_its_stack(log: io.StringIO, monkeypatch):
    monkeypatch.setattr("chats.selectors.conversation", lambda chat_id: 1 / 0)
    monkeypatch.setattr("chats.http.may_see_chats", lambda request: True)
    assert _somebody().get("/chats/1/conversation/").status_code == 500
    assert "ZeroDivisionError" in log.getvalue()
