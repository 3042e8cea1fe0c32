"""Django behind the gate: what it cannot read as a request gets a problem like everything else."""

from typing import Any

from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http import HttpResponse

from transfer_api.endpoints import respond
from transfer_api.problems import Problem

UNREADABLE = "The head of the request cannot be read."


class PeerHandler(ASGIHandler):
    """Django's ASGI application, but for heads that make its request class raise."""

    def create_request(
        self, scope: dict[str, Any], body_file: Any
    ) -> tuple[ASGIRequest, None] | tuple[None, HttpResponse]:
        """Return the request, or the answer to what is none."""
        try:
            return self.request_class(scope, body_file), None
        except ValueError:  # such as a Content-Type whose parameter names no encoding (RFC 2231)
            response = respond(Problem(400, UNREADABLE))
            response["Content-Length"] = str(len(response.content))
            return None, response
