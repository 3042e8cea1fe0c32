"""Whom we know beside the callers: other PSAPs, location servers, apps with limits."""

from django.db import models


class Peer(models.Model):
    """Another PSAP with which there is an agreement to redirect chats to (clause 6.2.7)."""

    name = models.CharField(max_length=100, unique=True)
    uris = models.TextField(
        "SIP URIs", help_text="That it answers at, one a line; the first is where we redirect to."
    )
    agreement = models.BooleanField(
        default=True, help_text="Whether chats are redirected to it and taken from it."
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        """The SIP URI that chats are redirected to."""
        return next(iter(self.uris.split()), "")


class LimitedClient(models.Model):
    """An app, known by its User-Agent, that ends its session instead of following us."""

    user_agent = models.CharField(
        max_length=200, unique=True, help_text="Part of its User-Agent, in any case."
    )
    ends_on_redirect = models.BooleanField(default=True)
    ends_on_transfer = models.BooleanField(default=True)

    def __str__(self) -> str:
        return self.user_agent


class LocationServer(models.Model):
    """A server that locations and additional data are fetched from without asking (HELD-2)."""

    host = models.CharField(
        max_length=255, unique=True, help_text="Host, or host:port: lis.example.org"
    )
    certificate = models.ForeignKey(
        "psap.Certificate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What we show it.",
    )
    test_certificate = models.ForeignKey(
        "psap.Certificate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="What we show it for test calls (clause 6.1.2.10). Empty: the same.",
    )
    authorities = models.ManyToManyField(
        "psap.CertificateAuthority", blank=True, help_text="Empty: those of the system."
    )
    may_be_private = models.BooleanField(
        default=False, help_text="Whether its address may be a private one."
    )

    def __str__(self) -> str:
        return self.host
