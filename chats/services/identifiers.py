"""Random identifiers of what we send (RFC 3261 8.1.1): unguessable and unique."""

import secrets


def new_sip_call_id() -> str:
    """Return a Call-ID, 24 hexadecimal digits."""
    return secrets.token_hex(12)


def new_branch() -> str:
    """Return a Via branch with RFC 3261's magic cookie."""
    return "z9hG4bK" + secrets.token_hex(10)


def new_tag() -> str:
    """Return a From tag."""
    return secrets.token_hex(8)
