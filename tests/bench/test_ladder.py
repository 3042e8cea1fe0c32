"""The rates of a measurement and which of them counts."""

from collections.abc import Callable

import pytest

from bench.ladder import Climb, Step, climb, next_rate


def a_step(target: int, *, failed: int = 0, lag: float = 0.0, rate: float | None = None) -> Step:
    measured = float(target) if rate is None else rate
    return Step(target, measured, target * 10, failed, 1.0, 9.0, lag)


def climb_until(is_good: Callable[[int], bool], start: int = 1000, highest: int = 9000) -> Climb:
    return climb(
        lambda rate: a_step(rate, failed=0 if is_good(rate) else 3), start=start, highest=highest
    )


def test_rates_rise_by_a_tenth_until_the_first_unanswered_message() -> None:
    found = climb_until(lambda rate: rate < 1400)
    assert [step.target for step in found.steps] == [1000, 1100, 1200, 1300, 1450]
    assert found.best is not None
    assert found.best.target == 1300
    assert found.ended_by == "3 of 14500 unanswered at 1450/s"


def test_a_projector_that_is_over_a_second_behind_ends_the_climb() -> None:
    found = climb(
        lambda rate: a_step(rate, lag=0.4 if rate < 1200 else 1.5), start=1000, highest=9000
    )
    assert found.best is not None
    assert found.best.target == 1100
    assert found.ended_by == "projector 1.5 s behind at 1200/s"


def test_the_rate_is_halved_until_a_step_is_good_when_the_first_is_not() -> None:
    found = climb_until(lambda rate: rate <= 300)
    assert [step.target for step in found.steps] == [1000, 500, 250]
    assert found.best is not None
    assert found.best.target == 250


def test_a_side_that_answers_nothing_has_no_sustained_rate() -> None:
    found = climb_until(lambda rate: False)
    assert found.best is None
    assert found.steps[-1].target == 50


def test_the_climb_ends_at_the_highest_rate() -> None:
    found = climb_until(lambda rate: True, highest=1150)
    assert [step.target for step in found.steps] == [1000, 1100, 1150]
    assert found.ended_by == "good at 1150/s"


def test_a_generator_that_falls_short_three_times_ends_the_climb() -> None:
    found = climb(lambda rate: a_step(rate, rate=min(rate, 1050.0)), start=1000, highest=9000)
    assert [step.target for step in found.steps] == [1000, 1100, 1200, 1300, 1450]
    assert found.best is not None
    assert found.best.rate == 1050.0
    assert found.ended_by == "sipp reached 1050/s of 1450/s"


@pytest.mark.parametrize(("rate", "following"), [(50, 100), (500, 550), (2000, 2200)])
def test_steps_are_round_numbers_and_always_rise(rate: int, following: int) -> None:
    assert next_rate(rate) == following
