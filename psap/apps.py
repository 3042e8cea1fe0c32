"""Django application `psap`, and the admin on our own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from psap import alarms


class PsapConfig(AppConfig):
    name = "psap"
    verbose_name = "PSAP configuration"

    def ready(self) -> None:
        from psap.expiry import certificates  # models can be imported only now

        alarms.register(certificates)


class ConfigurationSiteConfig(AdminConfig):
    default_site = "psap.admin_site.ConfigurationSite"
