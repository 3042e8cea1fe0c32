"""Django application `sipgateway`."""

from django.apps import AppConfig


class SipgatewayConfig(AppConfig):
    name = "sipgateway"
    verbose_name = "SIP gateway"
