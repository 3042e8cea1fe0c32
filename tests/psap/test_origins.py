"""Which pages may open the console's WebSocket."""

import pytest
from channels.testing import WebsocketCommunicator

from psap.project.asgi import application
from psap.project.origins import OwnPortValidator


async def accept(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})


async def opens(app, origin: str | None, host: str) -> bool:
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    socket = WebsocketCommunicator(app, "/ws/console/", headers=headers)
    return (await socket.connect())[0]


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("http://localhost:8000", "127.0.0.1:8000", True),
        ("https://console.example.org", "console.example.org", True),
        ("http://127.0.0.1:9000", "127.0.0.1:8000", False),
        ("http://127.0.0.1", "127.0.0.1:8000", False),
        ("http://127.0.0.1:x", "127.0.0.1:8000", False),
        ("https://desk.example.org:8443", "desk.example.org", True),
    ],
)
async def test_pages_of_the_same_port_and_trusted_origins(settings, origin, host, allowed):
    """Red without the check of the port: another program's page on this host was let in."""
    settings.CSRF_TRUSTED_ORIGINS = ["https://desk.example.org:8443"]
    assert await opens(OwnPortValidator(accept), origin, host) is allowed


@pytest.mark.parametrize("origin", [None, "https://evil.example:8000", "http://127.0.0.1:9000"])
async def test_the_application_denies_all_others(origin):
    socket = WebsocketCommunicator(
        application,
        "/ws/console/",
        headers=[(b"host", b"127.0.0.1:8000")] + ([(b"origin", origin.encode())] if origin else []),
    )
    assert (await socket.connect())[0] is False
