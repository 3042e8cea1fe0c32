"""Each program of two control rooms dies at each step of a transfer: the chat has one owner.

At no instant it has none. Its app writes before, while and after it happens; all of that is on the
record of whoever has the chat at the end, once and in order, and they go on talking.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sipgateway.simulator import lmpe
from tests.support.eventually import eventually
from tests.support.fail_point import FailPoint
from tests.support.handing import LOOK_EVERY, Handing, handed_over, quietly
from tests.support.rooms import Rooms, control_rooms

RESTARTED = 60.0
PROGRAMS = ("gateway", "worker", "peerapi", "postgres", "redis", "web", "beat", "registrar")
VICTIMS = [(room, program) for program in PROGRAMS for room in "ab"]
# PSAP_FULL_MATRIX=1: every program at every step.
FULL = bool(os.environ.get("PSAP_FULL_MATRIX"))


@dataclass(frozen=True, slots=True)
class Step:
    """A named instant, and the room and program that gets to it."""

    room: str
    program: str
    point: str

    def __str__(self) -> str:
        return f"{self.point}@{self.room}"


STEPS = [
    Step("a", "web", "transfer-requested"),
    Step("a", "worker", "negotiation-claimed"),
    Step("b", "peerapi", "offer-made"),
    Step("b", "peerapi", "offer-answered"),
    Step("a", "worker", "negotiation-answered"),
    Step("a", "worker", "negotiation-recorded"),
    Step("a", "gateway", "after-sending"),  # of the 266
    Step("a", "gateway", "before-marking"),
    Step("a", "gateway", "transfer-settled"),
    Step("a", "worker", "execution-claimed"),
    Step("a", "worker", "execution-snapshot"),
    Step("b", "peerapi", "execution-received"),
    Step("b", "peerapi", "execution-committed"),
    Step("b", "gateway", "after-sending"),  # of the 265
    Step("b", "gateway", "before-marking"),
    Step("b", "gateway", "transfer-settled"),
    Step("b", "peerapi", "execution-answering"),
    Step("a", "worker", "execution-answered"),
    Step("a", "worker", "execution-recorded"),
    Step("a", "worker", "custody-answered"),
]
ASKING = STEPS[:4]  # an offer rings at the other side


def kills() -> Iterator[tuple[Step, str, str]]:
    """Yield a step, and whom to kill at it: each in turn, nobody at a step of its own."""
    for number, step in enumerate(STEPS):
        own = (step.room, step.program)
        in_turn = VICTIMS[(number + 11) % len(VICTIMS)]
        assert in_turn != own
        for room, program in [v for v in VICTIMS if v != own] if FULL else [in_turn]:
            yield step, room, program


@pytest.fixture(scope="module")
def points(tmp_path_factory) -> dict[str, FailPoint]:
    directory = tmp_path_factory.mktemp("points")
    return {name: FailPoint(directory, name) for name in "ab"}


@pytest.fixture(scope="module")
def rooms(points) -> Iterator[Rooms]:
    with control_rooms("a", "b", variables=lambda name: points[name].variables) as rooms:
        for room in rooms:
            room.configure(heartbeat_interval=20)
        yield rooms
        assert sum(room.verify_all() for room in rooms) > 0


class RefusedOnce(dict):
    """Answers of an app that refuses the first 265 and takes the next."""

    def __init__(self) -> None:
        super().__init__({lmpe.START_TRANSFER: 403})

    def get(self, key, default=None):
        return self.pop(key, default)


def prepare(rooms: Rooms, scene: Handing, step: Step) -> None:
    """Have the other side accept by hand where an offer matters, and refuse where it must."""
    by_hand = step in ASKING
    rooms.transferee.set_peer(rooms.transferor, auto_accept=not by_hand, auto_accept_limit=1000)
    if step.point == "custody-answered":
        scene.app.answers = RefusedOnce()
    scene.write_on()
    scene.hand_over(accepting=by_hand)


def room_named(rooms: Rooms, name: str):
    return next(room for room in rooms if room.name == name)


async def is_back(rooms: Rooms, name: str, program: str, old: int) -> None:
    instance = room_named(rooms, name).instance
    await eventually(
        lambda: (quietly(instance.pids) or {}).get(program, 0) not in (0, old),
        f"{program} of {name} is back",
        RESTARTED,
        every=LOOK_EVERY,
    )


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_whoever_dies_at_a_step_the_chat_has_one_owner(rooms, points, step):
    async with handed_over(rooms) as scene:
        old = room_named(rooms, step.room).instance.pids()[step.program]
        with points[step.room].armed(step.point):
            prepare(rooms, scene, step)
            await points[step.room].reached(step.point)
            await is_back(rooms, step.room, step.program, old)
            owner = await scene.healed()
        await scene.goes_on(owner)
    scene.assert_all_is_well(owner)


@pytest.mark.parametrize(
    ("step", "room", "program"),
    [pytest.param(*kill, id="-".join(map(str, kill))) for kill in kills()],
)
async def test_whoever_else_dies_at_a_step_the_chat_has_one_owner(
    rooms, points, step, room, program
):
    async with handed_over(rooms) as scene:
        with points[step.room].armed(step.point, hold=True):
            prepare(rooms, scene, step)
            await points[step.room].reached(step.point)
            old = room_named(rooms, room).instance.kill(program)
        await is_back(rooms, room, program, old)
        owner = await scene.healed()
        await scene.goes_on(owner)
    scene.assert_all_is_well(owner)
