"""The table of docs/conformance.md: the rows of the specification and the tests that prove them.

The rows stand in docs/conformance.toml, the proofs are `conformance` marks on tests. Marks are
read from the source, so that every run sees all of them; whether their tests passed comes from a
run of all tests:

    bin/test --write-conformance
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = ROOT / "docs" / "conformance.toml"
TABLE = ROOT / "docs" / "conformance.md"
MARK = "conformance"
PASSED, FAILED = "passed", "failed"

HEAD = """# Conformance with ETSI TS 103 698

Every "shall", "should" and "may" of clauses 5.4, 5.6, 6.1, 6.2 and 6.3 and of Annex A that concerns
a PSAP, or what reaches one, and the tests that prove it. Made by
`./bin/test --write-conformance` from [conformance.toml](conformance.toml) and the `conformance`
marks of the tests; a row is green when each of its tests ran and passed, red otherwise.
"""

COLUMNS = "| Row | | Requirement | | Proof |\n|---|---|---|---|---|"


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement; `untested` says why it has no test."""

    id: str
    verb: str
    text: str
    untested: str = ""

    @property
    def clause(self) -> str:
        return self.id.rpartition("-")[0]


@cache
def rows() -> list[Row]:
    """Return all rows in the order of the text."""
    return [Row(**row) for row in tomllib.loads(ROWS.read_text())["row"]]


@cache
def proofs() -> dict[str, list[str]]:
    """Return row id → its tests as `tests/area/test_file.py::test_name`, in order."""
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test, ids in _marked(ast.parse(path.read_text())):
            for row_id in ids:
                found[row_id].append(f"{path.relative_to(ROOT)}::{test}")
    return found


def marked_modules() -> list[str]:
    """Return test modules that are marked as a whole: that would prove nothing in particular."""
    return [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and f"mark.{MARK}" in ast.unparse(node)
    ]


def _marked(module: ast.Module) -> Iterator[tuple[str, list[str]]]:
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            ids = [row_id for mark in node.decorator_list for row_id in _ids_of(mark)]
            if ids:
                yield node.name, ids


def _ids_of(mark: ast.expr) -> list[str]:
    if not isinstance(mark, ast.Call) or not ast.unparse(mark.func).endswith(f"mark.{MARK}"):
        return []
    return [ast.literal_eval(argument) for argument in mark.args]


def colour(row: Row, tests: list[str], outcomes: Mapping[str, str]) -> str:
    """Say how a row stands after a run: green, red with the reason, or why it has no test."""
    if not tests:
        return f"no test: {row.untested}" if row.untested else "red: no test"
    if any(outcomes.get(test) == FAILED for test in tests):
        return "red: failed"
    if any(outcomes.get(test) != PASSED for test in tests):
        return "red: did not run"
    return "green"


def render(outcomes: Mapping[str, str]) -> str:
    """Write the document; `outcomes` is test → passed or failed, what is missing did not run."""
    known = proofs()
    by_clause: dict[str, list[Row]] = defaultdict(list)
    for row in rows():
        by_clause[row.clause].append(row)
    pieces = [HEAD]
    for clause, found in by_clause.items():
        pieces.append(f"\n## {clause}\n\n{COLUMNS}\n")
        for row in found:
            tests = known.get(row.id, [])
            links = "<br>".join(_link(test) for test in tests)
            state = colour(row, tests, outcomes)
            pieces.append(f"| {row.id} | {row.verb} | {row.text} | {state} | {links} |\n")
    return "".join(pieces)


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name}](../{path})"
