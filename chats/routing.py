"""WebSocket routes."""

from django.urls import path

from chats.consumers import ConsoleConsumer

websocket_urlpatterns = [path("ws/console/", ConsoleConsumer.as_asgi())]
