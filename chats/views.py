"""The console's page and the whole conversation of a chat as JSON."""

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chats import selectors, wire
from chats.http import authorised, may_see_chats, problem


@require_safe
@never_cache
@login_required
def console(request: HttpRequest) -> HttpResponse:
    """Show the console; who has no role with chats goes to the admin, if let in there."""
    if not may_see_chats(request):
        if request.user.is_staff:
            return redirect("admin:index")
        raise PermissionDenied
    tiles = {"tile_url": settings.MAP_TILE_URL, "tile_attribution": settings.MAP_TILE_ATTRIBUTION}
    return render(request, "console/console.html", tiles)


@require_safe
@never_cache
def conversation(request: HttpRequest, chat_id: int) -> JsonResponse:
    """Return everything about a chat; live events apply from its card's `seq` on."""
    refused = authorised(request)
    if refused is not None:
        return refused
    found = selectors.conversation(chat_id) if chat_id < 2**63 else None
    if found is None:
        return problem(404, "chat-unknown", "There is no such chat.")
    return JsonResponse(wire.conversation(found))


@require_safe
@never_cache
def tests(request: HttpRequest) -> JsonResponse:
    """Return the newest test calls; they ring nowhere and stand in no queue."""
    refused = authorised(request)
    if refused is not None:
        return refused
    return JsonResponse(wire.tests(selectors.newest_tests()))
