"""Has a run of all tests judge the conformance table; loaded by tests/conftest.py."""

import pytest

from tests.support import conformance
from tests.support.conformance import FAILED, PASSED


class ConformanceJudge:
    """Collects how each test ended; a test with parameters passed when all of them did.

    Where tests run side by side it stands where their reports come together.
    """

    def __init__(self, *, writes: bool) -> None:
        self._writes = writes
        self._outcomes: dict[str, str] = {}
        self._collected: set[str] = set()
        self._red: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._collected |= {_test(item.nodeid) for item in session.items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._collected |= {_test(node_id) for node_id in ids}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = _test(report.nodeid)
        if report.failed:
            self._outcomes[test] = FAILED
        elif report.when == "call" and report.passed:
            self._outcomes.setdefault(test, PASSED)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        marked = {test for tests in conformance.proofs().values() for test in tests}
        if not marked <= self._collected:
            return  # a part of the tests says nothing about the table
        known = conformance.proofs()
        states = {
            row.id: conformance.colour(row, known.get(row.id, []), self._outcomes)
            for row in conformance.rows()
        }
        self._red = [f"{row_id} {state}" for row_id, state in states.items() if "red" in state]
        if self._writes:
            conformance.TABLE.write_text(conformance.render(self._outcomes))
        if self._red and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for row in self._red:
            terminalreporter.write_line(f"conformance row {row}", red=True)


def _test(node_id: str) -> str:
    """Return the test of a node id, which may also name parameters."""
    return node_id.partition("[")[0]
