"""The form of a trunk: what could not work is refused in words, before a call needs it."""

from typing import Any

from django import forms
from django.conf import settings

from psap.models import Trunk, TrunkTransport
from psap.validation import (
    leads_over_tls,
    names_transport,
    validate_certificate_names,
    validate_networks,
    validate_sip_uri,
)


class TrunkForm(forms.ModelForm):
    """A trunk: a port of its own, a proxy that is a SIP URI, certificates where TLS wants them."""

    class Meta:
        model = Trunk
        fields = (
            "name",
            "enabled",
            "transport",
            "port",
            "trusted_networks",
            "upstream_copes_with_503",
            "certificate",
            "authorities",
            "allowed_names",
            "tls_version",
            "outbound_proxy",
            "fallback",
            "username",
            "password",
        )
        widgets = {
            "authorities": forms.CheckboxSelectMultiple,
            "allowed_names": forms.Textarea(attrs={"rows": 3}),
            "password": forms.PasswordInput(render_value=False),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_password = self.instance.password
        self.initial["password"] = ""
        if self._stored_password and "password" in self.fields:
            self.fields[
                "password"
            ].help_text = "One is set. Empty keeps it; without a user name there is none."

    def clean_password(self) -> str:
        written: str = self.cleaned_data["password"]
        return (written or self._stored_password) if self.cleaned_data.get("username") else ""

    def clean_port(self) -> int | None:
        port: int | None = self.cleaned_data["port"]
        if port is not None and not 0 < port < 65536:
            raise forms.ValidationError(f"{port} is no port number.")
        environment = settings.ENVIRONMENT
        if port in (environment.http_port, environment.peer_port):
            raise forms.ValidationError(f"Port {port} serves the web or peer PSAPs.")
        return port

    def clean_outbound_proxy(self) -> str:
        value: str = self.cleaned_data["outbound_proxy"].strip()
        if value:
            validate_sip_uri(value)
        return value

    def clean_trusted_networks(self) -> str:
        value: str = self.cleaned_data["trusted_networks"]
        validate_networks(value)
        return " ".join(value.split())

    def clean_allowed_names(self) -> str:
        value: str = self.cleaned_data["allowed_names"]
        validate_certificate_names(value)
        return " ".join(value.split())

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._check_port(cleaned)
        if cleaned.get("transport") == TrunkTransport.TLS:
            self._check_tls(cleaned)
        elif leads_over_tls(cleaned.get("outbound_proxy") or ""):
            self._require(cleaned, "certificate", "To send over TLS, choose what we show.")
            self._require(cleaned, "authorities", "To send over TLS, choose whom we believe.")
        return cleaned

    def _check_port(self, cleaned: dict[str, Any]) -> None:
        """One trunk a port, whether it is written or the default of the transport."""
        if "port" not in cleaned:  # refused already, in words of its own
            return
        port = _listening_port(cleaned.get("transport"), cleaned.get("port"))
        if not cleaned.get("enabled"):
            return
        for other in Trunk.objects.filter(enabled=True).exclude(pk=self.instance.pk):
            if _listening_port(other.transport, other.port) == port:
                self.add_error("port", f"Port {port} belongs to the trunk “{other.name}”.")

    def _check_tls(self, cleaned: dict[str, Any]) -> None:
        self._require(cleaned, "certificate", "TLS needs a certificate of ours.")
        self._require(cleaned, "authorities", "TLS needs at least one authority that we believe.")
        proxy = cleaned.get("outbound_proxy") or ""
        if names_transport(proxy) and not leads_over_tls(proxy):
            self.add_error(
                "outbound_proxy",
                "A TLS trunk sends over TLS. Leave the transport out, and choose a fallback.",
            )

    def _require(self, cleaned: dict[str, Any], field: str, why: str) -> None:
        if field in cleaned and not cleaned[field]:
            self.add_error(field, why)


def _listening_port(transport: str | None, port: int | None) -> int:
    environment = settings.ENVIRONMENT
    default = environment.sips_port if transport == TrunkTransport.TLS else environment.sip_port
    own: int = port or default
    return own
