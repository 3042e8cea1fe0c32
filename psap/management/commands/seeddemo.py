"""`manage.py seeddemo`: the demo PSAP and its users, on a first start."""

from django.conf import settings
from django.core.management.base import BaseCommand

from psap.demo import seed_demo


class Command(BaseCommand):
    help = "Fill an empty database with a demo PSAP and its users; harmless on one in use."

    def handle(self, *args: object, **options: object) -> None:
        environment = settings.ENVIRONMENT
        seed_demo(
            public_uri=environment.public_uri,
            outbound_proxy=environment.outbound_proxy,
            credentials_path=environment.state_dir / "credentials.json",
            certificates=environment.state_dir / "devca",
            host=environment.host,
        )
