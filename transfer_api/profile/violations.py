"""What is wrong with a peer's `Data`, said so that its implementer finds the place."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProfileViolation:
    """One fault: a JSON pointer into `Data` (RFC 6901) and a sentence."""

    pointer: str
    detail: str


class ProfileError(Exception):
    """`Data` cannot be taken over as it stands."""

    def __init__(self, violations: Sequence[ProfileViolation]) -> None:
        super().__init__("; ".join(f"{one.pointer or '/'}: {one.detail}" for one in violations))
        self.violations = tuple(violations)
