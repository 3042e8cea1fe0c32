"""The record as tests look at it, in the committed database that a gateway process works on."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from chats.services.call_back import call_back
from chats.services.claim_chat import claim_chat
from chats.services.close_chat import close_chat
from chats.services.redirect_chat import redirect_chat
from chats.services.send_text import send_text
from chats.services.take_back import take_back
from psap.models import Peer, Psap, Trunk, User
from tests.support.chats import make_psap, make_user

Result = TypeVar("Result")
GREETING = "Notruf, was ist passiert?"
PUBLIC_URI = "sip:psap@psap.example.org"


def database_of_the_tests() -> str:
    """Return the URL of the database that pytest-django has made, never of another one."""
    name = connection.settings_dict["NAME"]
    assert name.startswith("test_"), f"{name} is no database of tests"
    parts = urlsplit(settings.ENVIRONMENT.database_url)
    return urlunsplit(parts._replace(path=f"/{quote(name)}"))


class Record:
    """Reads and commands by Django in a thread of its own; everything is committed at once.

    Calls block: a test's event loop stands still for the few milliseconds of each.
    """

    def __init__(self) -> None:
        self.database_url = database_of_the_tests()
        self._thread = ThreadPoolExecutor(1, "record")
        self._reader: psycopg.Connection[tuple[Any, ...]] | None = None

    def seed(self) -> None:
        """Configure the PSAP and its trunk, and employ the call-taker `cora`."""
        self.run(make_psap, greeting=GREETING, public_uri=PUBLIC_URI)
        self.run(Trunk.objects.create, name="default")
        self.run(make_user, "cora")

    def run(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Run something of Django's with connections of its own."""
        return self._thread.submit(work, *arguments, **named).result()

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run one SQL statement and return its rows."""
        if self._reader is None or self._reader.closed:
            self._reader = psycopg.connect(self.database_url, autocommit=True)
        cursor = self._reader.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []

    def value(self, statement: str, *parameters: object) -> Any:
        """Return the first column of the first row, None without one."""
        rows = self.rows(statement, *parameters)
        return rows[0][0] if rows else None

    def session(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """Open another session, to hold locks in."""
        return psycopg.connect(self.database_url)

    def configure(self, **values: object) -> None:
        """Change the PSAP's row; the gateway sees it within a second or so."""
        self.run(lambda: Psap.objects.update(**values))

    def chat_ids(self, call_id: str) -> list[int]:
        """Return the chats whose unique part stands in a call identifier, oldest first."""
        found = self.rows(
            "SELECT id FROM chats_chat WHERE unique_part = split_part(%s, ':callid:', 2)"
            " OR unique_part = split_part(split_part(%s, ':callid:', 2), ':', 1) ORDER BY id",
            call_id,
            call_id,
        )
        return [row[0] for row in found]

    def chat_id(self, call_id: str) -> int | None:
        """Return the one chat of a call identifier, None while there is none."""
        ids = self.chat_ids(call_id)
        assert len(ids) < 2, f"{call_id} is {len(ids)} chats"
        return ids[0] if ids else None

    def export(self, chat: int | str) -> dict[str, Any]:
        """Return what `exportchat` prints about a chat."""
        output = io.StringIO()
        self.run(call_command, "exportchat", str(chat), stdout=output)
        return json.loads(output.getvalue())

    def verify(self, chat: int | str) -> None:
        """Have `verifychat` recompute the chain; fails the test when it does not hold."""
        self.run(call_command, "verifychat", str(chat), stdout=io.StringIO())

    def texts_in(self, call_id: str) -> list[str]:
        """Return the texts that came in on the one chat of a call identifier, in their order."""
        rows = self.rows(
            "SELECT text FROM chats_message WHERE chat_id = %s AND direction = 'in' ORDER BY id",
            self.chat_id(call_id),
        )
        return [row[0] for row in rows]

    def outgoing(self, chat: int) -> list[tuple[str, str]]:
        """Return text and status of our messages, oldest first."""
        return self.rows(
            "SELECT text, status FROM chats_message WHERE chat_id = %s AND direction = 'out'"
            " ORDER BY id",
            chat,
        )

    def claim(self, chat: int) -> None:
        """Have the call-taker `cora` answer a chat."""
        self.run(lambda: claim_chat(chat_id=chat, call_taker=_cora(), now=_now()))

    def send(self, chat: int, text: str) -> int:
        """Have `cora` write to the caller; returns the message's id."""
        return self.run(
            lambda: send_text(chat_id=chat, call_taker=_cora(), text=text, now=_now()).pk
        )

    def call_back(self, chat: int, text: str) -> None:
        """Have `cora` write anew to a caller whose session has ended."""
        self.run(lambda: call_back(chat_id=chat, call_taker=_cora(), text=text, now=_now()))

    def close_chat(self, chat: int, text: str = "") -> None:
        """Have `cora` close a chat as resolved."""
        self.run(
            lambda: close_chat(
                chat_id=chat, call_taker=_cora(), disposition="resolved", text=text, now=_now()
            )
        )

    def peer(self, name: str, uri: str, *, agreement: bool = True) -> int:
        """Enter another PSAP in the configuration; returns its id."""
        made = self.run(
            lambda: Peer.objects.update_or_create(
                name=name, defaults={"uris": uri, "agreement": agreement}
            )
        )
        return made[0].pk

    def redirect(self, chat: int, peer: int, text: str = "", *, override: bool = False) -> None:
        """Have `cora` redirect a chat."""
        self.run(
            lambda: redirect_chat(
                chat_id=chat,
                call_taker=_cora(),
                peer_id=peer,
                text=text,
                override=override,
                now=_now(),
            )
        )

    def take_back(self, chat: int) -> None:
        """Have `cora` end a redirect under way."""
        self.run(lambda: take_back(chat_id=chat, call_taker=_cora(), now=_now()))

    def leave_empty(self) -> None:
        """Delete everything and close all connections."""
        if self._reader is not None:
            self._reader.close()
        self.run(call_command, "flush", verbosity=0, interactive=False)
        self.run(connections.close_all)
        self._thread.shutdown()


def _cora() -> User:
    return User.objects.get(username="cora")


def _now() -> datetime:
    return datetime.now(UTC)
