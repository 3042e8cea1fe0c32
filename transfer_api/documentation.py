"""What everybody may read here: the interface's description for people and for machines, /healthz.

The page has no script, and one style sheet of its own.
"""

import json

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from chats.services.transfers import arriving, offers
from psap.models import Psap
from transfer_api import examples, requests, schemas
from transfer_api.endpoints import endpoint, respond
from transfer_api.openapi import document
from transfer_api.problems import Problem
from transfer_api.work import work

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
ANNEX = (
    schemas.NEGOTIATION_REQUEST,
    schemas.NEGOTIATION_RESPONSE,
    schemas.EXECUTION_REQUEST,
    schemas.EXECUTION_RESPONSE,
)


@endpoint("GET", "HEAD")
async def page(request: HttpRequest) -> HttpResponse:
    """Tell an implementer how to hand us a chat."""
    psap = await work.look(_psap)
    uri = psap.public_uri if psap and psap.public_uri else examples.PSAP
    least = {key: examples.DATA[key] for key in ("Version", "AppUri")}
    context = {
        "psap": psap,
        "negotiation": _written({**examples.NEGOTIATION, "TransferTo": uri}),
        "accepted": _written(examples.ACCEPTED),
        "execution": _written({**examples.EXECUTION, "Data": least}),
        "taken": _written(examples.TAKEN),
        "data": _written(examples.DATA),
        "check_call_id": offers.CHECK_CALL_ID,
        "base": f"{request.scheme}://{request.headers.get('Host', '')[:200]}",
        "annex": [_listed(name) for name in ANNEX],
        "ours": [_listed(name) for name in schemas.names() if name not in ANNEX],
        "longest_identifier": requests.LONGEST_IDENTIFIER,
        "longest_reason": offers.LONGEST_REASON,
        "longest_expiry": arriving.LONGEST_EXPIRY,
    }
    response = render(request, "transfer/page.html", context)
    response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    response["Referrer-Policy"] = "no-referrer"
    return response


@endpoint("GET", "HEAD")
async def style_sheet(request: HttpRequest) -> HttpResponse:
    """Give the page its looks."""
    return render(request, "transfer/page.css", content_type="text/css")


@endpoint("GET", "HEAD")
async def openapi(_request: HttpRequest) -> HttpResponse:
    """Give the OpenAPI document."""
    return JsonResponse(document(), json_dumps_params={"indent": 2})


@endpoint("GET", "HEAD")
async def schema(_request: HttpRequest, name: str) -> HttpResponse:
    """Give a schema as it stands in its file."""
    try:
        written = schemas.text(name)
    except KeyError:
        raise Problem(404, "There is no such schema.") from None
    return HttpResponse(written, content_type="application/schema+json")


@endpoint("GET", "HEAD")
async def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database answers, else 503."""
    try:
        await work.look(_ask_database)
    except Problem:
        return JsonResponse({"status": "database unavailable"}, status=503)
    return JsonResponse({"status": "ok"})


def bad_request(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what Django cannot make a request of."""
    return respond(Problem(400, "This is no request that we understand."))


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for every other path."""
    return respond(Problem(404, "There is nothing here; /transfer/ says what there is."))


def server_error(_request: HttpRequest) -> HttpResponse:
    """Answer for a fault of ours; the log says which."""
    return respond(Problem(500, "This is a fault of ours; the outcome is open, ask again."))


def _psap() -> Psap | None:
    return Psap.objects.only("name", "public_uri", "largest_transfer").first()


def _ask_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _written(example: examples.Example) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _listed(name: str) -> dict[str, str]:
    written = schemas.schema(name)
    return {
        "name": name,
        "title": str(written.get("title", name)).strip(),
        "id": str(written.get("$id", "")),
    }
