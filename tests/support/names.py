"""Names of hosts that tests make up: the rest is asked of the system as ever."""

import socket
from collections.abc import Callable, Sequence
from typing import Any

import pytest

Lookup = Callable[[], Sequence[str]]


class Names:
    """Replaces the system's resolver for some names; each look-up is counted."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._known: dict[str, Lookup] = {}
        self._system = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def know(self, name: str, *addresses: str) -> None:
        """Let a name lead to addresses."""
        self._known[name] = lambda: addresses

    def ask(self, name: str, lookup: Lookup) -> None:
        """Let a name lead to whatever a function says then."""
        self._known[name] = lookup

    def _resolve(self, host: Any, port: Any, *arguments: Any, **named: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        if name not in self._known:
            return self._system(host, port, *arguments, **named)
        found = []
        for address in self._known[name]():
            found += self._system(address, port, *arguments, **named)
        return found
