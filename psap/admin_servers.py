"""The admin of location servers: whom we ask for locations and data without a question (HELD-2)."""

from django import forms
from django.contrib import admin

from psap.models import LocationServer
from psap.validation import normal_server


class LocationServerForm(forms.ModelForm):
    """A host as it stands in the URLs that lead to it, and what both sides prove."""

    class Meta:
        model = LocationServer
        fields = ("host", "authorities", "certificate", "test_certificate", "may_be_private")
        widgets = {"authorities": forms.CheckboxSelectMultiple}

    def clean_host(self) -> str:
        return normal_server(self.cleaned_data["host"])


@admin.register(LocationServer)
class LocationServerAdmin(admin.ModelAdmin):
    form = LocationServerForm
    list_display = ("host", "certificate", "test_certificate", "may_be_private")
