"""The admin: PSAP, numbers, trunks and the people who work here."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from django.utils import timezone

from psap import (  # noqa: F401  (they register their models)
    admin_certificates,
    admin_peers,
    admin_registrations,
    admin_servers,
)
from psap.admin_forms import PsapForm, ServiceNumberForm
from psap.admin_read_only import ReadOnlyAdmin
from psap.admin_secrets import KeepsSecret
from psap.admin_trunk import TrunkForm
from psap.models import LoginFailure, Psap, ServiceNumber, ServiceProcess, Trunk, User
from psap.peer_checks import shortcomings_of_all
from psap.roles import follow_roles

admin.site.unregister(Group)  # roles are fixed; users get them in their own form


@admin.register(Psap)
class PsapAdmin(admin.ModelAdmin):
    """The one PSAP: to be changed, never added to or deleted."""

    form = PsapForm
    list_display = ("name", "public_uri")
    fieldsets = (
        (None, {"fields": ("name", "public_uri", "greeting", "closing_text")}),
        ("Times", {"fields": ("heartbeat_interval", "lost_after", "lease")}),
        ("Test calls", {"fields": ("test_calls", "test_interval", "test_limit")}),
        ("Redirects", {"fields": ("redirect_text", "redirect_patience")}),
        (
            "Transfers",
            {
                "fields": (
                    "transfer_text",
                    "arrival_text",
                    "stop_patience",
                    "transfer_margin",
                    "largest_transfer",
                    "peer_certificate",
                    "peer_authorities",
                )
            },
        ),
        (
            "Reports of sources",
            {
                "fields": (
                    "bad_actor_url",
                    "bad_actor_format",
                    "bad_actor_certificate",
                    "bad_actor_authorities",
                )
            },
        ),
    )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        for problem in shortcomings_of_all():
            messages.warning(request, problem.text)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not Psap.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(ServiceNumber)
class ServiceNumberAdmin(admin.ModelAdmin):
    form = ServiceNumberForm
    list_display = ("number", "service")


@admin.register(Trunk)
class TrunkAdmin(KeepsSecret):
    form = TrunkForm
    list_display = ("name", "enabled", "transport", "port", "outbound_proxy", "trusted_networks")
    fieldsets = (
        (None, {"fields": ("name", "enabled", "transport", "port")}),
        ("Peers", {"fields": ("trusted_networks", "upstream_copes_with_503")}),
        ("TLS", {"fields": ("certificate", "authorities", "allowed_names", "tls_version")}),
        ("Sending", {"fields": ("outbound_proxy", "fallback", "username", "password")}),
    )


@admin.register(User)
class StaffAdmin(UserAdmin):
    """The people who log in. Rights come from roles alone; access to the admin follows from them.

    Only a superuser touches a superuser: else an administrator could become one.
    """

    list_display = ("username", "first_name", "last_name", "roles", "is_active", "last_login")
    list_filter = ("groups", "is_active")
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Roles", {"fields": ("is_active", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    "username",
                    "first_name",
                    "last_name",
                    "groups",
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )

    def formfield_for_manytomany(
        self, db_field: models.ManyToManyField, request: HttpRequest, **kwargs: Any
    ) -> forms.ModelMultipleChoiceField | None:
        if db_field.name == "groups":
            kwargs |= {"widget": forms.CheckboxSelectMultiple, "label": "Roles", "help_text": ""}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    @admin.display(description="roles")
    def roles(self, user: User) -> str:
        return ", ".join(group.name for group in user.groups.all())

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        follow_roles(form.instance)


def _may_touch(request: HttpRequest, user: models.Model | None) -> bool:
    is_superuser = isinstance(user, User) and user.is_superuser
    return request.user.is_superuser or not is_superuser


def _to_the_second(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(" ", "seconds")


@admin.register(ServiceProcess)
class ServiceProcessAdmin(ReadOnlyAdmin):
    list_display = ("name", "instance", "started", "last_beat")
    ordering = ("-beat_at",)

    @admin.display(ordering="started_at")
    def started(self, row: ServiceProcess) -> str:
        return _to_the_second(row.started_at)

    @admin.display(ordering="beat_at")
    def last_beat(self, row: ServiceProcess) -> str:
        return _to_the_second(row.beat_at)


@admin.register(LoginFailure)
class LoginFailureAdmin(ReadOnlyAdmin):
    list_display = ("username", "address", "failed")
    ordering = ("-at",)

    @admin.display(ordering="at")
    def failed(self, row: LoginFailure) -> str:
        return _to_the_second(row.at)
