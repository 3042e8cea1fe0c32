"""Who has a chat, looked at all the time in the databases of two rooms while things die.

watch = CustodyWatch(rooms, app.call_id)
watch.begin()
…
watch.end()
assert watch.gaps == []     # moments at which nobody had it
"""

import threading
import time

import psycopg

from tests.support.rooms import HELD, Room, Rooms

LOOK_EVERY = 0.01


class CustodyWatch:
    """Looks from a thread; databases that are down are asked again, their state stays meanwhile."""

    def __init__(self, rooms: Rooms, call_id: str) -> None:
        self.looks = 0
        self.together = 0  # looks that found more than one responsible
        self.gaps: list[float] = []
        self._call_id = call_id
        self._rooms = tuple(rooms)
        self._connections: dict[str, psycopg.Connection] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        for connection in self._connections.values():
            connection.close()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_EVERY):
            try:
                self._look()
            except psycopg.Error:
                continue

    def _look(self) -> None:
        """Look at each in turn and at the first ones again: a chat may go while we look."""
        found = [self._holds(room) for room in self._rooms]
        self.looks += 1
        self.together += sum(found) > 1
        if not any(found) and not any(self._holds(room) for room in self._rooms):
            self.gaps.append(time.time())

    def _holds(self, room: Room) -> bool:
        connection = self._connections.get(room.name)
        if connection is None or connection.closed:
            url = room.instance.environment.database_url
            connection = psycopg.connect(url, autocommit=True, connect_timeout=2)
            self._connections[room.name] = connection
        rows = connection.execute(
            "SELECT 1 FROM chats_chat WHERE call_id = %s AND session = ANY(%s)",
            [self._call_id, list(HELD)],
        )
        return rows.fetchone() is not None
