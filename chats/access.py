"""Who may see chats and who may command them: the one place where roles mean something."""

from types import SimpleNamespace

from django.contrib import auth
from django.contrib.sessions.backends.db import SessionStore

from psap.models import CALL_TAKER, SUPERVISOR, User


class SessionEnded(Exception):
    """Nobody is logged in with this session any more."""


class RoleMissing(Exception):
    """The user's roles do not work with chats."""


COMMANDS = (
    "claim",
    "release",
    "send",
    "close",
    "redirect",
    "transfer",
    "hand-over",
    "take-back",
    "call-back",
    "fetch-reference",
    "report-source",
    "accept-offer",
    "decline-offer",
    "catch-up",
)
COMMANDS_OF_ROLE = {CALL_TAKER: COMMANDS, SUPERVISOR: COMMANDS}


def roles_of(user: User) -> frozenset[str]:
    """Return the names of a user's groups."""
    return frozenset(user.groups.values_list("name", flat=True))


def may_see_chats(roles: frozenset[str]) -> bool:
    """Tell whether any of the roles works with chats; administrators alone do not."""
    return not roles.isdisjoint(COMMANDS_OF_ROLE)


def commands_of(roles: frozenset[str]) -> tuple[str, ...]:
    """Return the commands that the roles may give, in a fixed order."""
    allowed = {command for role in roles for command in COMMANDS_OF_ROLE.get(role, ())}
    return tuple(command for command in COMMANDS if command in allowed)


def session_user(session_key: str | None) -> User:
    """Return who is logged in with a session now.

    Raises SessionEnded once logged out, expired, deactivated or after a change of password.
    """
    if session_key:
        holder = SimpleNamespace(session=SessionStore(session_key))
        user = auth.get_user(holder)  # type: ignore[arg-type]
        if isinstance(user, User):
            return user
    raise SessionEnded
