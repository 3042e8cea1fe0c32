"""`manage.py devca DIR`: a certificate authority for trying out SIP over TLS."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from psap.certificates import CertificateProblem
from psap.devca import (
    CLIENT_NAME,
    ROW,
    TRUNK,
    TrunkInTheWay,
    install_dev_certificates,
    own_names,
    write_dev_certificates,
)
from psap.models import Psap


class Command(BaseCommand):
    help = (
        "Write a development CA and certificates of both ends into DIR: ca.pem, psap.pem/.key, "
        "client.pem/.key, revoked.pem/.key, crl.pem. What is complete stays as it is."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", metavar="DIR", type=Path)
        parser.add_argument(
            "--install",
            action="store_true",
            help=f"also load them into this instance: for a TLS trunk “{TRUNK}”, and for peers",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        directory: Path = options["directory"]
        names = own_names(settings.ENVIRONMENT.host, settings.ENVIRONMENT.public_uri)
        try:
            new = write_dev_certificates(directory, names=names, now=datetime.now(UTC))
        except OSError as error:
            raise CommandError(f"{directory} cannot be written: {error}") from error
        self.stdout.write(f"{directory}: {'written' if new else 'complete, left as it is'}")
        if not options["install"]:
            return
        try:
            install_dev_certificates(directory)
        except TrunkInTheWay as error:
            raise CommandError(
                f"not installed: another trunk has PSAP_SIPS_PORT or the name “{TRUNK}”"
            ) from error
        except (CertificateProblem, OSError) as error:
            raise CommandError(f"not installed: {error}") from error
        self.stdout.write(f"installed: trunk “{TRUNK}” admits {CLIENT_NAME}")
        shown = Psap.objects.filter(peer_certificate__name=ROW).exists()
        other = "peers are shown another certificate, left as it is"
        self.stdout.write(f"{'peers are shown “psap.pem”' if shown else other}")
