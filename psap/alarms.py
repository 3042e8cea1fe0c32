"""Alarms: what needs somebody's attention now, for every screen that shows them.

Each source looks at one thing and says what is wrong with it. What is not known here (chats) is
told by whoever knows it: sources are registered when the applications are ready.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError

logger = logging.getLogger(__name__)

WARNING = "warning"
ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong: a stable code, `warning` or `alarm`, a sentence, since when."""

    code: str
    severity: str
    text: str
    since: datetime | None = None


Source = Callable[[datetime], Iterable[Alarm]]

_sources: list[Source] = []


def register(source: Source) -> None:
    """Ask this source too, each time; a second registration changes nothing."""
    if source not in _sources:
        _sources.append(source)


def current_alarms(now: datetime) -> list[Alarm]:
    """Ask all sources; alarms come before warnings, otherwise in the order of the sources.

    Raises django.db.OperationalError when the database does not answer.
    """
    found: list[Alarm] = []
    for source in _sources:
        try:
            found.extend(source(now))
        except OperationalError:
            raise
        except Exception:  # what cannot be looked at must not hide what can
            logger.exception("%s cannot be checked", source.__name__)
            found.append(_unchecked(source))
    return sorted(found, key=lambda alarm: alarm.severity != ALARM)


def _unchecked(source: Source) -> Alarm:
    subject = source.__name__.replace("_", " ")
    return Alarm("check-failed", WARNING, f"Leitstand cannot check its {subject}.")
