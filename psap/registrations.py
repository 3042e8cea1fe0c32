"""Registrations with SIP cores: alarms when one is missing, or when pjsua2 has cut a message."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from psap.alarms import ALARM, Alarm
from psap.models import RegistrationState, ServiceProcess, SipAccount

# For so long after the last message that was cut.
CUT_IS_SHOWN_FOR = timedelta(hours=1)


def registrations(now: datetime) -> Iterator[Alarm]:
    """Say which enabled accounts have had no binding for longer than their retry time."""
    accounts = SipAccount.objects.filter(enabled=True, registration__isnull=False)
    for account in accounts.select_related("registration"):
        standing = account.registration
        until = standing.registered_until
        if standing.state == RegistrationState.REGISTERED and until and until > now:
            continue
        since = standing.changed_at
        if standing.state == RegistrationState.REGISTERED and until:
            since = until
        if now - since > timedelta(seconds=account.retry_after):
            why = f": {standing.reason}" if standing.reason else ""
            text = f"The account “{account.name}” is not registered{why}."
            yield Alarm("not-registered", ALARM, text, since)


def messages_cut(now: datetime) -> Iterator[Alarm]:
    """Say that a message was longer than pjsua2 takes: what is left of it is in its chat."""
    rows = ServiceProcess.objects.filter(
        name="registrar", figures__cut_at__gte=(now - CUT_IS_SHOWN_FOR).isoformat()
    )
    for figures in rows.order_by("-beat_at").values_list("figures", flat=True)[:1]:
        at = datetime.fromisoformat(figures["cut_at"])
        yield Alarm(
            "message-cut",
            ALARM,
            f"A message from {figures.get('cut_from') or 'somebody'} was too long for pjsua2 and"
            " has been cut: see the chat, and have the account receive at our listener.",
            at,
        )
