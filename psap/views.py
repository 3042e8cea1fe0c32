"""Login, and whether this instance can do its work."""

from django.contrib.auth import views
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from psap.login import LimitedAuthenticationForm


class LoginView(views.LoginView):
    """The one way in, for console and admin."""

    authentication_form = LimitedAuthenticationForm
    redirect_authenticated_user = True


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "database unavailable"}, status=503)
    return JsonResponse({"status": "ok"})
