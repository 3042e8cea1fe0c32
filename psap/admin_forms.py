"""Forms of the admin: what an administrator types is checked before it can break calls."""

from typing import Any

from django import forms

from psap.models import Peer, Psap, ServiceNumber
from psap.peer_checks import peer_speaking_for
from psap.validation import (
    validate_number,
    validate_public_uri,
    validate_report_url,
    validate_service_urn,
)


class PsapForm(forms.ModelForm):
    """The PSAP; heartbeats must be more frequent than what counts as silence."""

    class Meta:
        model = Psap
        fields = (
            "name",
            "public_uri",
            "greeting",
            "closing_text",
            "heartbeat_interval",
            "lost_after",
            "lease",
            "test_calls",
            "test_interval",
            "test_limit",
            "redirect_text",
            "redirect_patience",
            "transfer_text",
            "arrival_text",
            "stop_patience",
            "transfer_margin",
            "largest_transfer",
            "peer_certificate",
            "peer_authorities",
            "bad_actor_url",
            "bad_actor_format",
            "bad_actor_certificate",
            "bad_actor_authorities",
        )
        widgets = {
            "bad_actor_authorities": forms.CheckboxSelectMultiple,
            "peer_authorities": forms.CheckboxSelectMultiple,
        }

    bad_actor_url = forms.URLField(
        label="Report sources to",
        required=False,
        assume_scheme="https",
        max_length=400,
        help_text="URL of the BCF's BadActor service (HTTP-2).",
    )

    def clean_public_uri(self) -> str:
        value: str = self.cleaned_data["public_uri"].strip()
        validate_public_uri(value)
        if (peer := peer_speaking_for(value, Peer.objects.all())) is not None:
            raise forms.ValidationError(f"{value} is a URI of the peer “{peer.name}”.")
        return value

    def clean_bad_actor_url(self) -> str:
        value: str = self.cleaned_data["bad_actor_url"].strip()
        if value:
            validate_report_url(value)
        return value

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        interval, lost = cleaned.get("heartbeat_interval"), cleaned.get("lost_after")
        if interval and lost and lost <= interval:
            self.add_error("lost_after", "Must be longer than the time between heartbeats.")
        return cleaned


class ServiceNumberForm(forms.ModelForm):
    """A dialled number and its service."""

    class Meta:
        model = ServiceNumber
        fields = ("number", "service")

    def clean_number(self) -> str:
        value: str = self.cleaned_data["number"].strip()
        validate_number(value)
        return value

    def clean_service(self) -> str:
        value: str = self.cleaned_data["service"].strip().lower()
        validate_service_urn(value)
        return value
