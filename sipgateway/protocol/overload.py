"""Overload control between neighbours: `oc` in Via, the loss-based algorithm (RFC 7339).

A client that offers it writes `oc;oc-algo="loss"` into its Via. The server fills in which share of
the requests it wants held back (`oc`, percent), for how long that counts (`oc-validity`,
milliseconds) and a number that rises with every change (`oc-seq`). Clause 6.1.2.9 leaves it to the
elements whether they do so. Of the rates of RFC 7415 nothing is offered or understood.
"""

from __future__ import annotations

from dataclasses import dataclass

from sipgateway.protocol.addresses import split_outside_quotes, split_parameters

LOSS = "loss"
OFFER = ';oc;oc-algo="loss"'
"""What a client adds to its own Via."""
DEFAULT_VALIDITY = 500
"""Milliseconds that a report counts which does not say so itself (RFC 7339 4.3)."""
LONGEST_VALIDITY = 3_600_000
_NAMES = frozenset({"oc", "oc-algo", "oc-validity", "oc-seq"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a server asks of its client: percent to hold back, for so many milliseconds."""

    loss: int
    validity: int
    seq: tuple[int, int] | None = None

    def encode(self) -> str:
        """The parameters as they stand in the Via of a response."""
        seq = self.seq or (0, 0)
        return (
            f';oc={self.loss};oc-algo="{LOSS}";oc-validity={self.validity}'
            f";oc-seq={seq[0]}.{seq[1]:03d}"
        )


def offers_loss_control(via: str) -> bool:
    """Whether the client in a top Via takes reports of the loss algorithm."""
    if "oc-algo" not in via.lower():
        return False
    parameters = dict(split_parameters(_first(via).partition(";")[2]))
    algorithms = [name.strip().lower() for name in parameters.get("oc-algo", "").split(",")]
    return "oc" in parameters and LOSS in algorithms


def stamped_with_report(via: str, report: Report) -> str:
    """A top Via with the client's offer replaced by the server's report."""
    first = _first(via)
    head, *pieces = split_outside_quotes(first, ";")
    kept = [piece for piece in pieces if _name_of(piece) not in _NAMES]
    return ";".join([head, *kept]).rstrip() + report.encode() + via[len(first) :]


def parse_report(via: str) -> Report | None:
    """What the server reports in the top Via of a response; None where it reports nothing.

    A value that is no number is none: it is never taken for zero.
    """
    if "oc" not in via.lower():
        return None
    parameters = dict(split_parameters(_first(via).partition(";")[2]))
    algorithm = parameters.get("oc-algo", LOSS).strip().lower()
    loss = _number(parameters.get("oc", ""), 100)
    if loss is None or algorithm != LOSS:
        return None
    validity: int | None = DEFAULT_VALIDITY
    if "oc-validity" in parameters:
        validity = _number(parameters["oc-validity"], LONGEST_VALIDITY)
    if validity is None:
        return None
    return Report(loss, validity, _seq(parameters.get("oc-seq", "")))


class LossController:
    """Finds the share of requests that the clients should hold back.

    It keeps what is let through near the capacity: once messages wait longer than `target`
    seconds, the share let through shrinks by capacity over arrivals; once they wait less than a
    quarter of it, the share grows again by half each time. Call `update` about once a second.
    """

    VALIDITY = 2500
    LEAST_SHARE = 0.05
    """Somebody must always get through, also for us to see when the flood is over."""
    AIM = 0.97
    HURRY = 0.05
    """Of the capacity, less for each second that waits already and has to be worked off."""

    def __init__(self, *, target: float = 0.5) -> None:
        self._target = target
        self._share = 1.0
        self._report = Report(0, 0, (0, 0))

    @property
    def report(self) -> Report:
        """What to tell clients that offer overload control; a validity of 0 asks for nothing."""
        return self._report

    @property
    def is_active(self) -> bool:
        """Whether anything is held back on our request."""
        return self._report.loss > 0

    def update(self, *, wait: float, arrivals: float, capacity: float, now: float) -> Report:
        """Look again; `arrivals` and `capacity` are messages a second, `now` seconds since 1970."""
        if wait > self._target:
            crowding = arrivals / max(capacity, 1.0)
            aim = max(self.AIM - self.HURRY * wait, 0.5)
            if crowding > aim:
                self._share *= max(aim / crowding, 0.1)
        elif wait < self._target / 4:
            self._share = self._share * 1.5 + 0.02
        self._share = min(max(self._share, self.LEAST_SHARE), 1.0)
        loss = round(100 * (1 - self._share))
        if loss != self._report.loss:
            milliseconds = max(int(now * 1000), _as_milliseconds(self._report.seq) + 1)
            seq = divmod(milliseconds, 1000)
            self._report = Report(loss, self.VALIDITY if loss else 0, seq)
        return self._report


class LossClient:
    """Honours what one server asks for: requests that may be left out are left out first.

    The share is of all requests to that server. Those that must go are only counted, so the others
    bear the whole of it (RFC 7339 7.2: two categories). Spread evenly, without chance.
    """

    HALF_LIFE = 10.0

    def __init__(self) -> None:
        self._report: Report | None = None
        self._until = float("-inf")
        self._must_go = 0.0
        self._may_wait = 0.0
        self._counted_at = 0.0
        self._owed = 0.0

    def receive(self, report: Report, now: float) -> None:
        """Take a report; one that is not newer than the last changes nothing."""
        known = self._report.seq if self._report is not None else None
        if known is not None and report.seq is not None and report.seq <= known:
            return
        self._report = report
        self._until = now + report.validity / 1000

    def loss(self, now: float) -> int:
        """Percent that are to be held back now."""
        if self._report is None or now >= self._until:
            return 0
        return self._report.loss

    def sent(self, now: float) -> None:
        """Count a request that had to go."""
        self._age(now)
        self._must_go += 1

    def admits(self, now: float) -> bool:
        """Whether a request that may be left out is to be sent."""
        self._age(now)
        self._may_wait += 1
        loss = self.loss(now)
        if not loss:
            self._owed = 0.0
            return True
        everything = self._must_go + self._may_wait
        self._owed += min(loss / 100 * everything / self._may_wait, 1.0)
        if self._owed < 1.0:
            return True
        self._owed -= 1.0
        return False

    def _age(self, now: float) -> None:
        passed = now - self._counted_at
        if passed >= self.HALF_LIFE:
            halves = 0.5 ** min(passed / self.HALF_LIFE, 60)
            self._must_go *= halves
            self._may_wait *= halves
            self._counted_at = now


def retry_after(waiting: int, capacity: float, *, spread: float) -> int:
    """Seconds for Retry-After (RFC 3261 20.33): when what waits now will have been worked off.

    `spread` (0 to 1) tells those apart who are refused at the same time, so that they do not all
    come back at the same time; at most a minute.
    """
    seconds = waiting / max(capacity, 1.0)
    return min(max(1, round(seconds * (1 + spread) + 2 * spread)), 60)


def _first(via: str) -> str:
    """The first Via of a header line, as it stands."""
    return split_outside_quotes(via, ",")[0] if '"' in via else via.partition(",")[0]


def _name_of(piece: str) -> str:
    return piece.partition("=")[0].strip().lower()


def _number(text: str, highest: int) -> int | None:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        return None
    number = int(text)
    return number if number <= highest else None


def _seq(text: str) -> tuple[int, int] | None:
    """`1282321615.782` as a pair that compares; None for what is none."""
    whole, dot, fraction = text.partition(".")
    first, second = _number(whole, 10**12), _number(fraction.ljust(5, "0")[:5], 10**5)
    if not dot or first is None or second is None:
        return None
    return first, second


def _as_milliseconds(seq: tuple[int, int] | None) -> int:
    return seq[0] * 1000 + seq[1] if seq else 0
