"""`manage.py peerapi`: the interface that peer PSAPs call (clause 6.3)."""

import asyncio
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from transfer_api.server import serve

URLS = "transfer_api.urls"


class Command(BaseCommand):
    requires_system_checks: list[str] = []  # noqa: RUF012 - some ask the database
    help = "Serve peers on PSAP_PEER_PORT, and on PSAP_PEER_SOCKET, until SIGTERM or SIGINT."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ROOT_URLCONF != URLS:
            raise CommandError("Run it by manage.py: it needs psap.project.peer_settings.")
        try:
            asyncio.run(serve())
        except OSError as error:
            raise CommandError(str(error)) from error
