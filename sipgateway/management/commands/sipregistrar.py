"""`manage.py sipregistrar`: registers our accounts with ESRPs and SIP cores, through pjsua2."""

import asyncio
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand

from sipgateway.registrar.service import serve


class Command(BaseCommand):
    help = "Register the accounts of the admin, until SIGTERM or SIGINT; then take them back."
    requires_system_checks: list[str] = []  # noqa: RUF012 - as Django declares it

    def handle(self, *args: Any, **options: Any) -> None:
        if asyncio.run(serve()):  # pjsua2 is not made to be started twice in one process
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - our own command line
