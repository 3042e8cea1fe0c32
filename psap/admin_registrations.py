"""The admin of accounts at SIP cores: what is configured, how each stands, what pjsua2 lacks."""

import re
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from psap.admin_read_only import ReadOnlyAdmin
from psap.admin_secrets import KeepsSecret
from psap.checks import warnings_of
from psap.models import RegistrarLimit, Registration, RegistrationState, SipAccount
from psap.validation import validate_public_uri, validate_sip_uri

# RFC 3840 9: a feature tag, alone or with a token or a quoted string.
_FEATURE_TAG = re.compile(
    r"\+?[A-Za-z0-9\-.!%*_`'~]+(?:=(?:[A-Za-z0-9\-.!%*_+`'~]+|\"[^\"\\]*\"))?"
)
_TAG_SEPARATOR = re.compile(r";(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)")
SHORTEST_EXPIRES = 30


class SipAccountForm(forms.ModelForm):
    """An account; its password goes in and never comes out again."""

    class Meta:
        model = SipAccount
        fields = (
            "name",
            "enabled",
            "address_of_record",
            "registrars",
            "username",
            "password",
            "realm",
            "expires",
            "retry_after",
            "contact",
            "feature_tags",
            "receive_in_pjsua2",
        )
        widgets = {"password": forms.PasswordInput(render_value=False)}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.password and "password" in self.fields:
            self.fields["password"].help_text = "One is set. Leave this empty to keep it."

    def clean_password(self) -> str:
        value: str = self.cleaned_data["password"]
        return value or str(self.initial.get("password") or "")

    def clean_address_of_record(self) -> str:
        value: str = self.cleaned_data["address_of_record"].strip()
        validate_public_uri(value)
        return value

    def clean_registrars(self) -> str:
        lines = [line.strip() for line in self.cleaned_data["registrars"].splitlines()]
        for line in filter(None, lines):
            validate_sip_uri(line)
        return "\n".join(filter(None, lines))

    def clean_contact(self) -> str:
        value: str = self.cleaned_data["contact"].strip()
        if value:
            validate_sip_uri(value)
        return value

    def clean_feature_tags(self) -> str:
        tags = [
            tag.strip()
            for line in self.cleaned_data["feature_tags"].splitlines()
            for tag in _TAG_SEPARATOR.split(line)
        ]
        for tag in filter(None, tags):
            if not _FEATURE_TAG.fullmatch(tag):
                raise forms.ValidationError(f"“{tag}” is no feature tag. Write +g.oma.sip-im.")
        return "\n".join(filter(None, tags))

    def clean_expires(self) -> int:
        value: int = self.cleaned_data["expires"]
        if value < SHORTEST_EXPIRES:
            raise forms.ValidationError(f"At least {SHORTEST_EXPIRES} seconds.")
        return value

    def clean_retry_after(self) -> int:
        value: int = self.cleaned_data["retry_after"]
        if value < 1:
            raise forms.ValidationError("At least one second.")
        return value


@admin.register(SipAccount)
class SipAccountAdmin(KeepsSecret):
    """Accounts, each with how it stands."""

    form = SipAccountForm
    list_display = ("name", "enabled", "address_of_record", "state", "receive_in_pjsua2")
    list_select_related = ("registration",)
    readonly_fields = ("state", "registrar", "registered_contact", "answer")
    fieldsets = (
        (None, {"fields": ("name", "enabled", "address_of_record", "registrars")}),
        ("Digest", {"fields": ("username", "password", "realm")}),
        ("Times", {"fields": ("expires", "retry_after")}),
        ("Receiving", {"fields": ("contact", "feature_tags", "receive_in_pjsua2")}),
        ("Registration", {"fields": ("state", "registrar", "registered_contact", "answer")}),
    )

    @admin.display(description="registration")
    def state(self, account: SipAccount) -> str:
        standing = _standing(account)
        if standing is None:
            return "–"
        until = standing.registered_until
        if standing.state != RegistrationState.REGISTERED or until is None:
            return str(standing.state)
        if until < timezone.now():
            return "expired"
        return f"registered until {timezone.localtime(until):%H:%M:%S}"

    @admin.display
    def registrar(self, account: SipAccount) -> str:
        standing = _standing(account)
        return standing.registrar if standing else ""

    @admin.display(description="contact")
    def registered_contact(self, account: SipAccount) -> str:
        standing = _standing(account)
        if standing is None:
            return ""
        return standing.contact or "pjsua2's own"

    @admin.display(description="last answer")
    def answer(self, account: SipAccount) -> str:
        standing = _standing(account)
        if standing is None:
            return ""
        return standing.reason or str(standing.sip_status or "")

    def save_model(self, request: HttpRequest, obj: models.Model, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if isinstance(obj, SipAccount) and obj.enabled:
            limits = dict(RegistrarLimit.objects.values_list("code", "detail"))
            for warning in warnings_of(obj, limits):
                messages.warning(request, f"{warning.msg} {warning.hint}")


def _standing(account: SipAccount) -> Registration | None:
    return getattr(account, "registration", None)


@admin.register(RegistrarLimit)
class RegistrarLimitAdmin(ReadOnlyAdmin):
    """What the installed pjsua2 cannot do; tried out by the registrar."""

    list_display = ("code", "detail", "found_at")
    ordering = ("code",)
