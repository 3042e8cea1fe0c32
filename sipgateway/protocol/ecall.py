"""The Minimum Set of Data of a vehicle (eCall, EN 15722; carried as RFC 8147 says).

Its fields are not decoded: the ASN.1 module stands in EN 15722 alone, which CEN sells under its
copyright, and no package on PyPI comes with it. The format's version is legible without it, since
the standard keeps that in the first octet for good.
"""

from __future__ import annotations

import hashlib
from typing import Any

MSD_TYPE = "application/emergencycalldata.ecall.msd"
ECALL = "eCall"
NOT_DECODED = "Minimum Set of Data, kept as it came; its fields are not decoded."


def describe_msd(data: bytes) -> dict[str, Any]:
    """What can be said of an MSD: `formatVersion`, `size`, `sha256`, and that it is not decoded."""
    told: dict[str, Any] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    if data:
        told["formatVersion"] = data[0]
    told["note"] = NOT_DECODED
    return told
