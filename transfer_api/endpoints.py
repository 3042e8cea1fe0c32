"""What all views of the interface have in common: methods, problems, types, who asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

from django.http import HttpRequest, HttpResponse, JsonResponse

from psap.models import Peer
from transfer_api.bodies import Body
from transfer_api.problems import CONTENT_TYPE, Problem
from transfer_api.protocol import HANG_UP

GONE_WITHIN = 5.0

View = Callable[..., Awaitable[HttpResponse]]


def endpoint(*methods: str) -> Callable[[View], View]:
    """Have a view answer to these methods alone, and its Problems become answers."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def answering(request: HttpRequest, **kwargs: Any) -> HttpResponse:
            try:
                if request.method not in methods:
                    raise Problem(405, headers={"Allow": ", ".join(methods)})
                response = await view(request, **kwargs)
            except Problem as problem:
                response = respond(problem)
            response.headers.setdefault("Content-Length", str(len(response.content)))
            return response

        return answering

    return decorate


def respond(problem: Problem) -> HttpResponse:
    """Make an answer of a problem."""
    response = HttpResponse(problem.body, status=problem.status, content_type=CONTENT_TYPE)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def answer(call_id: str, status_code: int, **more: Any) -> HttpResponse:
    """Answer as Annex A has it: HTTP 200, whatever StatusCode says."""
    return JsonResponse({"CallId": call_id, "StatusCode": status_code, **more})


def peer_of(request: HttpRequest) -> Peer:
    """Return who asks, as the gate has found out."""
    peer: Peer = _state(request)["peer"]
    return peer


def json_body_of(request: HttpRequest) -> Body:
    """Return what came with a request as JSON; raises Problem 415 when it is something else."""
    if request.content_type != "application/json":
        raise Problem(415, "Send application/json.", headers={"Accept": "application/json"})
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise Problem(
            415, "Send the body as it is, not compressed.", headers={"Accept-Encoding": "identity"}
        )
    body: Body = _state(request)["body"]
    return body


async def hang_up(request: HttpRequest) -> NoReturn:
    """End the connection without an answer, where any could be taken for an outcome."""
    request.scope["extensions"][HANG_UP]()  # type: ignore[attr-defined]
    await asyncio.sleep(GONE_WITHIN)  # Django cancels the view once the connection is gone
    raise Problem(500)


def _state(request: HttpRequest) -> Mapping[str, Any]:
    state: Mapping[str, Any] = request.scope["state"]  # type: ignore[attr-defined]
    return state
