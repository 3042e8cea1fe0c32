"""Negotiation, execution, custody and attachments (clauses 6.3.2, 6.3.3): parse, one call, answer.

Who asks has been settled before (transfer_api/gate.py): `request.scope["extensions"]` has it.
"""

from django.http import HttpRequest, HttpResponse


async def negotiation(request: HttpRequest) -> HttpResponse:
    """Offer a chat to us (6.3.2, Annex A.1); answers once somebody has decided."""
    raise NotImplementedError


async def execution(request: HttpRequest) -> HttpResponse:
    """Hand a chat over to us (6.3.3, Annex A.3); answers once the app follows us, or by expiry."""
    raise NotImplementedError


async def custody(request: HttpRequest) -> HttpResponse:
    """Tell us whom the app follows; beyond Annex A, it settles what both sides were unsure of."""
    raise NotImplementedError


async def attachment(request: HttpRequest, sha256: str) -> HttpResponse:
    """Give the content of a body part of a chat that was handed to this peer."""
    raise NotImplementedError
