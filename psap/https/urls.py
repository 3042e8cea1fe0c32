"""URLs from strangers, read once: nothing behind this point looks at the text again."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

LONGEST_URL = 2000
PORTS = {"https": 443, "http": 80}
_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
# What readers of URLs disagree about: white space, control characters and backslashes.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")


class UrlRefused(Exception):
    """We do not ask there; says why in words."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a URL leads: `host` is a name in ASCII or an address, `path` has the query too."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """Host and port as the list of servers writes them: the port only when unusual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str, *, schemes: tuple[str, ...] = ("https",)) -> Target:
    """Take a URL apart; raises UrlRefused for everything that is not plainly one of `schemes`.

    Additional data and locations are asked for under TLS alone (TS 103 698 6.1.2.7, RFC 6753).
    """
    if len(url) > LONGEST_URL or _AMBIGUOUS.search(url):
        raise UrlRefused("the URL is too long or has characters that do not belong there")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UrlRefused("the URL cannot be read") from None
    if parts.scheme not in schemes:
        raise UrlRefused(f"only {' and '.join(schemes)} is asked for")
    if "@" in parts.netloc:  # https://lis.example.org@elsewhere deceives who reads it
        raise UrlRefused("the URL names a user")
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if parts.query:
        path += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
    port = PORTS[parts.scheme] if port is None else port
    return Target(parts.scheme, _host(host), port, path)


def _host(host: str) -> str:
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address(host))
        except ValueError:
            raise UrlRefused("the URL names no host") from None
    try:
        name = host.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise UrlRefused("the URL names no host") from None
    if not _NAME.fullmatch(name):
        raise UrlRefused("the URL names no host")
    return name
