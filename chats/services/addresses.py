"""Comparing the SIP URIs of PSAPs as far as two ways to write one may differ.

Callers are told apart by `sipgateway.protocol.addresses.normalise_uri`, which drops every port.
"""

DEFAULT_PORTS = {"": "", "5060": "", "5061": ""}


def same_address(one: str, other: str) -> bool:
    """Whether two SIP URIs name the same PSAP: scheme, parameters and case don't matter.

    Nor does a port that is the default one; another port may be another PSAP on the same host.
    """
    return bool(one and other) and _plain(one) == _plain(other)


def _plain(uri: str) -> str:
    text = uri.strip().strip("<>").lower().partition(";")[0].partition("?")[0]
    _, colon, rest = text.partition(":")
    user, at, host_port = (rest if colon else text).rpartition("@")
    if host_port.startswith("["):
        host, _, port = host_port.partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = host_port.partition(":")
    return f"{user}{at}{host}:{DEFAULT_PORTS.get(port, port)}"
