"""`manage.py verifychat ID`: whether a chat's record is as it was written."""

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from chats.management.chat_argument import ChatCommand
from chats.selectors import one_instant
from chats.services.chain_heads import exported_heads
from chats.services.verify_chat import verify_chat
from chats.tasks import HEADS_DIRECTORY


class Command(ChatCommand):
    help = "Verify a chat's chain of events and its content. Exit 1: broken or unknown."

    def handle(self, *args: Any, **options: Any) -> None:
        chat = self.find_chat(options["id"])
        directory = settings.STATE_DIR / HEADS_DIRECTORY
        heads = exported_heads(directory=directory, chat_id=chat.pk)
        with one_instant():
            verdict = verify_chat(chat_id=chat.pk, heads=heads)
        if verdict.broken:
            place = f"broken at event {verdict.broken.seq}" if verdict.broken.seq else "broken"
            raise CommandError(f"chat {chat.pk} {place}: {verdict.broken.reason}", returncode=1)
        self.stdout.write(f"OK chat {chat.pk}: {verdict.events} events, head {verdict.head.hex()}")
