"""`manage.py exportchat ID`: one chat's whole record as JSON."""

import json
from typing import Any

from chats import exports
from chats.management.chat_argument import ChatCommand
from chats.selectors import conversation


class Command(ChatCommand):
    help = "Print the record of a chat as JSON (docs/record.md). Exit 1: unknown, 2: ambiguous."

    def handle(self, *args: Any, **options: Any) -> None:
        found = conversation(self.find_chat(options["id"]).pk)
        assert found is not None  # noqa: S101  (chats are never deleted)
        self.stdout.write(json.dumps(exports.record(found), indent=2, ensure_ascii=False))
