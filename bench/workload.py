"""What is sent: the open chats and the SIPp scenarios, the same bytes for both sides."""

import random
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parent / "scenarios"
SEED = 112
CHATS = 2000
# A step sends less than this many messages, so that MsgIds rise from step to step.
MSG_IDS_A_STEP = 1_000_000
CENTRE = (48.2082, 16.3738)
SPREAD = 0.05


@dataclass(frozen=True, slots=True)
class Workload:
    """Files for SIPp in one directory."""

    directory: Path
    chats: Path

    def scenario(self, name: str, step: int = 0) -> Path:
        """Write the scenario of one step and return its path."""
        path = self.directory / f"{name}-{step}.xml"
        text = (SCENARIOS / f"{name}.xml").read_text()
        path.write_text(text.replace("MSGID_BASE", str((step + 1) * MSG_IDS_A_STEP)))
        return path


def write_workload(directory: Path, *, chats: int = CHATS, seed: int = SEED) -> Workload:
    """Write the injection file: one line a chat, in shuffled order, the same for each seed."""
    directory.mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)  # noqa: S311
    lines = []
    for number in range(chats):
        unique_part = "".join(draw.choices("abcdefghijkmnopqrstuvwxyz23456789", k=24))
        latitude = CENTRE[0] + draw.uniform(-SPREAD, SPREAD)
        longitude = CENTRE[1] + draw.uniform(-SPREAD, SPREAD)
        lines.append(
            f"caller{number:05d};tag{number:05d};{unique_part};{latitude:.6f};{longitude:.6f};\n"
        )
    draw.shuffle(lines)
    path = directory / "chats.csv"
    path.write_text("SEQUENTIAL\n" + "".join(lines))
    return Workload(directory, path)
