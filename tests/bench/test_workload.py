"""The chats and messages that both sides get."""

from pathlib import Path

from bench.workload import write_workload


def test_the_same_seed_gives_the_same_chats(tmp_path: Path) -> None:
    first = write_workload(tmp_path / "a", chats=50, seed=7).chats.read_bytes()
    assert write_workload(tmp_path / "b", chats=50, seed=7).chats.read_bytes() == first
    assert write_workload(tmp_path / "c", chats=50, seed=8).chats.read_bytes() != first


def test_every_chat_has_its_own_caller_tag_and_call_identifier(tmp_path: Path) -> None:
    lines = write_workload(tmp_path, chats=200).chats.read_text().splitlines()
    assert lines[0] == "SEQUENTIAL"
    fields = [line.split(";") for line in lines[1:]]
    for column in range(3):
        assert len({row[column] for row in fields}) == 200


def test_msg_ids_of_a_step_are_above_those_of_the_step_before(tmp_path: Path) -> None:
    workload = write_workload(tmp_path, chats=1)
    assert "[call_number+2000000]" in workload.scenario("in-chat", 1).read_text()
    assert "[call_number+3000000]" in workload.scenario("in-chat", 2).read_text()
