"""The admin of peers: the PSAPs that chats go to and come from, and the apps that do not follow."""

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError

from psap.models import LimitedClient, Peer
from psap.validation import validate_public_uri


class PeerForm(forms.ModelForm):
    """A peer's URIs as apps and History-Info carry them (clause 6.2.7)."""

    class Meta:
        model = Peer
        fields = ("name", "uris", "agreement")

    def clean_uris(self) -> str:
        uris = self.cleaned_data["uris"].split()
        if not uris:
            raise ValidationError("Write at least one URI, such as sip:psap@east.example.org.")
        for uri in uris:
            validate_public_uri(uri)
        return "\n".join(uris)


@admin.register(Peer)
class PeerAdmin(admin.ModelAdmin):
    form = PeerForm
    list_display = ("name", "uri", "agreement")


@admin.register(LimitedClient)
class LimitedClientAdmin(admin.ModelAdmin):
    list_display = ("user_agent", "ends_on_redirect", "ends_on_transfer")
