"""The form of a peer: whom a chat is given to, and who may give us one, is known beyond doubt."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from psap.models import Peer, Psap
from psap.peer_checks import conflicts
from psap.peer_tokens import digest_of, validate_token
from psap.validation import validate_certificate_names, validate_peer_url, validate_public_uri

_SECRET = forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"})


class HttpsField(forms.URLField):
    """A URL that is https where nothing else is written."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"assume_scheme": "https", **kwargs})


class PeerForm(forms.ModelForm):
    """A peer's URIs as apps and History-Info carry them (clause 6.2.7), and how we ask each other.

    Tokens go in here: that of the peer becomes its digest, ours is kept and never shown again.
    """

    class Meta:
        model = Peer
        fields = (
            "name",
            "uris",
            "agreement",
            "url",
            "negotiation_url",
            "execution_url",
            "authorities",
            "own_token",
            "certificate_names",
            "auto_accept",
            "auto_accept_limit",
            "offer_time",
            "expiry_time",
            "answer_time",
            "execution_time",
        )
        field_classes = {
            "url": HttpsField,
            "negotiation_url": HttpsField,
            "execution_url": HttpsField,
        }
        widgets = {
            "uris": forms.Textarea(attrs={"rows": 3}),
            "certificate_names": forms.Textarea(attrs={"rows": 3}),
            "authorities": forms.CheckboxSelectMultiple,
            "own_token": _SECRET,
        }

    forget_own_token = forms.BooleanField(
        required=False, label="show it no token", help_text="Forget the one that is set."
    )
    token = forms.CharField(
        required=False,
        widget=_SECRET,
        label="new token that it shows us",
        help_text="A token that it has drawn itself. Stored as a digest; never shown again.",
    )
    forget_token = forms.BooleanField(
        required=False, label="admit no token", help_text="Forget the one that is set."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stored_own_token = self.instance.own_token
        self.initial["own_token"] = ""
        if self._stored_own_token and "own_token" in self.fields:
            self.fields["own_token"].help_text = "One is set. Leave this empty to keep it."
        if self.instance.token_sha256 and "token" in self.fields:
            self.fields["token"].help_text += " One is set. Leave this empty to keep it."

    def clean_uris(self) -> str:
        uris = self.cleaned_data["uris"].split()
        if not uris:
            raise ValidationError("Write at least one URI, such as sip:psap@east.example.org.")
        for uri in uris:
            validate_public_uri(uri)
        return "\n".join(dict.fromkeys(uris))

    def clean_certificate_names(self) -> str:
        value: str = self.cleaned_data["certificate_names"].lower()
        validate_certificate_names(value)
        return "\n".join(dict.fromkeys(value.split()))

    def clean_url(self) -> str:
        return self._https("url")

    def clean_negotiation_url(self) -> str:
        return self._https("negotiation_url")

    def clean_execution_url(self) -> str:
        return self._https("execution_url")

    def clean_own_token(self) -> str:
        written: str = self.cleaned_data["own_token"].strip()
        if written:
            validate_token(written)
        return written or self._stored_own_token

    def clean_token(self) -> str:
        written: str = self.cleaned_data["token"].strip()
        if written:
            validate_token(written)
        return written

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("token") and cleaned.get("forget_token"):
            self.add_error("forget_token", "Either forget the token or write another.")
        return cleaned

    def _post_clean(self) -> None:
        """Compare with the others what would be stored."""
        super()._post_clean()
        if self.errors:
            return
        if self.cleaned_data.get("forget_own_token"):
            self.instance.own_token = ""
        token = self.cleaned_data.get("token")
        if token or self.cleaned_data.get("forget_token"):
            self.instance.token_sha256 = digest_of(token) if token else ""
        psap = Psap.objects.first()
        for problem in conflicts(self.instance, psap=psap, others=Peer.objects.all()):
            field = "token" if problem.field == "token_sha256" else problem.field
            self.add_error(field if field in self.fields else None, problem.text)

    def _https(self, field: str) -> str:
        value: str = self.cleaned_data[field].strip()
        if value:
            validate_peer_url(value)
        return value
