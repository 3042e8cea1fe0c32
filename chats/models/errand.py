"""Slow calls to others that the worker runs: fetching what came by reference, reporting a source.

Each is a row with a deadline, claimed by the worker: losing Celery's queue delays, never loses.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q


class ReferenceKind(models.TextChoices):
    LOCATION = "location"
    ADDITIONAL_DATA = "additional-data"


class ReferenceStatus(models.TextChoices):
    PENDING = "pending"
    UNLISTED = "unlisted", "host not listed; a call-taker decides"
    FETCHED = "fetched"
    FAILED = "failed"


class Errand(models.Model):
    """What every such call has: when it is due, who runs it, and how it went."""

    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True)
    cause = models.TextField(blank=True, default="", db_default="")
    done_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class Reference(Errand):
    """A location or a block of additional data that a message names by its URL (RFC 6442, 7852)."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey("chats.Chat", on_delete=models.PROTECT, related_name="references")
    message = models.ForeignKey(
        "chats.Message", on_delete=models.PROTECT, related_name="references", db_index=False
    )
    kind = models.CharField(max_length=15, choices=ReferenceKind.choices)
    purpose = models.CharField(
        max_length=60,
        blank=True,
        default="",
        db_default="",
        help_text="Kind of additional data: SubscriberInfo, ProviderInfo, …",
    )
    url = models.TextField()
    status = models.CharField(
        max_length=8, choices=ReferenceStatus.choices, default=ReferenceStatus.PENDING
    )
    allowed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="Who had it fetched although its host is not listed.",
    )

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="pending"), name="reference_due"),
        ]

    def __str__(self) -> str:
        return f"reference {self.pk}"


class ReportStatus(models.TextChoices):
    PENDING = "pending"
    ACCEPTED = "accepted"
    FAILED = "failed"


class SourceReport(Errand):
    """A BadActor report of a chat's source to the BCF (HTTP-2)."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey("chats.Chat", on_delete=models.PROTECT, related_name="reports")
    source = models.TextField(help_text="The source id of Call-Info, else the caller's URI.")
    reason = models.TextField(blank=True, default="")
    reported_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField()
    status = models.CharField(
        max_length=8, choices=ReportStatus.choices, default=ReportStatus.PENDING
    )

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="pending"), name="report_due"),
        ]

    def __str__(self) -> str:
        return f"report {self.pk}"
