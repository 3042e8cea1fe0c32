"""How the instance does: the status page for people, the figures for Prometheus."""

import hmac
from ipaddress import ip_address

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from psap.metrics import metrics_text
from psap.models import ADMINISTRATOR, SUPERVISOR
from psap.status import status_of

# Behind a proxy everybody comes from the proxy's address, which may be ours.
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_X_FORWARDED_PROTO", "HTTP_FORWARDED")


@require_safe
@never_cache
@login_required
def status(request: HttpRequest) -> HttpResponse:
    """Show how programs, trunks and certificates are, to supervisors and administrators."""
    roles = set(request.user.groups.values_list("name", flat=True))
    if roles.isdisjoint({SUPERVISOR, ADMINISTRATOR}) and not request.user.is_superuser:
        raise PermissionDenied
    found = status_of(timezone.now(), with_texts=SUPERVISOR in roles)
    return render(request, "status.html", found)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Give all figures to this machine itself, and to whoever has the token."""
    if not (_has_token(request) or _is_local(request)):
        return HttpResponse("403 Forbidden\n", status=403, content_type="text/plain")
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    wanted = settings.METRICS_TOKEN
    given = token.strip().encode(errors="replace")
    return (
        bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given, wanted.encode())
    )


def _is_local(request: HttpRequest) -> bool:
    if any(name in request.META for name in FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
