"""Django application `psap`, and the admin on our own site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PsapConfig(AppConfig):
    name = "psap"
    verbose_name = "PSAP configuration"


class ConfigurationSiteConfig(AdminConfig):
    default_site = "psap.admin_site.ConfigurationSite"
