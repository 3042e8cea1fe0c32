"""Comparing the SIP URIs of PSAPs as far as two ways to write one may differ."""


def same_address(one: str, other: str) -> bool:
    """Whether two SIP URIs name the same PSAP: scheme, port, parameters and case don't matter."""
    return bool(one and other) and _plain(one) == _plain(other)


def _plain(uri: str) -> str:
    text = uri.strip().strip("<>").lower().partition(";")[0].partition("?")[0]
    _, colon, rest = text.partition(":")
    user, at, host = (rest if colon else text).rpartition("@")
    if host.startswith("["):
        host = host.partition("]")[0]
    else:
        host = host.partition(":")[0]
    return f"{user}{at}{host}"
