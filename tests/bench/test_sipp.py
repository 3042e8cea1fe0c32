"""Reading what SIPp 3.6 recorded of a step in which every fifth message got no answer."""

import math
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.sipp import Totals, percentile, read_response_times, read_totals

RECORDED = Path(__file__).parent / "recorded"


def test_the_last_line_of_the_statistics_gives_the_totals() -> None:
    totals = read_totals(RECORDED / "statistics.csv")
    assert totals == Totals(sent=40, answered=32, failed=8, rate=totals.rate)
    assert 10 < totals.rate < 20  # 20 a second, and a second of waiting for the last answer


def test_statistics_without_a_line_are_an_error(tmp_path: Path) -> None:
    header = (RECORDED / "statistics.csv").read_text().splitlines()[0]
    (tmp_path / "empty.csv").write_text(header + "\n")
    with pytest.raises(BenchError, match="no statistics"):
        read_totals(tmp_path / "empty.csv")


def test_only_answered_messages_have_a_response_time() -> None:
    times = read_response_times(RECORDED / "response-times.csv")
    assert len(times) == 32
    assert times == sorted(times)


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_covers_the_share(share: float, value: int) -> None:
    assert percentile(range(1, 101), share) == value


def test_there_is_no_percentile_of_nothing() -> None:
    assert math.isnan(percentile([], 0.5))
