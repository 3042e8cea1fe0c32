"""Heads of the chains: exported when they have changed, and only then."""

import json
from pathlib import Path

import pytest

from chats.services.chain_heads import export_heads
from tests.support.chats import OPENED, open_chat, receive_message

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_chat_is_exported_once_per_change(tmp_path: Path):
    first, second = open_chat("help"), open_chat("fire")
    assert export_heads(directory=tmp_path, now=OPENED) == 2
    assert export_heads(directory=tmp_path, now=OPENED) == 0
    receive_message(second, "still burning")
    assert export_heads(directory=tmp_path, now=OPENED) == 1
    lines = [json.loads(line) for line in (tmp_path / "2026-01-31.jsonl").read_text().splitlines()]
    heads = [(line["chat"], line["seq"]) for line in lines]
    assert heads == [(str(first.pk), 2), (str(second.pk), 2), (str(second.pk), 3)]
    assert lines[0]["hash"] == bytes(first.head_hash).hex()


def test_a_cursor_from_another_database_starts_over(tmp_path: Path):
    open_chat("help")
    (tmp_path / ".cursor").write_text("999999999:999999999:")
    assert export_heads(directory=tmp_path, now=OPENED) == 1
