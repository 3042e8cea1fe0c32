"""The PSAP itself and the numbers that it answers to."""

from django.db import models

from psap.models.whole_numbers import whole_number

TRANSFER_TEXT = "We are passing you to another control room. Please wait a moment."
ARRIVAL_TEXT = "You are connected to another control room now. We have read what you wrote."
REDIRECT_TEXT = "We are passing you to the control room that is in charge. Please wait."


class ReportFormat(models.TextChoices):
    JSON = "application/json", "JSON"
    TEXT = "text/plain", "the source alone, as text"


class Psap(models.Model):
    """The PSAP itself; exactly one row."""

    name = models.CharField(max_length=200)
    public_uri = models.CharField(
        "public URI",
        max_length=400,
        help_text="Sent as Reply-To; apps answer to it (clause 6.2.2). An addr-spec: sip:psap@host",
    )
    greeting = models.TextField(help_text="Text of our automatic start/257 (clause 6.2.2).")
    closing_text = models.TextField(help_text="Proposed text of our stop/258 (clause 6.2.4).")
    heartbeat_interval = whole_number(
        15,
        least=1,
        most=20,
        help_text="Seconds between our heartbeats in a chat; at most 20 (clause 6.2.5).",
        in_database=False,
    )
    lost_after = whole_number(
        45,
        least=5,
        most=3600,
        help_text="Seconds without a sign of life after which a chat counts as lost.",
        in_database=False,
    )
    lease = whole_number(
        12,
        least=5,
        most=60,
        help_text="Seconds after which the chats of a desk that went silent ring again.",
        in_database=False,
    )

    test_calls = models.BooleanField(
        default=True, db_default=True, help_text="Whether test calls are answered (6.1.2.10)."
    )
    test_interval = models.PositiveIntegerField(
        default=120,
        db_default=120,
        help_text="Seconds in which the same source may test once; else it gets 486.",
    )
    test_limit = models.PositiveIntegerField(
        default=30, db_default=30, help_text="Test calls a minute of all sources; else 486."
    )
    redirect_text = models.TextField(
        default=REDIRECT_TEXT,
        db_default=REDIRECT_TEXT,
        help_text="Proposed text of our stop|redirect/274 (clause 6.2.7).",
    )
    redirect_patience = whole_number(
        20,
        least=5,
        most=600,
        help_text="Seconds that a redirected app may still be heard here; then we take it back.",
    )
    transfer_text = models.TextField(
        default=TRANSFER_TEXT,
        db_default=TRANSFER_TEXT,
        help_text="Proposed text of our stop|transfer/266 (clause 6.2.6).",
    )
    arrival_text = models.TextField(
        default=ARRIVAL_TEXT,
        db_default=ARRIVAL_TEXT,
        help_text="Text of our start|transfer/265 to an app whose chat we take over or take back.",
    )
    stop_patience = whole_number(
        10,
        least=2,
        most=60,
        help_text="Seconds that we wait for the app's answer to a 266; then we keep the chat.",
    )
    transfer_margin = whole_number(
        5,
        least=1,
        most=60,
        help_text="Seconds after the expiry of an execution for which its answer is still asked.",
    )
    largest_transfer = whole_number(
        20,
        least=1,
        most=200,
        help_text="MiB that a peer's request may have; more gets 413.",
    )
    peer_certificate = models.ForeignKey(
        "psap.Certificate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What we show peers: as server on PSAP_PEER_PORT, and when we ask them.",
    )
    peer_authorities = models.ManyToManyField(
        "psap.CertificateAuthority",
        blank=True,
        related_name="+",
        help_text="Whom we believe about peers, with their revocation lists.",
    )
    bad_actor_url = models.URLField(
        "report sources to",
        blank=True,
        default="",
        db_default="",
        max_length=400,
        help_text="URL of the BCF's BadActor service (HTTP-2).",
    )
    bad_actor_format = models.CharField(
        "format of reports",
        max_length=20,
        choices=ReportFormat.choices,
        default=ReportFormat.JSON,
        db_default=ReportFormat.JSON,
    )
    bad_actor_certificate = models.ForeignKey(
        "psap.Certificate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What we show the BCF.",
    )
    bad_actor_authorities = models.ManyToManyField(
        "psap.CertificateAuthority",
        blank=True,
        related_name="+",
        help_text="Whom we believe about the BCF. Empty: those of the system.",
    )

    class Meta:
        verbose_name = verbose_name_plural = "PSAP"
        constraints = [
            models.CheckConstraint(condition=models.Q(pk=1), name="psap_is_one_row"),
        ]

    def __str__(self) -> str:
        return self.name


class ServiceNumber(models.Model):
    """A dialled number and the service it means, such as `112` and `urn:service:sos`."""

    number = models.CharField(max_length=32, unique=True)
    service = models.CharField(max_length=200, help_text="Service URN (RFC 5031).")

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number} → {self.service}"
