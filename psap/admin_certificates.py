"""The admin of certificates: ours, those that we believe, and those that peers have shown."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.utils import timezone

from psap.admin_read_only import ReadOnlyAdmin
from psap.admin_secrets import KeepsSecret
from psap.certificate_facts import describe_authority, describe_certificate
from psap.certificates import CertificateProblem
from psap.models import Certificate, CertificateAuthority, PeerCertificate

_PEM = forms.Textarea(attrs={"rows": 12, "cols": 66, "spellcheck": "false"})


class CertificateForm(forms.ModelForm):
    """A certificate of ours; its key goes in and never comes out."""

    class Meta:
        model = Certificate
        fields = ("name", "chain", "private_key")
        widgets = {"chain": _PEM}

    private_key = forms.CharField(
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "cols": 66, "autocomplete": "off"}),
        help_text="PEM without a passphrase; RSA of 2048 bits or more, or EC. Never shown again. "
        "Empty: the key that is stored.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_key = self.instance.private_key
        self.initial["private_key"] = ""

    def clean_private_key(self) -> str:
        written: str = self.cleaned_data["private_key"]
        if not written.strip() and not self._stored_key:
            raise forms.ValidationError("Paste the private key of the certificate.")
        return written if written.strip() else self._stored_key

    def _post_clean(self) -> None:
        super()._post_clean()
        _describe(self, describe_certificate)

    def full_clean(self) -> None:
        super().full_clean()
        if self.errors:  # shown again, the form must not carry what was typed
            self.data = self.data.copy()
            self.data[self.add_prefix("private_key")] = ""


class CertificateAuthorityForm(forms.ModelForm):
    """Whom we believe, and what they have revoked."""

    class Meta:
        model = CertificateAuthority
        fields = ("name", "certificates", "revocation_list")
        widgets = {"certificates": _PEM, "revocation_list": _PEM}

    def _post_clean(self) -> None:
        super()._post_clean()
        _describe(self, describe_authority)


def _describe(form: forms.ModelForm, describe: Callable[[Any], None]) -> None:
    if form.errors:
        return
    try:
        describe(form.instance)
    except CertificateProblem as error:
        form.add_error(None, str(error))


@admin.register(Certificate)
class CertificateAdmin(KeepsSecret):
    kept_in = ("private_key",)
    form = CertificateForm
    list_display = ("name", "subject", "expires")
    readonly_fields = ("subject", "not_after")

    @admin.display(ordering="not_after")
    def expires(self, row: Certificate) -> str:
        return _day(row.not_after)


@admin.register(CertificateAuthority)
class CertificateAuthorityAdmin(admin.ModelAdmin):
    form = CertificateAuthorityForm
    list_display = ("name", "expires", "list_expires")
    readonly_fields = ("not_after", "next_update")

    @admin.display(ordering="not_after")
    def expires(self, row: CertificateAuthority) -> str:
        return _day(row.not_after)

    @admin.display(ordering="next_update", description="revocation list expires")
    def list_expires(self, row: CertificateAuthority) -> str:
        return _day(row.next_update)


@admin.register(PeerCertificate)
class PeerCertificateAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "trunk", "expires", "seen")
    ordering = ("not_after",)

    @admin.display(ordering="not_after")
    def expires(self, row: PeerCertificate) -> str:
        return _day(row.not_after)

    @admin.display(ordering="seen_at", description="last seen")
    def seen(self, row: PeerCertificate) -> str:
        return timezone.localtime(row.seen_at).isoformat(" ", "seconds")


def _day(moment: datetime | None) -> str:
    return timezone.localtime(moment).date().isoformat() if moment else "–"
