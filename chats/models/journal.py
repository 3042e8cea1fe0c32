"""The journal: every MESSAGE with content, byte for byte, committed before its 200."""

from django.db import models


class Journal(models.Model):
    """One accepted MESSAGE as it arrived; rows are inserted and never changed."""

    id = models.BigAutoField(primary_key=True)
    received_at = models.DateTimeField()
    trunk = models.CharField(max_length=100)
    transport = models.CharField(max_length=8)
    peer = models.CharField(max_length=64, help_text="Address the bytes came from, host:port.")
    trusted = models.BooleanField(
        default=False, db_default=False, help_text="Whether the peer may assert identities."
    )
    request_key = models.BinaryField(
        unique=True,
        help_text="16-byte BLAKE2b of From tag, Call-ID, CSeq and body: equal for retransmissions.",
    )
    call_id = models.TextField(blank=True, default="", help_text="LMPE call identifier, verbatim.")
    raw = models.BinaryField()

    class Meta:
        db_table = "chats_journal"

    def __str__(self) -> str:
        return f"journal {self.pk}"


class SetAside(models.Model):
    """A journaled message that could be put on no chat; the mark passes over it."""

    journal = models.OneToOneField(
        Journal, on_delete=models.PROTECT, primary_key=True, related_name="set_aside"
    )
    at = models.DateTimeField()
    error = models.TextField()

    def __str__(self) -> str:
        return f"journal {self.pk} on no chat"


class ProjectionMark(models.Model):
    """Everything in the journal up to `journal_id` is on its chat; one row, moved by the sweep."""

    journal_id = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="projection_mark_is_one_row"),
        ]

    def __str__(self) -> str:
        return f"projected to {self.journal_id}"
