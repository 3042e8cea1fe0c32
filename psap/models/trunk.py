"""The ways in and out of SIP: trunks that listen, accounts that register."""

from django.db import models


class TrunkTransport(models.TextChoices):
    PLAIN = "plain", "UDP and TCP"
    TLS = "tls", "TLS, both sides with a certificate"


class Fallback(models.TextChoices):
    """What may be used when TLS does not get through; shown on the chat as unprotected."""

    NONE = "", "nothing"
    TCP = "tcp", "TCP"
    UDP = "udp", "UDP"


class TlsVersion(models.TextChoices):
    TLS_1_2 = "1.2", "TLS 1.2"
    TLS_1_3 = "1.3", "TLS 1.3"


class Trunk(models.Model):
    """A way in and out: where we listen, whom we trust there, who takes what we send."""

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True, db_default=True)
    transport = models.CharField(
        max_length=5,
        choices=TrunkTransport.choices,
        default=TrunkTransport.PLAIN,
        db_default=TrunkTransport.PLAIN,
    )
    port = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Where we listen. Empty: PSAP_SIP_PORT, with TLS PSAP_SIPS_PORT.",
    )
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
        help_text="Networks whose P-Asserted-Identity is believed (RFC 3325), blank-separated. "
        "With TLS every admitted peer is believed that is also in one of them; empty: all.",
    )
    certificate = models.ForeignKey(
        "psap.Certificate",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        help_text="What we show, listening and connecting.",
    )
    authorities = models.ManyToManyField(
        "psap.CertificateAuthority", blank=True, help_text="Whose certificates peers may show."
    )
    allowed_names = models.TextField(
        blank=True,
        default="",
        db_default="",
        help_text="Names (DNS or URI) of which a peer's certificate must carry one, "
        "blank-separated; *.example.org covers one label. Empty: nobody.",
    )
    tls_version = models.CharField(
        "oldest TLS version",
        max_length=3,
        choices=TlsVersion.choices,
        default=TlsVersion.TLS_1_2,
        db_default=TlsVersion.TLS_1_2,
    )
    fallback = models.CharField(
        max_length=3,
        choices=Fallback.choices,
        default=Fallback.NONE,
        db_default=Fallback.NONE,
        blank=True,
        help_text="What we may send over when TLS to the proxy fails (clause 6.1.1).",
    )
    upstream_copes_with_503 = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Answer 503 with Retry-After when overloaded (clause 6.1.2.9); else silence.",
    )

    def __str__(self) -> str:
        return self.name


class SipAccount(models.Model):
    """A registration of ours at an ESRP or SIP/IP core (RFC 3261 10)."""

    name = models.CharField(max_length=100, unique=True)
    enabled = models.BooleanField(default=True)
    address_of_record = models.CharField(max_length=400, help_text="sip:psap@example.org")
    registrars = models.TextField(
        help_text="SIP URIs, one a line, in the order in which they are tried, e.g. "
        "sip:esrp.example.org;transport=tcp"
    )
    username = models.CharField(max_length=100, blank=True, default="")
    password = models.CharField(max_length=200, blank=True, default="")
    realm = models.CharField(max_length=200, blank=True, default="*")
    expires = models.PositiveIntegerField(default=300, help_text="Seconds, asked for.")
    retry_after = models.PositiveIntegerField(
        default=30, help_text="Seconds after which a failed registration is tried again."
    )
    contact = models.CharField(
        max_length=400,
        blank=True,
        default="",
        help_text="Where messages shall arrive. Empty: our own listener.",
    )
    feature_tags = models.TextField(
        blank=True,
        default="",
        help_text='Contact parameters (RFC 3840), e.g. +g.oma.sip-im;language="en,de"',
    )
    receive_in_pjsua2 = models.BooleanField(
        "receive in pjsua2",
        default=False,
        help_text="For a NAT that leaves no other way: messages over 4000 bytes are lost, and "
        "all are acknowledged before they are stored.",
    )

    class Meta:
        verbose_name = "SIP account"

    def __str__(self) -> str:
        return self.name


class RegistrationState(models.TextChoices):
    OFF = "off"
    TRYING = "trying"
    REGISTERED = "registered"
    FAILED = "failed"


class Registration(models.Model):
    """How an account's registration stands; written by the registrar process."""

    account = models.OneToOneField(
        SipAccount, on_delete=models.CASCADE, primary_key=True, related_name="registration"
    )
    state = models.CharField(
        max_length=10, choices=RegistrationState.choices, default=RegistrationState.OFF
    )
    registrar = models.CharField(max_length=400, blank=True, default="")
    contact = models.CharField(max_length=800, blank=True, default="")
    sip_status = models.PositiveSmallIntegerField(null=True)
    reason = models.TextField(blank=True, default="")
    registered_until = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account}: {self.state}"


class RegistrarLimit(models.Model):
    """Something that the installed pjsua2 cannot do; found and written at its start."""

    code = models.CharField(max_length=40, unique=True)
    detail = models.TextField()
    found_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.code
