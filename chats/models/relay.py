"""Messages that reach us for a chat that is elsewhere: passed on in order, as a proxy would."""

from django.db import models
from django.db.models import Q


class RelayStatus(models.TextChoices):
    QUEUED = "queued"
    RELAYED = "relayed"
    FAILED = "failed"


class Relay(models.Model):
    """One message of an app on its way to the PSAP that has its chat now (clauses 6.2.6, 6.2.7)."""

    message = models.OneToOneField(
        "chats.Message", on_delete=models.PROTECT, primary_key=True, related_name="relay"
    )
    chat = models.ForeignKey("chats.Chat", on_delete=models.PROTECT, related_name="relays")
    target = models.TextField(help_text="SIP URI of that PSAP.")
    branch = models.CharField(max_length=64)
    status = models.CharField(max_length=8, choices=RelayStatus.choices, default=RelayStatus.QUEUED)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    sip_status = models.PositiveSmallIntegerField(null=True)
    cause = models.TextField(blank=True, default="", db_default="")

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="queued"), name="relay_due"),
        ]

    def __str__(self) -> str:
        return f"relay of message {self.pk}"
