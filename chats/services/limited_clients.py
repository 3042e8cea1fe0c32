"""Apps that end their session instead of following us to another PSAP, by their User-Agent."""

from chats.models import DEC112, Chat
from psap.models import LimitedClient


def ends_on_redirect(chat: Chat) -> bool:
    """Whether the chat's app is known to end its session on a redirect."""
    return _ends(chat, "ends_on_redirect")


def ends_on_transfer(chat: Chat) -> bool:
    """Whether the chat's app is known to end its session on a transfer."""
    return _ends(chat, "ends_on_transfer")


def _ends(chat: Chat, on: str) -> bool:
    if chat.dialect == DEC112:
        return True
    known = LimitedClient.objects.filter(**{on: True}).exclude(user_agent="")
    agent = chat.user_agent.lower()
    return any(name.lower() in agent for name in known.values_list("user_agent", flat=True))
