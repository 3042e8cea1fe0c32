"""Secrets in the admin: they go in, and neither pages nor filters let them out again."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest


class KeepsSecret(admin.ModelAdmin):
    """An admin of rows with secrets, the fields `kept_in`.

    Django lets any field of a list be filtered by its URL (`?password__startswith=a`), which would
    tell the secret letter by letter; and shows every field to those who may only look.
    """

    kept_in: tuple[str, ...] = ("password",)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        asked = lookup.partition("__")[0]
        return asked not in self.kept_in and super().lookup_allowed(lookup, value, request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if self.has_change_permission(request, obj) or obj is None:
            return fieldsets
        return [
            (name, {**options, "fields": [f for f in options["fields"] if f not in self.kept_in]})
            for name, options in fieldsets
        ]
