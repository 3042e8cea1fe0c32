"""docs/transfer.md shows the custody tables as they are."""

import re
from pathlib import Path

import pytest

from chats.models import UNDER_WAY, TransferState
from chats.services.transfers.machine import (
    TABLES,
    TRANSFEREE,
    TRANSFEROR,
    Happening,
    NotPossible,
    Table,
    following,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "transfer.md"
ROW = re.compile(
    r"^\| (?P<state>[a-z]+) \| (?P<happening>[a-z-]+)\b[^|]* \| (?P<then>[a-z]+) \|$", re.M
)


def section(heading: str) -> str:
    text = DOCUMENT.read_text("utf-8")
    return text.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]


@pytest.mark.parametrize(
    ("heading", "table"), [("Transferor", TRANSFEROR), ("Transferee", TRANSFEREE)]
)
def test_the_documented_table_is_the_one_that_transfers_move_by(heading: str, table: Table):
    moves = section(heading).split("| Who has it |", 1)[0]
    told = [row.groups() for row in ROW.finditer(moves)]
    assert told == [(state, happening, then) for (state, happening), then in table.items()]


@pytest.mark.parametrize("heading", ["Transferor", "Transferee"])
def test_each_state_says_who_has_the_chat(heading: str):
    table = TRANSFEROR if heading == "Transferor" else TRANSFEREE
    states = {state for state, _ in table} | set(table.values())
    told = section(heading).split("Who has it |\n", 1)[1]
    named = {
        name for row in re.findall(r"^\| ([a-z, ]+) \|", told, re.M) for name in row.split(", ")
    }
    # An offer that came to nothing left no chat behind.
    nothing = {TransferState.DECLINED, TransferState.EXPIRED, TransferState.CANCELLED}
    offers = nothing if table is TRANSFEREE else set()
    assert named == {state.value for state in states - offers}


def test_what_is_not_in_the_table_moves_nothing():
    for side, table in TABLES.items():
        for state in TransferState:
            for happening in Happening:
                if (state, happening) not in table:
                    with pytest.raises(NotPossible):
                        following(side, state, happening)


def test_no_way_leads_from_having_given_the_chat_away_to_anything_else():
    for table, gone in ((TRANSFEROR, TransferState.DONE), (TRANSFEREE, TransferState.RELEASED)):
        assert not [state for state, _ in table if state == gone]


def test_custody_passes_over_by_nothing_but_the_apps_word():
    """The transferor gives the chat up only where the transferee is known to be followed."""
    to_done = {happening for (_, happening), then in TRANSFEROR.items() if then == "done"}
    assert to_done == {Happening.TAKEN, Happening.LET_GO}
    to_done = {happening for (_, happening), then in TRANSFEREE.items() if then == "done"}
    assert to_done == {Happening.FOLLOWED}


def test_every_state_under_way_has_a_way_out():
    for table in TABLES.values():
        for state in {state for state, _ in table} & set(UNDER_WAY):
            ends, seen = [state], set()
            while ends:
                here = ends.pop()
                seen.add(here)
                ends += [then for (s, _), then in table.items() if s == here and then not in seen]
            assert seen - set(UNDER_WAY)


def test_no_line_of_a_chart_holds_what_ends_one_for_mermaid():
    charts = re.findall(r"```mermaid\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert len(charts) >= 10
    assert not [line for chart in charts for line in chart.splitlines() if ";" in line]
