"""A peer's `Data` as plain values: strict about types, liberal about whatever is missing."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from chats.services.transfers.history import HandedChat


def read_data(
    data: Mapping[str, Any], *, received_at: datetime, peer_uris: Sequence[str]
) -> HandedChat:
    """Read `Data` of an execution request; raises ProfileError with every violation found.

    `received_at` is our clock's: where the peer's SnapshotAt is more than 5 s off it, all times are
    moved by the difference (`clock_shift`). `peer_uris` are the peer's, the first stands for it
    where it does not say who it is. Without AppUri and Caller `app_uri` is empty.
    """
    raise NotImplementedError
