"""What a part says beyond text, by its content type: locations and blocks of data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sipgateway.protocol.additional import (
    ADDITIONAL_TYPES,
    Block,
    blocks_within,
    parse_additional,
)
from sipgateway.protocol.body import Part
from sipgateway.protocol.cap import ALERT, CAP_TYPES, parse_cap
from sipgateway.protocol.ecall import ECALL, MSD_TYPE, describe_msd
from sipgateway.protocol.pidflo import Fix, parse_pidf_lo
from sipgateway.protocol.sensor import SENSOR_TYPES, parse_sensor
from sipgateway.protocol.xml import parse_xml

PIDF = "application/pidf+xml"


class Payload(NamedTuple):
    """Locations, and blocks of additional data as (kind, fields)."""

    fixes: list[Fix]
    blocks: list[Block]


def _location(part: Part) -> Payload:
    fixes = parse_pidf_lo(part.data)
    if b":EmergencyCallData" not in part.data:
        return Payload(fixes, [])
    return Payload(fixes, blocks_within(parse_xml(part.data)))  # its provided-by


def _additional(part: Part) -> Payload:
    return Payload([], parse_additional(part.content_type, part.data, part.charset))


def _alert(part: Part) -> Payload:
    blocks, fixes = parse_cap(part.data)
    return Payload(fixes, [(ALERT, block) for block in blocks])


def _msd(part: Part) -> Payload:
    return Payload([], [(ECALL, describe_msd(part.data))])


def _sensor(part: Part) -> Payload:
    return Payload([], [("Sensor", parse_sensor(part.content_type, part.data))])


READERS: dict[str, Callable[[Part], Payload]] = {
    PIDF: _location,
    MSD_TYPE: _msd,
    **dict.fromkeys(ADDITIONAL_TYPES, _additional),
    **dict.fromkeys(CAP_TYPES, _alert),
    **dict.fromkeys(SENSOR_TYPES, _sensor),
}
"""Content type in lower case → what reads it; raises a SipError for a part that is broken."""
