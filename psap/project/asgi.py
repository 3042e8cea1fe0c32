"""ASGI entry point: HTTP to Django, `/ws/console/` to the console's consumer."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from channels.sessions import CookieMiddleware
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "psap.project.settings")
django_application = get_asgi_application()

from chats.routing import websocket_urlpatterns  # noqa: E402  (models need Django set up first)
from chats.web_process import BeatingApplication  # noqa: E402
from psap.project.origins import OwnPortValidator  # noqa: E402

# Cookies alone: the consumer asks the database itself, again and again, whose session it is.
application = BeatingApplication(
    ProtocolTypeRouter(
        {
            "http": django_application,
            "websocket": AllowedHostsOriginValidator(
                OwnPortValidator(CookieMiddleware(URLRouter(websocket_urlpatterns)))
            ),
        }
    )
)
