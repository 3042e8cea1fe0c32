"""Messages of a chat, what they carried, and how ours fare on their way out."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Direction(models.TextChoices):
    IN = "in"
    OUT = "out"


class DeliveryStatus(models.TextChoices):
    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"
    CANCELLED = "cancelled"


UNSENT = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.DEFERRED)


class Message(models.Model):
    """One MESSAGE of a chat, either way."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey(
        "chats.Chat", on_delete=models.PROTECT, related_name="messages", db_index=False
    )
    journal_id = models.BigIntegerField(null=True, unique=True)
    direction = models.CharField(max_length=3, choices=Direction.choices)
    type = models.IntegerField(help_text="LMPE message type, 259 for in-chat (Annex A.5).")
    msg_id = models.BigIntegerField(null=True)
    text = models.TextField(blank=True, default="")
    status = models.CharField(max_length=9, choices=DeliveryStatus.choices)
    sip_status = models.PositiveSmallIntegerField(null=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        help_text="The call-taker; empty for the caller's and for automatic messages.",
    )
    at = models.DateTimeField()
    origin = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="URI of the PSAP whose record it was taken over from; empty: it went through us.",
    )
    foreign_id = models.TextField(
        blank=True, default="", db_default="", help_text="Its id in that record (docs/transfer.md)."
    )
    role = models.CharField(
        max_length=9,
        blank=True,
        default="",
        db_default="",
        help_text="Of one taken over: caller, calltaker or system wrote it.",
    )
    flags = ArrayField(models.CharField(max_length=40), default=list)

    class Meta:
        indexes = [
            models.Index(fields=["chat", "id"], name="message_of_chat"),
            models.Index(
                fields=["chat", "foreign_id"],
                condition=~Q(foreign_id=""),
                name="message_taken_over",
            ),
            models.Index(
                fields=["chat", "id"],
                condition=Q(status__in=["queued", "sending", "deferred"]),
                name="message_unsent",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class BodyPart(models.Model):
    """One part of a message's body, identified by its digest."""

    id = models.BigAutoField(primary_key=True)
    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="parts", db_index=False
    )
    position = models.PositiveSmallIntegerField()
    content_type = models.TextField()
    content_id = models.TextField(blank=True, default="")
    size = models.PositiveIntegerField(help_text="Bytes as they arrived, also of a truncated part.")
    name = models.TextField(
        blank=True, default="", db_default="", help_text="File name that its sender gave it."
    )
    sha256 = models.BinaryField(help_text="Digest of the whole part as it arrived.")
    flag = models.CharField(max_length=40, blank=True, default="")
    content = models.BinaryField(null=True)

    class Meta:
        indexes = [models.Index(fields=["message"], name="part_of_message")]

    def __str__(self) -> str:
        return f"part {self.pk}"


class LocationFix(models.Model):
    """A position of the caller (RFC 4119, RFC 5491); degrees WGS84, metres."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey(
        "chats.Chat", on_delete=models.PROTECT, related_name="fixes", db_index=False
    )
    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="fixes", db_index=False
    )
    shape = models.CharField(max_length=12, help_text="Point, Circle, …; Civic without position.")
    latitude = models.FloatField(null=True, help_text="Of the shape's centre; docs/record.md.")
    longitude = models.FloatField(null=True)
    radius = models.FloatField(null=True, help_text="Metres; empty for a point.")
    altitude = models.FloatField(null=True, help_text="Metres above the WGS84 ellipsoid.")
    confidence = models.FloatField(null=True, help_text="Percent; empty stands for 95 (RFC 7459).")
    geometry = models.JSONField(null=True, help_text="What a shape has beside centre and radius.")
    civic = models.JSONField(null=True, help_text="Civic address (RFC 5139) by element name.")
    source = models.CharField(
        max_length=20, blank=True, default="", db_default="", help_text="tuple, device, person…"
    )
    reference = models.ForeignKey(
        "chats.Reference",
        on_delete=models.PROTECT,
        null=True,
        related_name="fixes",
        db_index=False,
        help_text="Where it was fetched from, when it came by reference.",
    )
    method = models.TextField(blank=True, default="")
    at = models.DateTimeField(help_text="When the position was taken, else when it arrived.")

    class Meta:
        indexes = [models.Index(fields=["chat", "id"], name="fix_of_chat")]

    def __str__(self) -> str:
        return f"fix {self.pk}"


class AdditionalData(models.Model):
    """A block of additional data about the caller (RFC 7852), such as SubscriberInfo."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey(
        "chats.Chat", on_delete=models.PROTECT, related_name="additional_data", db_index=False
    )
    message = models.ForeignKey(
        Message, on_delete=models.PROTECT, related_name="additional_data", db_index=False
    )
    kind = models.CharField(max_length=60)
    data = models.JSONField()
    reference = models.ForeignKey(
        "chats.Reference",
        on_delete=models.PROTECT,
        null=True,
        related_name="additional_data",
        db_index=False,
        help_text="Where it was fetched from, when it came by reference.",
    )

    class Meta:
        indexes = [models.Index(fields=["chat", "id"], name="data_of_chat")]

    def __str__(self) -> str:
        return f"additional data {self.pk}"


class OutboxEntry(models.Model):
    """How one message of ours leaves: identifiers fixed before the first byte is sent."""

    message = models.OneToOneField(
        Message, on_delete=models.PROTECT, primary_key=True, related_name="outbox"
    )
    sip_call_id = models.CharField(max_length=64)
    cseq = models.PositiveIntegerField()
    branch = models.CharField(max_length=64)
    due_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, help_text="When the last attempt ended.")
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=80, blank=True, default="")
    cause = models.TextField(blank=True, default="")
    redirected_to = models.TextField(
        blank=True, default="", help_text="Contact of a 3xx, followed once (RFC 3261 8.1.3.4)."
    )
    reply_to = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Reply-To when it is not our own public URI: the target of a redirect.",
    )
    priority = models.CharField(
        max_length=40, default="esnet.1", db_default="esnet.1", help_text="Resource-Priority."
    )
    authorization = models.TextField(
        blank=True, default="", help_text="Header line that answers a 401 or 407, given once."
    )

    def __str__(self) -> str:
        return f"outbox of message {self.pk}"
