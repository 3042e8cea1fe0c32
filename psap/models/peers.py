"""Whom we know beside the callers: other PSAPs, location servers, apps with limits."""

from django.db import models

from psap.models.whole_numbers import whole_number


class Peer(models.Model):
    """Another PSAP that chats are redirected and transferred to (clauses 6.2.6, 6.2.7, 6.3).

    Times in seconds are ours: a peer's clock is never used.
    """

    name = models.CharField(max_length=100, unique=True)
    uris = models.TextField(
        "SIP URIs", help_text="That it answers at, one a line; the first is where we redirect to."
    )
    agreement = models.BooleanField(
        default=True,
        help_text="Whether chats go to it and are taken from it. Off: it is refused at once.",
    )
    url = models.URLField(
        "URL",
        max_length=400,
        blank=True,
        default="",
        db_default="",
        help_text="Of its transfer interface, such as https://psap.example.org:8443/ . We ask it"
        " at transfer/v1/negotiation and transfer/v1/execution below. Empty: no transfers.",
    )
    negotiation_url = models.URLField(
        "negotiation URL", max_length=400, blank=True, default="", db_default="",
        help_text="Where negotiations go instead.",
    )  # fmt: skip
    execution_url = models.URLField(
        "execution URL", max_length=400, blank=True, default="", db_default="",
        help_text="Where executions go instead.",
    )  # fmt: skip
    certificate_names = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Names in the certificate that it shows us, one a line: psap.example.org,"
        " *.example.org or a URI. Empty: it needs a token.",
    )
    authorities = models.ManyToManyField(
        "psap.CertificateAuthority",
        blank=True,
        related_name="+",
        help_text="Whom we believe about it, and nobody else: its server, and the certificate that"
        " it shows us. Empty: those of the PSAP's page; about its server else the system's.",
    )
    token_sha256 = models.CharField(
        max_length=64, blank=True, default="", db_default="", editable=False,
        help_text="SHA-256 of the bearer token that it shows us, hexadecimal.",
    )  # fmt: skip
    own_token = models.TextField(
        blank=True, default="", db_default="", help_text="The bearer token that we show it."
    )
    auto_accept = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Accept its transfers without asking a call-taker; they ring here.",
    )
    auto_accept_limit = models.PositiveSmallIntegerField(
        default=10,
        db_default=10,
        help_text="But only while fewer chats wait here than this: callers' and its own.",
    )
    offer_time = whole_number(
        30,
        least=5,
        most=300,
        help_text="Seconds that its offer rings here before we decline it.",
    )
    answer_time = whole_number(
        45,
        least=5,
        most=330,
        help_text="Seconds that we wait for its answer to our offer.",
    )
    expiry_time = whole_number(
        60,
        least=10,
        most=3600,
        help_text="ExpiryTime in seconds: so long an accepted transfer of its may be executed.",
    )
    execution_time = whole_number(
        20,
        least=10,
        most=300,
        help_text="ExpiryTime in seconds of our execution requests: then we take the chat back.",
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def uri(self) -> str:
        """The SIP URI that chats are redirected and transferred to."""
        return next(iter(self.uris.split()), "")

    @property
    def all_uris(self) -> tuple[str, ...]:
        """All SIP URIs that it speaks for."""
        return tuple(self.uris.split())

    @property
    def takes_transfers(self) -> bool:
        """Whether we can offer it a chat."""
        return self.agreement and bool(self.uri) and bool(self.url or self.negotiation_url)


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
