"""`manage.py sipgateway`: the SIP gateway of this instance."""

from typing import Any

import uvloop
from django.core.management.base import BaseCommand, CommandError

from sipgateway.gateway import serve


class Command(BaseCommand):
    help = "Run the SIP gateway: UDP and TCP on PSAP_SIP_PORT, until SIGTERM or SIGINT."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            uvloop.run(serve())
        except OSError as error:
            raise CommandError(str(error)) from error
