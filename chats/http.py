"""What the console's views over HTTP share: who may see chats, and how a refusal looks."""

from django.http import HttpRequest, JsonResponse

from chats import access
from psap.models import User


def authorised(request: HttpRequest) -> JsonResponse | None:
    """Return None for somebody who works with chats, else the answer that refuses."""
    if not request.user.is_authenticated:
        return problem(401, "login-required", "Log in first.")
    if not may_see_chats(request):
        return problem(403, "forbidden", "Your role does not work with chats.")
    return None


def may_see_chats(request: HttpRequest) -> bool:
    """Whether the user's roles work with chats."""
    return isinstance(request.user, User) and access.may_see_chats(access.roles_of(request.user))


def problem(status: int, code: str, detail: str) -> JsonResponse:
    """Refuse in JSON: a code that never changes, and a sentence for people."""
    return JsonResponse({"code": code, "detail": detail}, status=status)
