"""When batches are spaced, and when not."""

import pytest

from sipgateway.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_quiet_gateway_never_pauses(clock: Clock):
    pace = Pace(clock, cycle=0.02)
    for _ in range(10):
        clock.now += 0.003
        assert pace.pause(3) == 0.0


def test_under_load_the_cycle_is_filled(clock: Clock):
    pace = Pace(clock, cycle=0.02)
    clock.now += 0.004
    assert pace.pause(20) == pytest.approx(0.016)


def test_the_pause_counts_as_time_in_which_rows_came(clock: Clock):
    pace = Pace(clock, cycle=0.02)
    clock.now += 0.004
    clock.now += pace.pause(20)
    clock.now += 0.004
    assert pace.pause(20) == 0.0, "20 rows in 20 ms are a thousand a second: not busy"


def test_a_batch_that_took_the_whole_cycle_is_followed_at_once(clock: Clock):
    pace = Pace(clock, cycle=0.02)
    clock.now += 0.05
    assert pace.pause(200) == 0.0
