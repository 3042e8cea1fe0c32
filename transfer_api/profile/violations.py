"""What is wrong with a peer's `Data`, said so that its implementer finds the place."""

from collections.abc import Sequence

from transfer_api.schemas import Violation


class ProfileError(Exception):
    """`Data` cannot be taken over as it stands; pointers are relative to it."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("; ".join(f"{one.pointer or '/'}: {one.detail}" for one in violations))
        self.violations = tuple(violations)
