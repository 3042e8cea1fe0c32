"""Events: the gapless, hash-chained history of each chat, which everything live reads."""

from django.conf import settings
from django.db import models
from django.db.models.expressions import RawSQL


class TransactionIdField(models.Field):
    """PostgreSQL's `xid8`: the transaction that wrote the row, filled in by the server."""

    description = "transaction id"

    def db_type(self, connection):  # type: ignore[no-untyped-def]
        return "xid8"


class ChatEvent(models.Model):
    """Something that happened to a chat; `hash` covers it and the event before it."""

    pk = models.CompositePrimaryKey("chat_id", "seq")
    chat = models.ForeignKey(
        "chats.Chat", on_delete=models.PROTECT, related_name="events", db_index=False
    )
    seq = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    actor = models.TextField()
    message_id = models.BigIntegerField(null=True, help_text="The message that it is about.")
    data = models.JSONField(default=dict)
    hash = models.BinaryField()
    xid = TransactionIdField(
        db_default=RawSQL("pg_current_xact_id()", ()),
        editable=False,
        help_text="Readers follow by snapshot, not by number: numbers commit out of order.",
    )

    class Meta:
        indexes = [models.Index(fields=["xid"], name="event_by_transaction")]

    def __str__(self) -> str:
        return f"event {self.chat_id}/{self.seq}"


class CommandReceipt(models.Model):
    """The answer given to a console's command, so that a repeat does nothing twice."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    command_id = models.CharField(max_length=64)
    reply = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "command_id"], name="one_receipt_per_command"),
        ]

    def __str__(self) -> str:
        return f"receipt {self.command_id}"
