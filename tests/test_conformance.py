"""The conformance table is complete, up to date, and can turn red."""

import re

import pytest

from tests.support.conformance import (
    PASSED,
    TABLE,
    Row,
    colour,
    marked_modules,
    proofs,
    render,
    rows,
)

ROWS = {row.id: row for row in rows()}
STATE = re.compile(r"\| (green|red[^|]*|no test[^|]*) \|")
ROW = Row("6.2.3-1", "shall", "Something.")


def test_every_row_is_there_once_and_in_order():
    ids = [row.id for row in rows()]
    assert len(ids) == len(set(ids))
    for clause in {row.clause for row in rows()}:
        numbers = [int(row.id.rpartition("-")[2]) for row in rows() if row.clause == clause]
        assert numbers == list(range(1, len(numbers) + 1))


def test_marks_stand_on_single_tests():
    assert marked_modules() == []


def test_marks_name_rows_that_exist():
    assert proofs().keys() - ROWS.keys() == set()


@pytest.mark.parametrize("row_id", ROWS)
def test_every_row_has_a_test_or_says_why_not(row_id):
    assert bool(proofs().get(row_id)) != bool(ROWS[row_id].untested)


def test_the_document_is_that_of_a_green_run_of_these_tests():
    everything = {test: PASSED for tests in proofs().values() for test in tests}
    assert TABLE.read_text() == render(everything)
    assert set(STATE.findall(TABLE.read_text())) <= {"green"} | {
        f"no test: {row.untested}" for row in rows() if row.untested
    }


@pytest.mark.parametrize(
    ("tests", "outcomes", "state"),
    [
        (["a", "b"], {"a": "passed", "b": "passed"}, "green"),
        (["a", "b"], {"a": "passed"}, "red: did not run"),
        (["a", "b"], {"a": "passed", "b": "failed"}, "red: failed"),
        ([], {}, "red: no test"),
    ],
)
def test_a_row_is_green_only_when_all_its_tests_ran_and_passed(tests, outcomes, state):
    assert colour(ROW, tests, outcomes) == state
