"""Answering a digest challenge (RFC 3261 22.4, RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from sipgateway.protocol.errors import SipError
from sipgateway.protocol.headers import Headers, split_list

_HASHES: dict[str, Callable[[bytes], str]] = {
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
}
_ANSWERS = {
    401: ("WWW-Authenticate", "Authorization"),
    407: ("Proxy-Authenticate", "Proxy-Authorization"),
}


class ChallengeError(SipError):
    """There is no challenge that we can answer; the text says why."""


def answer_challenge(
    status: int,
    headers: Headers,
    *,
    method: str,
    uri: str,
    username: str,
    password: str,
    cnonce: str,
) -> tuple[str, str]:
    """The header (name, value) that answers a 401 or 407; raises ChallengeError.

    SHA-256 is preferred to MD5 (RFC 8760 2.4); `qop=auth` where it is offered.
    """
    asked, answered = _ANSWERS[status]
    offered, algorithm = _best(headers.get_all(asked))
    digest = _HASHES[algorithm.removesuffix("-sess")]
    realm, nonce = offered.get("realm", ""), offered.get("nonce", "")
    secret = digest(f"{username}:{realm}:{password}".encode())
    if algorithm.endswith("-sess"):
        secret = digest(f"{secret}:{nonce}:{cnonce}".encode())
    request = digest(f"{method}:{uri}".encode())
    reply = {"username": username, "realm": realm, "nonce": nonce, "uri": uri}
    if "auth" in [name.strip() for name in offered.get("qop", "").lower().split(",")]:
        count = "00000001"
        response = digest(f"{secret}:{nonce}:{count}:{cnonce}:auth:{request}".encode())
        reply |= {"qop": "auth", "nc": count, "cnonce": cnonce}
    else:
        response = digest(f"{secret}:{nonce}:{request}".encode())
    reply["response"] = response
    if "algorithm" in offered:
        reply["algorithm"] = offered["algorithm"]
    if "opaque" in offered:
        reply["opaque"] = offered["opaque"]
    return answered, _credentials(reply)


def _best(values: list[str]) -> tuple[dict[str, str], str]:
    found: dict[str, dict[str, str]] = {}
    for value in values:
        scheme, _, parameters = value.strip().partition(" ")
        if scheme.lower() == "digest":
            offered = dict(map(_parameter, split_list(parameters)))
            found.setdefault(offered.get("algorithm", "MD5").lower(), offered)
    for algorithm in ("sha-256", "sha-256-sess", "md5", "md5-sess"):
        if algorithm in found:
            return found[algorithm], algorithm
    raise ChallengeError("no digest challenge with SHA-256 or MD5")


def _parameter(text: str) -> tuple[str, str]:
    """Take `name=value` or `name="value"` apart; a comma may stand within the quotes."""
    name, _, value = text.partition("=")
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return name.strip().lower(), value


def _credentials(reply: dict[str, str]) -> str:
    """Write the parameters; qop, nc and algorithm are not quoted (RFC 3261 25.1)."""
    bare = ("qop", "nc", "algorithm")
    return "Digest " + ", ".join(
        f"{name}={value}" if name in bare else f"{name}={_quoted(value)}"
        for name, value in reply.items()
    )


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
