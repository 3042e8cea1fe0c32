"""Logging in, with a limit to guessing."""

import logging
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone

from psap.models import LoginFailure

logger = logging.getLogger(__name__)
# Wide enough for somebody who mistypes at the start of a shift, far too narrow for guessing.
ALLOWED_FAILURES = 8
WINDOW = timedelta(minutes=5)


def client_address(request: HttpRequest) -> str | None:
    """Say where a request comes from: what our TLS proxy says (X-Real-IP), else the peer."""
    told = request.META.get("HTTP_X_REAL_IP", "") if settings.BEHIND_TLS else ""
    for address in (told, request.META.get("REMOTE_ADDR", "")):
        try:
            return str(ip_address(address))
        except ValueError:
            continue
    return None


class LimitedAuthenticationForm(AuthenticationForm):
    """Refuses a name from an address that has just failed with it too often, unseen its password.

    Counted by name and address together, so that nobody elsewhere can lock a call-taker out.
    """

    error_messages = {
        **AuthenticationForm.error_messages,
        "too_many": "Too many failed logins. Wait five minutes, or ask an administrator.",
    }

    def clean(self) -> dict[str, Any]:
        attempt = {
            "username": self.cleaned_data.get("username", "")[:150],
            "address": client_address(self.request),
        }
        now = timezone.now()
        # Counted before it is tried: else a hundred at once would all find none before them.
        counted = LoginFailure.objects.create(**attempt, at=now)
        recent = LoginFailure.objects.filter(**attempt, at__gt=now - WINDOW).count()
        if recent > ALLOWED_FAILURES:
            counted.delete()
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned = super().clean()
        except ValidationError:
            logger.warning("login as %(username)r from %(address)s failed", attempt)
            raise
        LoginFailure.objects.filter(**attempt).delete()
        return cleaned
