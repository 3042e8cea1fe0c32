"""Which programs run: each leaves its sign of life in a row of its own."""

import os
import socket
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone

from psap.models import ServiceProcess

STARTED_AT = timezone.now()


def instance_name() -> str:
    """Name this process among all that share the database: `host:pid`."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}"


def beat(
    name: str,
    now: datetime,
    *,
    instance: str | None = None,
    started_at: datetime | None = None,
    figures: Mapping[str, Any] | None = None,
) -> None:
    """Record that the program `name` (gateway, web, worker, beat) is alive at `now`.

    `instance` and `started_at` are this process's own unless somebody beats on behalf of another.
    `figures` are what it counts, by the names of `psap.figures`.
    The start is written each time: after a reboot another process may have got the same pid.
    """
    row = ServiceProcess(
        name=name,
        instance=instance or instance_name(),
        started_at=started_at or STARTED_AT,
        beat_at=now,
        figures=dict(figures or {}),
    )
    ServiceProcess.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["name", "instance"],
        update_fields=["started_at", "beat_at", "figures"],
    )
