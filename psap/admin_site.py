"""The admin's site: its name, and our own login as its only door."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from psap.alarms import current_alarms


class ConfigurationSite(AdminSite):
    """Where administrators configure the PSAP."""

    site_title = site_header = "Leitstand"
    index_title = "Configuration"
    site_url = "/"

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show what needs attention above what can be configured."""
        alarms = current_alarms(timezone.now())
        return super().index(request, {"alarms": alarms, **(extra_context or {})})

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Send to the login that limits guessing; somebody without access gets 403 instead."""
        if request.user.is_authenticated and not self.has_permission(request):
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or request.get_full_path())
