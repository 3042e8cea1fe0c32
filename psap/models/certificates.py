"""Certificates: ours, whom we believe, and those that peers have shown us."""

from django.db import models


class Certificate(models.Model):
    """A certificate of ours with its private key, as PEM."""

    name = models.CharField(max_length=100, unique=True)
    chain = models.TextField(help_text="PEM: our certificate first, then the intermediate ones.")
    private_key = models.TextField(
        help_text="PEM without a passphrase; RSA of 2048 bits or more, or EC. Never shown again."
    )
    subject = models.TextField(blank=True, default="", editable=False)
    not_after = models.DateTimeField(null=True, editable=False, help_text="When it expires.")

    def __str__(self) -> str:
        return self.name


class CertificateAuthority(models.Model):
    """Certificates that we believe, and the list of what their issuer has revoked."""

    name = models.CharField(max_length=100, unique=True)
    certificates = models.TextField(help_text="PEM: one or more CA certificates.")
    revocation_list = models.TextField(
        blank=True, default="", help_text="PEM: the issuer's certificate revocation lists."
    )
    not_after = models.DateTimeField(
        null=True, editable=False, help_text="When the first of them expires."
    )
    next_update = models.DateTimeField(
        null=True, editable=False, help_text="When the revocation list wants to be renewed."
    )

    class Meta:
        verbose_name_plural = "certificate authorities"

    def __str__(self) -> str:
        return self.name


class PeerCertificate(models.Model):
    """A certificate that a peer has shown and that was accepted; written by the gateway."""

    trunk = models.CharField(max_length=100)
    fingerprint = models.CharField(max_length=64, unique=True, help_text="SHA-256, hexadecimal.")
    subject = models.TextField(blank=True, default="")
    names = models.TextField(blank=True, default="", help_text="Its alternative names.")
    not_after = models.DateTimeField()
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.names or self.subject
