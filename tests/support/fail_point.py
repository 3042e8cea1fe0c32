"""The fail point of one room's programs, chosen while they run (psap/failpoints.py).

points = {name: FailPoint(directory, name) for name in "ab"}
with control_rooms("a", "b", variables=lambda name: points[name].variables) as rooms:
    with points["a"].armed("execution-snapshot", hold=True):
        await points["a"].reached()     # somebody waits there until the block ends
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psap.failpoints import ANY
from tests.support.eventually import eventually

WITHIN = 60.0


class FailPoint:
    """One at a time: the next can be armed once the one before is not any more."""

    def __init__(self, directory: Path, name: str) -> None:
        self._proof = directory / f"{name}-reached"
        self._armed = directory / f"{name}-armed"

    @property
    def variables(self) -> Mapping[str, str]:
        return {"PSAP_FAIL_POINT": f"{ANY}:{self._proof}:{self._armed}"}

    @contextmanager
    def armed(self, name: str, *, hold: bool = False) -> Iterator[None]:
        """Have the first that gets to the instant die, or wait there until the block ends."""
        self._proof.unlink(missing_ok=True)
        written = self._armed.with_suffix(".new")
        written.write_text(f"{name} hold" if hold else name)
        written.replace(self._armed)
        try:
            yield
        finally:
            self._armed.unlink(missing_ok=True)

    def is_reached(self) -> bool:
        return self._proof.exists() and bool(self._proof.read_text())

    async def reached(self, name: str, within: float = WITHIN) -> None:
        """Wait until somebody has got there; the proof says where."""
        await eventually(self.is_reached, f"{name} is reached", within)
        assert self._proof.read_text() == name
