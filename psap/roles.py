"""The roles of the people who log in: Django groups with their permissions."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from psap.models import ADMINISTRATOR, ROLES, User

# What an administrator may do in the admin: model name → actions. Chats are not among it.
ADMINISTRATION = {
    "psap": ("view", "change"),
    "servicenumber": ("view", "add", "change", "delete"),
    "trunk": ("view", "add", "change", "delete"),
    "certificate": ("view", "add", "change", "delete"),
    "certificateauthority": ("view", "add", "change", "delete"),
    "peercertificate": ("view",),
    "peer": ("view", "add", "change", "delete"),
    "limitedclient": ("view", "add", "change", "delete"),
    "locationserver": ("view", "add", "change", "delete"),
    "sipaccount": ("view", "add", "change", "delete"),
    "registrarlimit": ("view",),
    "user": ("view", "add", "change", "delete"),
    "serviceprocess": ("view",),
    "loginfailure": ("view",),
}


def ensure_roles() -> None:
    """Make the groups that are missing and give administrators exactly their permissions."""
    for role in ROLES:
        Group.objects.get_or_create(name=role)
    wanted = Q()
    for model, actions in ADMINISTRATION.items():
        for action in actions:
            wanted |= Q(codename=f"{action}_{model}")
    permissions = Permission.objects.filter(wanted, content_type__app_label="psap")
    Group.objects.get(name=ADMINISTRATOR).permissions.set(permissions)


def follow_roles(user: User) -> None:
    """Let a user into the admin exactly when the roles (or being superuser) say so."""
    is_staff = user.is_superuser or user.groups.filter(name=ADMINISTRATOR).exists()
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])
