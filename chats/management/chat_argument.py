"""The chat that a command line names: unique part, call identifier or our own id."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from chats.models import Chat
from chats.selectors import chats_named

UNKNOWN, AMBIGUOUS = 1, 2


class ChatCommand(BaseCommand):
    """A command about one chat."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="unique part, call identifier (URN) or our id, also as #ID")

    def find_chat(self, name: str) -> Chat:
        """Return the chat of that name; else exit 1, or 2 with the candidates."""
        found = chats_named(name)
        if not found:
            raise CommandError(f"There is no chat {name}.", returncode=UNKNOWN)
        if len(found) > 1:
            lines = [
                f"#{chat.pk}  {chat.call_id or '-'}  {chat.asserted_uri or chat.caller_uri}"
                f"  {chat.opened_at:%Y-%m-%d %H:%M:%S}Z"
                for chat in found
            ]
            message = "\n".join([f"{name} is the name of {len(found)} chats:", *lines])
            raise CommandError(message, returncode=AMBIGUOUS)
        return found[0]
