"""Logging in, with a limit to guessing."""

import logging
from datetime import timedelta
from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.utils import timezone

from psap.models import LoginFailure

logger = logging.getLogger(__name__)
# Wide enough for somebody who mistypes at the start of a shift, far too narrow for guessing.
ALLOWED_FAILURES = 8
WINDOW = timedelta(minutes=5)


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
            "address": self.request.META.get("REMOTE_ADDR") or None,
        }
        now = timezone.now()
        recent = LoginFailure.objects.filter(**attempt, at__gt=now - WINDOW).count()
        if recent >= ALLOWED_FAILURES:
            raise ValidationError(self.error_messages["too_many"], code="too_many")
        try:
            cleaned = super().clean()
        except ValidationError:
            LoginFailure.objects.create(**attempt, at=now)
            logger.warning("login as %(username)r from %(address)s failed", attempt)
            raise
        LoginFailure.objects.filter(**attempt).delete()
        return cleaned
