"""Django application `psap`."""

from django.apps import AppConfig


class PsapConfig(AppConfig):
    name = "psap"
    verbose_name = "PSAP configuration"
