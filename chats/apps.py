"""Django application `chats`."""

from django.apps import AppConfig


class ChatsConfig(AppConfig):
    name = "chats"
    verbose_name = "Chats"

    def ready(self) -> None:
        from chats.alarms import messages_on_no_chat, outgoing_messages  # models, only now
        from chats.figures import chat_figures
        from chats.set_aside import messages_set_aside
        from psap import alarms, figures, status

        alarms.register(messages_on_no_chat)
        alarms.register(outgoing_messages)
        figures.register(chat_figures)
        status.show_messages(messages_set_aside)
