"""Opening a console: who it is for, and the snapshot that it starts from."""

from dataclasses import dataclass

from django.utils import timezone

from chats import access, selectors, wire
from psap.alarms import current_alarms
from psap.models import Peer, Psap, User


@dataclass(frozen=True, slots=True)
class Opening:
    """A console's first frame and, per chat, the event up to which it reaches."""

    user: User
    frame: wire.Json
    reached: dict[int, int]


def open_console(session_key: str | None) -> Opening:
    """Read what a console starts from; raises SessionEnded, RoleMissing."""
    user, roles = check_session(session_key)
    now = timezone.now()
    cards = selectors.queue_cards(user=user, now=now)
    frame = wire.snapshot(
        now=now,
        user=user,
        roles=roles,
        commands=access.commands_of(roles),
        psap=Psap.objects.first() or Psap(),
        peers=Peer.objects.filter(agreement=True),
        cards=cards,
        alarms=wire.alarms(current_alarms(now)),
        offers=selectors.open_offers(),
    )
    return Opening(user, frame, {card.id: card.head_seq for card in cards})


def check_session(session_key: str | None) -> tuple[User, frozenset[str]]:
    """Return the user and roles behind a console; raises SessionEnded, RoleMissing."""
    user = access.session_user(session_key)
    roles = access.roles_of(user)
    if not access.may_see_chats(roles):
        raise access.RoleMissing
    return user, roles
