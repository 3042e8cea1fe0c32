"""Problems: what a peer is told whose request is none that we can serve (RFC 9457)."""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from transfer_api.schemas import Violation

CONTENT_TYPE = "application/problem+json"
_SOON = {"Retry-After": "1"}


class Problem(Exception):
    """A request ends with this status; nothing of it was carried out."""

    def __init__(
        self,
        status: int,
        detail: str = "",
        *,
        violations: Iterable[Violation] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or HTTPStatus(status).phrase)
        self.status = status
        self.detail = detail
        self.violations = tuple(violations)
        self.headers = dict(headers or {})

    @property
    def body(self) -> bytes:
        """The document, as UTF-8 JSON."""
        document: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
        }
        if self.detail:
            document["detail"] = self.detail
        if self.violations:
            document["violations"] = [
                {"pointer": one.pointer, "detail": one.detail} for one in self.violations
            ]
        return json.dumps(document).encode()


def unknown_caller(detail: str) -> Problem:
    """Make the answer to somebody who is none of our peers (RFC 6750 3)."""
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="transfer"'})


def too_often(retry_after: float, detail: str) -> Problem:
    """Make the answer to somebody who asks too often; seconds until it may ask again."""
    return Problem(429, detail, headers={"Retry-After": str(max(1, round(retry_after + 0.5)))})


class OutcomeOpen(Problem):
    """Nobody knows whether the request was carried out; the peer had better ask again."""

    def __init__(self, detail: str) -> None:
        super().__init__(503, detail, headers=_SOON)


def not_now(detail: str) -> Problem:
    """Make the answer for when nothing can be found out; nothing was carried out."""
    return Problem(503, detail, headers=_SOON)
