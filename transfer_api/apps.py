"""Django application `transfer_api`."""

from django.apps import AppConfig


class TransferApiConfig(AppConfig):
    name = "transfer_api"
    verbose_name = "Transfer API"
