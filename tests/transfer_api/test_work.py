"""What a peer is told when our rows are held by somebody else."""

import asyncio

import pytest

from chats.services.errors import ChatBusy
from transfer_api.problems import OutcomeOpen
from transfer_api.work import Work


def test_what_becomes_of_work_on_a_held_chat_is_open():
    """Who holds it may be the same execution, about to commit: HTTP 503 could deny that."""

    def held() -> None:
        raise ChatBusy

    work = Work()
    try:
        with pytest.raises(OutcomeOpen):
            asyncio.run(work.do(1, held))
    finally:
        work.close()
