"""Bearer tokens between PSAPs (RFC 6750): drawn here or there, kept as a digest, shown once."""

import hashlib
import re
import secrets

from django.core.exceptions import ValidationError

SHORTEST_TOKEN = 32
LONGEST_TOKEN = 1000
# RFC 6750 2.1: b64token
_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def draw_token() -> str:
    """Return a fresh token of 256 bits."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> str:
    """Return what is kept of a peer's token (`Peer.token_sha256`): SHA-256, hexadecimal.

    A fast digest is enough: a token is drawn, not thought up, and too long to be tried out.
    """
    return hashlib.sha256(token.encode()).hexdigest()


def validate_token(value: str) -> None:
    """Accept a token that fits into `Authorization: Bearer …` and cannot be guessed."""
    if len(value) < SHORTEST_TOKEN:
        raise ValidationError(
            f"A token has at least {SHORTEST_TOKEN} characters; this one has {len(value)}."
        )
    if len(value) > LONGEST_TOKEN:
        raise ValidationError(f"A token has at most {LONGEST_TOKEN} characters.")
    if not _TOKEN.fullmatch(value):
        raise ValidationError(
            "A token consists of letters, digits and - . _ ~ + /, perhaps with = at its end."
        )
    if len(set(value)) < 8:
        raise ValidationError("This token can be guessed. Have one drawn.")
