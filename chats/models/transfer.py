"""Transfers: a chat's way from one PSAP to another, one row an attempt (clauses 6.2.6, 6.3).

What a row goes through is a table (chats/services/transfers/machine.py). Deadlines are `due_at`,
swept by the gateway; calls to the peer are `call_due_at`, claimed by the worker under a lease.
"""

from django.conf import settings
from django.db import models
from django.db.models import Q

from chats.models.errand import Errand


class TransferSide(models.TextChoices):
    OUT = "out", "we give the chat away"
    IN = "in", "we are offered it"


class TransferState(models.TextChoices):
    """States of both sides; docs/transfer.md tells them apart."""

    NEGOTIATING = "negotiating"  # out: the peer has not answered yet
    OFFERED = "offered"  # in: it rings here
    ACCEPTED = "accepted"  # the 202 is given, the execution has not begun
    STALLING = "stalling"  # out: our 266 is on its way to the app
    EXECUTING = "executing"  # out: execution asked for; in: our 265 is on its way
    UNCERTAIN = "uncertain"  # nobody knows whom the app follows: both are responsible
    DONE = "done"  # the transferee has it
    DECLINED = "declined"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"  # the transferor has it
    RELEASED = "released"  # in: we had it, and the transferor has it back


NEGOTIABLE = (TransferState.NEGOTIATING, TransferState.OFFERED, TransferState.ACCEPTED)
UNDER_WAY = (*NEGOTIABLE, TransferState.STALLING, TransferState.EXECUTING, TransferState.UNCERTAIN)


class Transfer(models.Model):
    """One attempt to transfer a chat, as transferor (out) or as transferee (in)."""

    id = models.BigAutoField(primary_key=True)
    side = models.CharField(max_length=3, choices=TransferSide.choices)
    state = models.CharField(max_length=11, choices=TransferState.choices)
    cause = models.TextField(blank=True, default="", db_default="", help_text="Why it ended so.")
    peer = models.ForeignKey("psap.Peer", on_delete=models.SET_NULL, null=True, related_name="+")
    peer_name = models.CharField(max_length=100)
    chat = models.ForeignKey(
        "chats.Chat",
        on_delete=models.PROTECT,
        null=True,
        related_name="transfers",
        help_text="Empty: offered to us and not executed.",
    )
    call_id = models.TextField(help_text="CallId of Annex A, verbatim.")
    transfer_from = models.TextField(help_text="SIP URI of the transferor.")
    transfer_to = models.TextField(help_text="SIP URI of the transferee.")
    reason = models.TextField(blank=True, default="", db_default="")
    at_once = models.BooleanField(
        default=True, db_default=True, help_text="out: hand over as soon as the peer has accepted."
    )
    override = models.BooleanField(
        default=False, db_default=False, help_text="out: although the app is known to end then."
    )
    text = models.TextField(blank=True, default="", db_default="", help_text="out: of our 266.")
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="out: the call-taker; empty for manage transfer.",
    )
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="in: who accepted or declined; empty for the peer's auto-accept rule.",
    )
    automatic = models.BooleanField(
        default=False, db_default=False, help_text="in: accepted by the peer's auto-accept rule."
    )

    requested_at = models.DateTimeField(help_text="Of the negotiation, by our clock.")
    answered_at = models.DateTimeField(null=True, help_text="When it was accepted or declined.")
    executed_at = models.DateTimeField(
        null=True, help_text="out: execution first sent; in: received."
    )
    ended_at = models.DateTimeField(null=True)
    expiry = models.PositiveIntegerField(null=True, help_text="ExpiryTime of the 202, seconds.")
    expires_at = models.DateTimeField(null=True, help_text="When the 202 expires, by our clock.")
    execution_expiry = models.PositiveIntegerField(
        null=True, help_text="ExpiryTime of the execution request, seconds."
    )
    execution_expires_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="When the gateway looks at it next.")

    execution = models.BinaryField(
        null=True, help_text="out: the body of the execution request, sent again byte for byte."
    )
    execution_sha256 = models.BinaryField(null=True, help_text="Digest of that body, either side.")
    last_msg_id = models.BigIntegerField(null=True, help_text="MessageId of the execution.")
    stop_message = models.ForeignKey(
        "chats.Message",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="out: our latest stop|transfer/266.",
    )
    start_message = models.ForeignKey(
        "chats.Message",
        on_delete=models.PROTECT,
        null=True,
        db_index=False,
        related_name="+",
        help_text="Our start|transfer/265: as transferee, or of the reactivation.",
    )
    custody_msg_id = models.BigIntegerField(
        null=True, help_text="MsgId of the 265 of ours by which the app is known to follow us."
    )

    call_due_at = models.DateTimeField(null=True, help_text="When the worker calls the peer next.")
    attempts = models.PositiveIntegerField(default=0, db_default=0)
    lease_until = models.DateTimeField(null=True)
    lease_holder = models.CharField(max_length=80, blank=True, default="", db_default="")
    http_status = models.PositiveSmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["chat"],
                condition=Q(side="out", state__in=[state.value for state in UNDER_WAY]),
                name="one_transfer_out_of_a_chat",
            ),
            models.UniqueConstraint(
                fields=["peer", "call_id"],
                condition=Q(side="in", state__in=["offered", "accepted", "executing"]),
                name="one_transfer_in_per_peer_and_call",
            ),
        ]
        indexes = [
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="transfer_due"),
            models.Index(
                fields=["call_due_at"],
                condition=Q(call_due_at__isnull=False),
                name="transfer_call_due",
            ),
            models.Index(fields=["call_id"], name="transfer_of_call"),
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="transfer_ended"
            ),
            models.Index(
                fields=["requested_at"],
                condition=Q(side="in", state__in=["offered", "accepted"]),
                name="transfer_offers",
            ),
        ]

    def __str__(self) -> str:
        return f"transfer {self.pk}"


class FetchStatus(models.TextChoices):
    PENDING = "pending"
    FETCHED = "fetched"
    FAILED = "failed"


class AttachmentFetch(Errand):
    """An attachment of a transferred chat that the transferor gave by link, not by content."""

    id = models.BigAutoField(primary_key=True)
    transfer = models.ForeignKey(Transfer, on_delete=models.PROTECT, related_name="fetches")
    url = models.TextField()
    sha256 = models.BinaryField(help_text="What it must be; the parts of the chat with it get it.")
    status = models.CharField(
        max_length=8, choices=FetchStatus.choices, default=FetchStatus.PENDING
    )

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(status="pending"), name="fetch_due"),
        ]

    def __str__(self) -> str:
        return f"fetch {self.pk}"


class Note(models.Model):
    """What PSAPs tell each other about a chat, such as why it was transferred."""

    id = models.BigAutoField(primary_key=True)
    chat = models.ForeignKey("chats.Chat", on_delete=models.PROTECT, related_name="notes")
    at = models.DateTimeField()
    text = models.TextField()
    origin = models.TextField(
        blank=True, default="", db_default="", help_text="URI of its PSAP; empty: ours."
    )
    foreign_id = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["chat", "foreign_id"],
                condition=~Q(foreign_id=""),
                name="a_note_is_taken_over_once",
            ),
        ]

    def __str__(self) -> str:
        return f"note {self.pk}"
