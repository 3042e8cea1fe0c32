"""Celery's tasks of the PSAP configuration: signs of life of worker and beat, and tidying up."""

from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from celery.signals import before_task_publish
from django.contrib.sessions.models import Session
from django.utils import timezone

from psap import processes
from psap.models import LoginFailure, ServiceProcess

TICK = "psap.tasks.tick"
FORGET_PROCESSES_AFTER = timedelta(days=1)
FORGET_FAILURES_AFTER = timedelta(days=30)


@before_task_publish.connect(sender=TICK)
def sign_tick(headers: dict[str, Any], **_kwargs: object) -> None:
    """Put into each tick who sent it and when: beat itself has no use for a database connection."""
    headers["sender"] = {
        "instance": processes.instance_name(),
        "started_at": processes.STARTED_AT.isoformat(),
        "sent_at": timezone.now().isoformat(),
    }


@shared_task(name=TICK, bind=True)
def tick(self: Any) -> None:
    """Record that the worker runs this, and that beat sent it."""
    processes.beat("worker", timezone.now())
    sender = self.request.get("sender")
    if sender:
        processes.beat(
            "beat",
            datetime.fromisoformat(sender["sent_at"]),
            instance=sender["instance"],
            started_at=datetime.fromisoformat(sender["started_at"]),
        )


@shared_task
def forget_old_rows() -> None:
    """Delete the rows of programs that ended long ago, old failed logins and ended sessions."""
    now = timezone.now()
    ServiceProcess.objects.filter(beat_at__lt=now - FORGET_PROCESSES_AFTER).delete()
    LoginFailure.objects.filter(at__lt=now - FORGET_FAILURES_AFTER).delete()
    Session.objects.filter(expire_date__lt=now).delete()
