"""Django application `chats`."""

from django.apps import AppConfig


class ChatsConfig(AppConfig):
    name = "chats"
    verbose_name = "Chats"

    def ready(self) -> None:
        from chats.alarms import (  # models, only now
            calls_to_peers,
            custody_uncertain,
            failed_transfers,
            messages_not_passed_on,
            messages_on_no_chat,
            outgoing_messages,
        )
        from chats.figures import chat_figures, transfer_figures
        from chats.set_aside import messages_set_aside
        from psap import alarms, figures, status

        alarms.register(messages_on_no_chat)
        alarms.register(outgoing_messages)
        alarms.register(custody_uncertain)
        alarms.register(failed_transfers)
        alarms.register(calls_to_peers)
        alarms.register(messages_not_passed_on)
        figures.register(chat_figures)
        figures.register(transfer_figures)
        status.show_messages(messages_set_aside)
