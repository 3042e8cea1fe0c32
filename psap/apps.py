"""Django application `psap`, and the admin on our own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from psap import alarms, figures


class PsapConfig(AppConfig):
    name = "psap"
    verbose_name = "PSAP configuration"

    def ready(self) -> None:
        from psap import checks  # noqa: F401  (it registers them)
        from psap.expiry import certificates  # models can be imported only now
        from psap.metrics import configuration_figures
        from psap.programs import gateway_load, port_for_peers, programs
        from psap.registrations import messages_cut, registrations

        alarms.register(programs)
        alarms.register(gateway_load)
        alarms.register(port_for_peers)
        alarms.register(certificates)
        alarms.register(registrations)
        alarms.register(messages_cut)
        figures.register(configuration_figures)


class ConfigurationSiteConfig(AdminConfig):
    default_site = "psap.admin_site.ConfigurationSite"
