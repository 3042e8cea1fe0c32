"""Configuration of the one PSAP that an instance serves, and who works there."""

from django.contrib.auth.models import AbstractUser
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

CALL_TAKER = "call-taker"
SUPERVISOR = "supervisor"
ADMINISTRATOR = "administrator"
ROLES = (CALL_TAKER, SUPERVISOR, ADMINISTRATOR)


class User(AbstractUser):
    """Somebody who logs in; the roles are Django groups (`call-taker`, `supervisor`, …)."""

    @property
    def shown_name(self) -> str:
        """Name for other people's screens: the full name, else the login."""
        return self.get_full_name() or self.username


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
    heartbeat_interval = models.PositiveSmallIntegerField(
        default=15,
        validators=[MinValueValidator(1), MaxValueValidator(20)],
        help_text="Seconds between our heartbeats in a chat; at most 20 (clause 6.2.5).",
    )
    lost_after = models.PositiveSmallIntegerField(
        default=45,
        validators=[MinValueValidator(5), MaxValueValidator(3600)],
        help_text="Seconds without a sign of life after which a chat counts as lost.",
    )
    lease = models.PositiveSmallIntegerField(
        default=12,
        validators=[MinValueValidator(5), MaxValueValidator(60)],
        help_text="Seconds after which the chats of a desk that went silent ring again.",
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


class Trunk(models.Model):
    """A way in and out: whom we trust on it and the proxy that takes what we send."""

    name = models.CharField(max_length=100, unique=True)
    outbound_proxy = models.CharField(
        max_length=400,
        blank=True,
        default="",
        help_text="Where messages go when the caller's own connection is gone, e.g. "
        "sip:proxy.example.org:5060;transport=tcp. Empty: straight to the caller's URI.",
    )
    username = models.CharField(
        max_length=100,
        blank=True,
        default="",
        help_text="What we answer a digest challenge of the other side with (RFC 3261 22).",
    )
    password = models.CharField(max_length=200, blank=True, default="")
    trusted_networks = models.TextField(
        default="127.0.0.0/8 ::1/128",
        blank=True,
        help_text="Networks whose P-Asserted-Identity is believed (RFC 3325), blank-separated.",
    )

    def __str__(self) -> str:
        return self.name


class ServiceProcess(models.Model):
    """A running program of this instance and its last sign of life."""

    name = models.CharField(max_length=40)
    instance = models.CharField(max_length=80)
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "service processes"
        constraints = [
            models.UniqueConstraint(fields=["name", "instance"], name="one_row_per_process"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.instance}"


class LoginFailure(models.Model):
    """A login that failed; many of one address for one name make the next wait."""

    username = models.CharField(max_length=150)
    address = models.GenericIPAddressField(null=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["username", "at"], name="login_failure_recent")]

    def __str__(self) -> str:
        return f"{self.username} from {self.address}"
