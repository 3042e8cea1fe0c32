"""Objects of any form, where a screen looks into them: as we write them ourselves, or set aside.

A transferor may mean something else by our names. What has another form than ours is kept under a
name that no screen knows, so that it is shown as it stands and breaks no view of the chat.
"""

from collections.abc import Callable, Mapping
from typing import Any

ASIDE = "x-"
"""What the name of a member begins with that has another form than ours."""
_MEASURES = (
    "semiMajorAxis", "semiMinorAxis", "orientation", "innerRadius", "outerRadius", "startAngle",
    "openingAngle",
)  # fmt: skip


def signalling_of(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return signalling that screens can show and nothing acts upon.

    A source id is our own BCF's to give, for it is reported there (HTTP-2): a peer's is a claim.
    """
    shaped = _shaped(read, {"cameVia": _is_way, "languages": _are_texts})
    return {("claimedSource" if name == "source" else name): shaped[name] for name in shaped}


def block_of(kind: str, read: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block of additional data that screens can show."""
    return _shaped(read, {"values": _are_objects} if kind == "Sensor" else {})


def geometry_of(read: Mapping[str, Any]) -> dict[str, Any]:
    """Return a shape's geometry that maps can draw."""
    return _shaped(read, {"ring": _are_points, **dict.fromkeys(_MEASURES, _is_number)})


def _shaped(read: Mapping[str, Any], forms: Mapping[str, Callable[[Any], bool]]) -> dict[str, Any]:
    odd = {name for name, fits in forms.items() if name in read and not fits(read[name])}
    return {(ASIDE + name if name in odd else name): value for name, value in read.items()}


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _is_way(value: Any) -> bool:
    return _are_objects(value) and all(
        isinstance(one.get("uri"), str) and isinstance(one.get("reason", ""), str) for one in value
    )


def _are_points(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_point, value))


def _is_point(value: Any) -> bool:
    return isinstance(value, list) and len(value) >= 2 and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
