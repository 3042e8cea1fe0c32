"""Control rooms that are each other's peers over mutual TLS: whole instances, as `bin/run` starts.

    with control_rooms("a", "b") as rooms:          # as many as there are names
        a, b = rooms
        async with rooms.app() as app, a.desk() as here, b.desk() as there:
            chat = await open_chat(app, here)
            await offer(here, chat, a, b)
            await accept(there, app.call_id)
        rooms.custody(app.call_id)                  # {"b"}

    with two_rooms() as rooms:                      # rooms.transferor, rooms.transferee

Each trusts the authority that has issued all their certificates, and admits the others by the names
in these. The simulated app has no proxy and goes straight to whom a Reply-To names.
"""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sipgateway.simulator import lmpe
from sipgateway.simulator.app import SimulatedApp
from sipgateway.simulator.transport import Target
from tests.support.instance import Instance, running_instance, wait_until
from tests.support.live_console import Frame, LiveConsole, log_in
from tests.support.pki import Authority, Issued
from tests.support.tls import show

HELD = ("open", "transferring", "arriving", "redirecting")
UNDER_WAY = ("negotiating", "offered", "accepted", "stalling", "executing", "uncertain")
OF_TRANSFERS = (lmpe.STOP_TRANSFER, lmpe.START_TRANSFER)
UP_WITHIN = 60.0
EMPTY_THE_QUEUE = """
    UPDATE chats_chat SET disposition = 'test', closed_at = now(), ringing_since = NULL,
        lease_until = NULL
    WHERE disposition IS NULL
"""
VERIFY_ALL = """
import sys
from chats.models import Chat
from chats.selectors import one_instant
from chats.services.verify_chat import verify_chat
with one_instant():
    ids = Chat.objects.filter(pk__gt=after).values_list("pk", flat=True)
    verdicts = {chat: verify_chat(chat_id=chat) for chat in ids}
broken = {chat: verdict.broken for chat, verdict in verdicts.items() if verdict.broken}
sys.exit(f"broken: {broken}") if broken else print(len(verdicts))
"""


@dataclass(slots=True)
class Room:
    """One PSAP: its instance, its name among its peers and the certificate that it shows them."""

    name: str
    instance: Instance
    issued: Issued
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        return f"sip:psap@127.0.0.1:{self.instance.sip_port}"

    @property
    def url(self) -> str:
        """Of its interface for peers."""
        return f"https://127.0.0.1:{self.instance.environment.peer_port}/"

    @property
    def certificate_name(self) -> str:
        return certificate_name(self.name)

    def desk(self, username: str = "calltaker") -> LiveConsole:
        if username not in self.cookies:
            self.cookies[username] = log_in(self.instance, username)
        return LiveConsole(self.instance, self.cookies[username])

    def sip(self, transport: str = "tcp") -> Target:
        return Target(transport, "127.0.0.1", self.instance.sip_port)

    def configure(self, **values: object) -> None:
        """Change columns of the PSAP's row; the programs see it within a second or so."""
        columns = ", ".join(f"{name} = %s" for name in values)
        self.instance.execute(f"UPDATE psap_psap SET {columns}", list(values.values()))  # noqa: S608

    def set_peer(self, other: "Room", **values: object) -> None:
        """Change columns of a peer's row."""
        columns = ", ".join(f"{name} = %s" for name in values)
        self.instance.execute(
            f"UPDATE psap_peer SET {columns} WHERE name = %s",  # noqa: S608
            [*values.values(), other.name],
        )

    def peer_id(self, other: "Room") -> str:
        rows = self.instance.rows("SELECT id FROM psap_peer WHERE name = %s", other.name)
        return str(rows[0][0])

    def chat_ids(self, call_id: str) -> list[int]:
        return [
            row[0]
            for row in self.instance.rows(
                "SELECT id FROM chats_chat WHERE call_id = %s ORDER BY id", call_id
            )
        ]

    def chat_id(self, call_id: str) -> int | None:
        """Return the one chat of a call identifier, None while there is none."""
        ids = self.chat_ids(call_id)
        assert len(ids) < 2, f"{call_id} is {len(ids)} chats at {self.name}"
        return ids[0] if ids else None

    def session(self, call_id: str) -> str:
        """Return the session of its chat, empty without one."""
        chat = self.chat_id(call_id)
        if chat is None:
            return ""
        return self.instance.rows("SELECT session FROM chats_chat WHERE id = %s", chat)[0][0]

    def transfers(self, call_id: str) -> list[tuple[str, str, str]]:
        """Return side, state and cause of all attempts, oldest first."""
        return self.instance.rows(
            "SELECT side, state, cause FROM chats_transfer WHERE call_id = %s ORDER BY id", call_id
        )

    def is_responsible(self, call_id: str) -> bool:
        """Whether it answers for the chat: messages flow, or somebody has to deal with it still."""
        rows = self.instance.rows(
            "SELECT session, disposition FROM chats_chat WHERE call_id = %s", call_id
        )
        return any(
            session in HELD or (session == "stopped" and disposition is None)
            for session, disposition in rows
        )

    def is_settled(self, call_id: str) -> bool:
        """Whether no attempt is under way and no peer is to be told anything."""
        return not self.instance.rows(
            "SELECT 1 FROM chats_transfer WHERE call_id = %s"
            " AND (state = ANY(%s) OR call_due_at IS NOT NULL)",
            call_id,
            list(UNDER_WAY),
        )

    def export(self, call_id: str) -> dict[str, Any]:
        """Return what `exportchat` prints about its chat."""
        return json.loads(self.instance.manage("exportchat", str(self.chat_id(call_id))).stdout)

    def clear_queue(self) -> None:
        """Leave no chat of an earlier test in the queue: keys act on whoever waits longest."""
        self.instance.execute(EMPTY_THE_QUEUE)

    def texts(self, call_id: str) -> list[str]:
        """Return all texts of its chat in their order, but those of 266s and 265s."""
        rows = self.instance.rows(
            "SELECT text FROM chats_message WHERE chat_id = %s AND text <> ''"
            " AND type <> ALL(%s) ORDER BY at, id",
            self.chat_id(call_id),
            list(OF_TRANSFERS),
        )
        return [row[0] for row in rows]

    def latest_chat(self) -> int:
        """Return the id of the newest chat, 0 without any."""
        return int(self.instance.rows("SELECT coalesce(max(id), 0) FROM chats_chat")[0][0])

    def verify_all(self, after: int = 0) -> int:
        """Recompute the chains of all chats that are newer, which must hold; returns how many."""
        script = f"after = {after}\n{VERIFY_ALL}"
        done = self.instance.manage("shell", "--no-imports", "-c", script)
        return int(done.stdout)


@dataclass(slots=True)
class Rooms:
    """All rooms; the first two give and take."""

    authority: Authority
    rooms: tuple[Room, ...]

    def __iter__(self) -> Iterator[Room]:
        return iter(self.rooms)

    @property
    def transferor(self) -> Room:
        return self.rooms[0]

    @property
    def transferee(self) -> Room:
        return self.rooms[1]

    def app(self, transport: str = "tcp", **options: Any) -> SimulatedApp:
        """Return an app that calls the transferor; an asynchronous context manager."""
        return SimulatedApp(self.transferor.sip(transport), direct=True, **options)

    def custody(self, call_id: str) -> set[str]:
        """Return who answers for a chat, by the databases of all."""
        return {room.name for room in self.rooms if room.is_responsible(call_id)}

    def is_settled(self, call_id: str) -> bool:
        return all(room.is_settled(call_id) for room in self.rooms)

    def context(self, room: Room | None = None) -> ssl.SSLContext:
        """Return what calls an interface for peers; it shows the certificate of a room."""
        context = ssl.create_default_context(cadata=self.authority.certificate)
        if room:
            show(context, room.issued)
        return context


def certificate_name(name: str) -> str:
    return f"{name}.psap.example.org"


@contextmanager
def control_rooms(
    *names: str,
    variables: Mapping[str, str] | Callable[[str], Mapping[str, str]] | None = None,
    **peer: object,
) -> Iterator[Rooms]:
    """Start a room for each name and introduce all to each other; `peer` are columns of the rows.

    `variables` of the environment are those of all, or a function of a room's name. Returns when
    each takes the others' calls.
    """
    authority = Authority()
    with ExitStack() as stack:
        rooms = Rooms(
            authority,
            tuple(
                Room(
                    name,
                    stack.enter_context(
                        running_instance(
                            variables=variables(name) if callable(variables) else variables
                        )
                    ),
                    authority.issue(certificate_name(name), "127.0.0.1"),
                )
                for name in names
            ),
        )
        for room in rooms:
            equip(room, authority)
            for other in rooms:
                if other is not room:
                    introduce(room, other, **peer)
        for room in rooms:
            wait_until(lambda r=room: is_serving(rooms, r), UP_WITHIN, f"{room.name} serves")
        yield rooms


@contextmanager
def two_rooms(**options: Any) -> Iterator[Rooms]:
    """Start two rooms, `a` the transferor and `b` the transferee."""
    with control_rooms("a", "b", **options) as rooms:
        yield rooms


def equip(room: Room, authority: Authority) -> None:
    """Have a room show its certificate to peers, believe the authority and name itself."""
    execute = room.instance.execute
    [[shown]] = execute(
        "INSERT INTO psap_certificate (name, chain, private_key, subject, not_after)"
        " VALUES ('peers', %s, %s, '', now() + interval '20 days') RETURNING id",
        [room.issued.chain, room.issued.private_key],
    )
    [[believed]] = execute(
        "INSERT INTO psap_certificateauthority (name, certificates, revocation_list, not_after)"
        " VALUES ('peers', %s, '', now() + interval '20 days') RETURNING id",
        [authority.certificate],
    )
    room.configure(name=f"Leitstelle {room.name.upper()}", peer_certificate_id=shown)
    execute(
        "INSERT INTO psap_psap_peer_authorities (psap_id, certificateauthority_id)"
        " SELECT id, %s FROM psap_psap",
        [believed],
    )


def introduce(room: Room, other: Room, **values: object) -> None:
    """Enter a peer, with whom all is agreed."""
    columns = {
        "name": other.name,
        "uris": other.uri,
        "agreement": True,
        "url": other.url,
        "certificate_names": other.certificate_name,
        **values,
    }
    names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
    room.instance.execute(
        f"INSERT INTO psap_peer ({names}) VALUES ({places})",  # noqa: S608
        list(columns.values()),
    )


def is_serving(rooms: Rooms, room: Room) -> bool:
    """Whether the interface for peers answers with its certificate."""
    request = urllib.request.Request(f"{room.url}healthz")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=1, context=rooms.context()):  # noqa: S310
            return True
    except urllib.error.HTTPError:
        return True  # an answer all the same
    except OSError:
        return False


async def open_chat(app: SimulatedApp, desk: LiveConsole, text: str = "Hilfe!") -> str:
    """Have an app call and the desk answer; returns the chat's id."""
    await app.start(text)
    await app.wait_for_type(lmpe.START)
    return await answer(desk, app.call_id)


async def answer(desk: LiveConsole, call_id: str) -> str:
    """Wait until a chat rings at a desk and answer it; returns its id."""
    seen = await desk.until(lambda f: f.get("card", {}).get("callId") == call_id)
    assert (await desk.command("claim", chat=seen["chat"]))["ok"]
    return seen["chat"]


async def offer(
    desk: LiveConsole,
    chat: str,
    room: Room,
    to: Room,
    *,
    reason: str = "Nicht zuständig",
    text: str = "Wir übergeben Sie.",
    at_once: bool = True,
    override: bool = False,
) -> Frame:
    """Have a call-taker of `room` transfer a chat; returns the reply, which must be ok."""
    said = await desk.command(
        "transfer",
        chat=chat,
        peer=room.peer_id(to),
        reason=reason,
        text=text,
        override=override,
        atOnce=at_once,
    )
    assert said["ok"], said
    return said


async def offered(desk: LiveConsole, call_id: str) -> Frame:
    """Wait until an offer of a chat rings at a desk; returns it."""
    frame = await desk.until(lambda f: bool(ringing(f, call_id)))
    return ringing(frame, call_id)[-1]


def ringing(frame: Frame, call_id: str) -> list[Frame]:
    """Return the offers of a chat that a frame shows as ringing."""
    return [
        one
        for one in frame.get("offers", ())
        if one["callId"] == call_id and one["state"] == "offered"
    ]


async def accept(desk: LiveConsole, call_id: str) -> Frame:
    """Wait for the offer of a chat and accept it; returns the offer."""
    found = await offered(desk, call_id)
    said = await desk.command("accept-offer", offer=found["id"])
    assert said["ok"], said
    return found


async def decline(desk: LiveConsole, call_id: str, reason: str = "Kein Platz") -> Frame:
    """Wait for the offer of a chat and decline it; returns the offer."""
    found = await offered(desk, call_id)
    said = await desk.command("decline-offer", offer=found["id"], reason=reason)
    assert said["ok"], said
    return found
