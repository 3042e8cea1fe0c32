"""What an administrator may write into the configuration, with words for what is wrong."""

import ipaddress
import re
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from psap.https.urls import UrlRefused, read_url

# RFC 3261 25.1: user, host (name, IPv4 address, IPv6 reference), port.
_USER = r"[A-Za-z0-9\-_.!~*'()%&=+$,;?/]+"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_ADDRESS = re.compile(rf"sips?:(?:{_USER}@)?({_HOST})(?::(\d{{1,5}}))?")
_PARAMETER = re.compile(r"[A-Za-z0-9\-_.!~*'+%]+(?:=[A-Za-z0-9\-_.!~*'+%\[\]:&$]+)?")
_TRANSPORTS = ("udp", "tcp", "tls")
_URN = re.compile(r"urn:service:[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[^\s*]+")
_SERVER = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>\d{1,5}))?")
_NUMBER = re.compile(r"\+?[0-9*#]{1,31}")


def validate_sip_uri(value: str) -> None:
    """Accept `sip:user@host:port;transport=tcp` (RFC 3261 19.1), all but the host optional."""
    address, *parameters = _split_parameters(value)
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise ValidationError(
            "“%(value)s” is no SIP URI. Write sip:user@host or sip:host:port;transport=tcp.",
            params={"value": value},
        )
    _require_address(match.group(1))
    if match.group(2) and not 0 < int(match.group(2)) < 65536:
        raise ValidationError("%(port)s is no port number.", params={"port": match.group(2)})
    for parameter in parameters:
        _require_parameter(parameter)


def leads_over_tls(value: str) -> bool:
    """Say whether a SIP URI leads over TLS by its own words."""
    parameters = [part.strip().lower() for part in _split_parameters(value)[1:]]
    return value.lower().startswith("sips:") or "transport=tls" in parameters


def names_transport(value: str) -> bool:
    """Say whether a SIP URI has a transport parameter."""
    parameters = [part.strip().lower() for part in _split_parameters(value)[1:]]
    return any(parameter.startswith("transport=") for parameter in parameters)


def validate_public_uri(value: str) -> None:
    """Accept a SIP URI with a user and without parameters: apps put it into their requests."""
    validate_sip_uri(value)
    if "@" not in value or len(_split_parameters(value)) > 1:
        raise ValidationError("Write it with a user and without parameters, as sip:psap@host.")


def _split_parameters(value: str) -> list[str]:
    """Split at the semicolons behind the host: before an @ they belong to the user."""
    user, at, rest = value.rpartition("@")
    host, *parameters = rest.split(";")
    return [f"{user}{at}{host}", *parameters]


def _require_address(host: str) -> None:
    if not host.startswith("["):
        return
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        raise ValidationError("%(host)s is no IPv6 address.", params={"host": host}) from None


def _require_parameter(parameter: str) -> None:
    name, _, value = parameter.lower().partition("=")
    if not _PARAMETER.fullmatch(parameter):
        raise ValidationError("“;%(it)s” is no SIP URI parameter.", params={"it": parameter})
    if name == "transport" and value not in _TRANSPORTS:
        raise ValidationError(
            "Transport %(value)s is unknown. Use udp, tcp or tls.", params={"value": value}
        )


def normal_server(value: str) -> str:
    """Return an HTTPS server as URLs are compared with it: `lis.example.org`, `[2001:db8::1]:8443`.

    Lower case, a name in ASCII, the port only where it is not 443.
    """
    match = _SERVER.fullmatch(value.strip().lower())
    try:
        if match is None or not 0 < int(match.group("port") or 443) < 65536:
            raise ValueError
        if match.group("six"):
            host = f"[{ipaddress.IPv6Address(match.group('six'))}]"
        else:
            host = match.group("name").rstrip(".").encode("idna").decode()
    except ValueError:  # UnicodeError as well
        raise ValidationError(
            "“%(value)s” is no host. Write lis.example.org or lis.example.org:8443, without https.",
            params={"value": value},
        ) from None
    port = int(match.group("port") or 443)
    return host if port == 443 else f"{host}:{port}"


def validate_report_url(value: str) -> None:
    """Accept an http or https URL without a user."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or "@" in parts.netloc:
        raise ValidationError(
            "“%(value)s” cannot be posted to. Write https://bcf.example.org/BadActors.",
            params={"value": value},
        )


def validate_peer_url(value: str) -> None:
    """Accept an https URL of a peer: no user, query or fragment, for our paths go below it."""
    try:
        target = read_url(value)
    except UrlRefused as refusal:
        raise ValidationError(
            "“%(value)s” cannot be asked: %(why)s. Write https://psap.example.org:8443/ .",
            params={"value": value, "why": str(refusal)},
        ) from None
    if "?" in target.path or "#" in value:
        raise ValidationError("Write the URL without what begins at ? or #.")


def validate_networks(value: str) -> None:
    """Accept networks in CIDR notation, separated by blanks or line breaks."""
    for network in value.split():
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ValidationError(
                "“%(network)s” is no network (%(why)s). Write 192.0.2.0/24 or 2001:db8::/32.",
                params={"network": network, "why": str(error)},
            ) from None


def validate_certificate_names(value: str) -> None:
    """Accept names that certificates carry: DNS names, `*.name` for one label, URIs."""
    for name in value.split():
        if not (_DNS_NAME.fullmatch(name) or _URI.fullmatch(name)):
            raise ValidationError(
                "“%(name)s” is no name of a certificate. Write esrp.example.org, *.example.org "
                "or sip:example.org.",
                params={"name": name},
            )


def validate_service_urn(value: str) -> None:
    """Accept a service URN in lower case (RFC 5031)."""
    if not _URN.fullmatch(value):
        raise ValidationError(
            "“%(value)s” is no service URN. Write urn:service:sos or urn:service:sos.police.",
            params={"value": value},
        )


def validate_number(value: str) -> None:
    """Accept a dialled number: digits, * and #, perhaps a leading +."""
    if not _NUMBER.fullmatch(value):
        raise ValidationError("“%(value)s” is no number to dial.", params={"value": value})
