"""Whose pages may open the console's WebSocket: our own, and no other on this host."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import WebsocketDenier
from django.conf import settings

Scope = dict[str, Any]
Application = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]


class OwnPortValidator:
    """Denies pages of another port of our host, to which browsers send our cookies too.

    The host itself is somebody else's to check. The port must be the one that was asked for, or
    the origin one of `CSRF_TRUSTED_ORIGINS`, as for forms.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(
        self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope.get("headers", [])}
        origin = headers.get(b"origin", "")
        asked = f"//{headers.get(b'host', '')}"
        if origin in settings.CSRF_TRUSTED_ORIGINS or _port_of(origin) == _port_of(asked):
            await self._application(scope, receive, send)
        else:
            await WebsocketDenier()(scope, receive, send)


def _port_of(url: str) -> int | None | str:
    try:
        return urlsplit(url).port
    except ValueError:
        return url  # no port at all, and no other URL's
