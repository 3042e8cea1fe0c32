"""Resource-Priority (RFC 4412) in the namespace of emergency services networks (RFC 7135)."""

from __future__ import annotations

from sipgateway.protocol.headers import split_list

NAMESPACE = "esnet"
ORDINARY = "esnet.1"
"""Emergency calls in the ESInet: what we set (clause 6.1.2.5)."""

LONGEST = 40
_remembered: dict[str, str] = {"": ""}


def resource_priority(value: str) -> str:
    """The priority to keep of a header field: the highest of `esnet`, else the first; "" for none.

    Blanks are tolerated (`esnet . 1`), as the specification itself writes them.
    """
    known = _remembered.get(value)
    if known is None:
        known = _read(value)
        if len(_remembered) < 256 and len(value) <= LONGEST:
            _remembered[value] = known
    return known


def _read(value: str) -> str:
    found = ["".join(entry.split()).lower()[:LONGEST] for entry in split_list(value)]
    ours = [entry for entry in found if esnet_level(entry) is not None]
    best = max(ours, key=lambda entry: esnet_level(entry) or 0, default=found[0] if found else "")
    return best.replace("\0", "").encode("ascii", "replace").decode()


def esnet_level(priority: str) -> int | None:
    """The level of `esnet.N` for N of 0 to 7 (Table 3), None for anything else.

    The higher the level the more urgent: `esnet.2` is critical, `esnet.0` is not.
    """
    namespace, dot, level = priority.partition(".")
    if namespace != NAMESPACE or not dot or len(level) != 1 or not "0" <= level <= "7":
        return None
    return int(level)
