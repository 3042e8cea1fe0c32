"""A chat: who writes, where answers go, and the three independent facts about its state."""

from django.conf import settings
from django.db import models
from django.db.models import Q

DEC112 = "dec112"
"""Dialect of apps that know neither redirect nor transfer."""


class Session(models.TextChoices):
    """Whether messages flow between the app and us (clause 6.2)."""

    OPEN = "open"
    STOPPED = "stopped"
    REDIRECTING = "redirecting"
    REDIRECTED = "redirected"
    TRANSFERRING = "transferring"
    TRANSFERRED = "transferred"
    ARRIVING = "arriving"  # handed over to us; the app has not followed yet


class EndedBy(models.TextChoices):
    CALLER = "caller"
    CALL_TAKER = "calltaker"
    PEER = "peer"
    SYSTEM = "system"


class Liveness(models.TextChoices):
    """What the app's signs of life say about the caller's device."""

    ALIVE = "alive"
    BACKGROUND = "background"
    LOST = "lost"


class Disposition(models.TextChoices):
    """Why a chat was closed out."""

    RESOLVED = "resolved", "Resolved"
    DISPATCHED = "dispatched", "Help dispatched"
    INFORMATION = "information", "Information given"
    REDIRECTED = "redirected", "Passed to another control room"
    NOT_TAKEN = "not-taken", "Not taken over from another control room"
    DUPLICATE = "duplicate", "Duplicate of another chat"
    ABANDONED = "abandoned", "Caller gave up"
    FALSE_ALARM = "false-alarm", "False alarm or misuse"
    TEST = "test", "Test"


class Chat(models.Model):
    """One emergency chat. It stays in the queue until it has a disposition."""

    id = models.BigAutoField(primary_key=True)
    call_id = models.TextField(blank=True, help_text="Call identifier as the app wrote it.")
    unique_part = models.TextField(blank=True)
    element = models.TextField(blank=True)
    service = models.TextField(blank=True)

    session = models.CharField(max_length=12, choices=Session.choices, default=Session.OPEN)
    ended_by = models.CharField(max_length=9, choices=EndedBy.choices, null=True)  # noqa: DJ001
    liveness = models.CharField(max_length=10, choices=Liveness.choices, default=Liveness.ALIVE)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="chats"
    )
    lease_until = models.DateTimeField(null=True)
    disposition = models.CharField(  # noqa: DJ001
        max_length=20, choices=Disposition.choices, null=True
    )

    caller_uri = models.TextField(help_text="From URI: who the messages say they are from.")
    asserted_uri = models.TextField(
        blank=True, default="", help_text="P-Asserted-Identity from a trusted peer (RFC 3325)."
    )
    target_uri = models.TextField(help_text="Where our messages go, as the caller wrote it.")
    display_name = models.TextField(blank=True, default="")
    language = models.CharField(max_length=35, blank=True, default="")
    user_agent = models.TextField(blank=True, default="")

    standalone = models.BooleanField(
        default=False, help_text="A page-mode message without call id."
    )
    recovered = models.BooleanField(default=False, help_text="Began without a start/257, or again.")
    test = models.BooleanField(
        default=False, db_default=False, help_text="A test call (clause 6.1.2.10): does not ring."
    )
    alert = models.BooleanField(
        default=False, db_default=False, help_text="Data without a session, such as a CAP alert."
    )
    silent = models.BooleanField(
        default=False, db_default=False, help_text="The caller asks for no sound (DEC112)."
    )
    unprotected = models.BooleanField(
        default=False, db_default=False, help_text="TLS failed; what we send goes in the clear."
    )
    dialect = models.CharField(
        max_length=8, blank=True, default="", db_default="", help_text="`dec112`, else empty."
    )
    priority = models.CharField(
        max_length=40, blank=True, default="", db_default="", help_text="Resource-Priority."
    )
    signalling = models.JSONField(
        default=dict, db_default={}, help_text="What the SIP headers say besides; docs/sip.md."
    )
    came_from = models.TextField(
        blank=True, default="", db_default="", help_text="URI of the PSAP that sent it to us."
    )
    gone_to = models.TextField(
        blank=True, default="", db_default="", help_text="URI of the PSAP that we sent it to."
    )
    arrived = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Handed over to us by a transfer: its app is reached past the transferor.",
    )
    psaps = models.JSONField(
        default=list, db_default=[], help_text="PSAPs that had the chat before: uri, name, from."
    )
    session_due = models.DateTimeField(
        null=True, help_text="When a redirect or transfer under way counts as failed."
    )
    linked_to = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        related_name="links",
        help_text="The chat of another caller with the same unique part.",
    )

    opened_at = models.DateTimeField()
    ringing_since = models.DateTimeField(null=True, help_text="Unanswered since; empty when owned.")
    answered_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    last_sign_of_life = models.DateTimeField()
    last_caller_text = models.DateTimeField(null=True)
    last_delivered = models.DateTimeField(null=True)

    trunk = models.CharField(max_length=100)
    transport = models.CharField(max_length=8)
    peer = models.CharField(max_length=64, help_text="Address of the caller's connection.")
    local_tag = models.CharField(max_length=32, help_text="Our From tag in this chat.")
    last_in_msg_id = models.BigIntegerField(null=True)
    next_msg_id = models.PositiveIntegerField(default=1, help_text="MsgId of our next message.")
    next_cseq = models.PositiveIntegerField(default=1)

    head_seq = models.PositiveIntegerField(default=0)
    head_hash = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["unique_part", "element", "caller_uri"],
                condition=~Q(unique_part=""),
                name="one_chat_per_caller_and_call",
            ),
            models.UniqueConstraint(
                fields=["caller_uri", "asserted_uri"],
                condition=Q(alert=True, disposition=None, unique_part=""),
                name="one_open_alert_per_source",
            ),
            models.CheckConstraint(
                condition=Q(owner=None) | Q(ringing_since=None), name="owned_chats_do_not_ring"
            ),
        ]
        indexes = [
            models.Index(fields=["opened_at"], condition=Q(disposition=None), name="chat_queue"),
            models.Index(fields=["-opened_at"], condition=Q(test=True), name="chat_tests"),
            models.Index(
                fields=["session_due"], condition=Q(session_due__isnull=False), name="chat_due"
            ),
        ]

    def __str__(self) -> str:
        return f"chat {self.pk}"
