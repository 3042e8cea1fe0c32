"""Django application `psap`, and the admin on our own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from psap import alarms, figures


class PsapConfig(AppConfig):
    name = "psap"
    verbose_name = "PSAP configuration"

    def ready(self) -> None:
        from psap.expiry import certificates  # models can be imported only now
        from psap.metrics import configuration_figures
        from psap.programs import gateway_load, programs

        alarms.register(programs)
        alarms.register(gateway_load)
        alarms.register(certificates)
        figures.register(configuration_figures)


class ConfigurationSiteConfig(AdminConfig):
    default_site = "psap.admin_site.ConfigurationSite"
