"""When an account registers where (RFC 3261 10): refresh, failover, way back, farewell.

No I/O and no clock: `now` is given in seconds. What is to be done is read with `commands()`, what
came of it is told with `answered()`.

    OFF ── start ──> TRYING ── 2xx ──> REGISTERED ── no answer, refusal ──> TRYING (the next)
                       └── all refused ──> FAILED ── retry time ──> TRYING
    any ── stop ──> LEAVING ── answer, patience ends ──> OFF

While a later registrar holds the binding, those before it are tried each retry time; the first one
that answers takes over. A registrar forgets bindings when it is restarted and tells nobody, so a
binding is refreshed at least once in each retry time: then it is back within that time.
"""

import enum
import logging
from dataclasses import dataclass, replace

logger = logging.getLogger(__name__)

# A registrar that says nothing for so long is passed over (pjsip itself would wait for 32 s).
LONGEST_ANSWER = 8.0
LEAVE_WITHIN = 2.0
# After a connection is lost; not at once, for a registrar that closes each one after its answer.
LOSS_PAUSE = 1.0
LOSS_QUIET = 5.0
NO_ANSWER = 408


class State(enum.StrEnum):
    """How an account stands; LEAVING counts as off for those who look."""

    OFF = "off"
    TRYING = "trying"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Register:
    """Send a REGISTER to the registrar with this number."""

    registrar: int


@dataclass(frozen=True, slots=True)
class Unregister:
    """Send a REGISTER with Expires: 0."""

    registrar: int


@dataclass(frozen=True, slots=True)
class Drop:
    """Wait for this registrar no longer, and keep nothing of it."""

    registrar: int


Command = Register | Unregister | Drop


@dataclass(frozen=True, slots=True)
class Answer:
    """A registrar's final answer: status, reason phrase, seconds granted (0: none)."""

    status: int
    reason: str
    expires: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What the admin is shown; `registered_until` on the clock of `now`."""

    state: State = State.OFF
    registrar: int | None = None
    status: int | None = None
    reason: str = ""
    registered_until: float | None = None


def refresh_interval(granted: int, retry_after: int) -> float:
    """Return the seconds between two REGISTERs: half of what was granted, or the retry time."""
    return max(min(granted / 2, float(retry_after)), 1.0)


class Lifecycle:
    """One account's registration at the first of its registrars that takes it."""

    def __init__(self, registrars: int, *, retry_after: int) -> None:
        self.standing = Standing()
        self._registrars = registrars
        self._retry_after = max(retry_after, 1)
        self._current: int | None = None  # who holds the binding
        self._asked: int | None = None  # whose answer is awaited
        self._asked_until = 0.0
        self._refused: list[str] = []  # in this round, to be shown when it ends
        self._due: float | None = None  # the next REGISTER to the current one, or the next round
        self._return_due: float | None = None
        self._leave_until = 0.0
        self._left: tuple[int, float] | None = None  # who was told farewell, and until when
        self._bound_at = float("-inf")
        self._commands: list[Command] = []

    def commands(self) -> list[Command]:
        """Take what is to be done now."""
        commands, self._commands = self._commands, []
        return commands

    def start(self, now: float) -> None:
        """Begin with the first registrar."""
        if not self._registrars:
            self._show(Standing(State.FAILED, reason="no registrar is configured"))
            return
        self._begin_round(now)

    def stop(self, now: float) -> None:
        """Take the binding away, as far as there is one."""
        if self.standing.state in (State.OFF, State.LEAVING):
            return
        self._leave_until = now + LEAVE_WITHIN
        self._due = self._return_due = None
        self._show(Standing(State.LEAVING, self._current))
        if self._asked is not None:
            return  # its answer may be a binding: wait for it, then take it away
        if self._current is None:
            self._end()
        else:
            self._commands.append(Unregister(self._current))

    def lost(self, now: float) -> None:
        """Take note that a connection was closed: the binding may be gone with it."""
        if self.standing.state is State.REGISTERED and now - self._bound_at > LOSS_QUIET:
            self._due = min(self._due or now, now + LOSS_PAUSE)

    def tick(self, now: float) -> None:
        """Do what has become due."""
        if self.standing.state is State.LEAVING:
            if now >= self._leave_until:
                self._end()
            return
        if self._left is not None and now >= self._left[1]:
            self._drop_left(self._left[0])
        if self._asked is not None:
            if now >= self._asked_until:
                self.answered(self._asked, Answer(NO_ANSWER, "no answer"), now)
            return
        if self._due is not None and now >= self._due:
            if self._current is None:
                self._begin_round(now)
            else:
                self._ask(self._current, now)
        elif self._return_due is not None and now >= self._return_due:
            self._ask(0, now)

    def answered(self, registrar: int, answer: Answer, now: float) -> None:
        """Take a registrar's answer to what it was sent."""
        if self.standing.state is State.LEAVING:
            self._answered_leaving(registrar, answer)
            return
        if registrar != self._asked:  # to a farewell, or too late
            if registrar != self._current:
                self._drop_left(registrar)
            return
        self._asked = None
        if answer.status // 100 == 2 and answer.expires > 0:
            self._bind(registrar, answer, now)
        else:
            self._refuse(registrar, answer, now)

    def _bind(self, registrar: int, answer: Answer, now: float) -> None:
        left = self._current if self._current != registrar else None
        if not registrar:
            self._return_due = None
        elif self._current != registrar:
            self._return_due = now + self._retry_after
        self._current = registrar
        self._bound_at = now
        self._refused = []
        self._due = now + refresh_interval(answer.expires, self._retry_after)
        if left is not None:
            self._commands.append(Unregister(left))
            self._left = (left, now + LEAVE_WITHIN)
            # Where both keep their bindings in one place, the farewell took the new one as well.
            self._due = now + LOSS_PAUSE
        self._show(
            Standing(
                State.REGISTERED, registrar, answer.status, answer.reason, now + answer.expires
            )
        )

    def _refuse(self, registrar: int, answer: Answer, now: float) -> None:
        self._commands.append(Drop(registrar))
        if self._current is not None and registrar < self._current:  # on the way back
            if registrar + 1 < self._current:
                self._ask(registrar + 1, now)
            else:
                self._return_due = now + self._retry_after
            return
        self._refused.append(f"{answer.status} {answer.reason}")
        if self._current == registrar:
            self._current = None
            self._show(Standing(State.TRYING, registrar, answer.status, answer.reason))
            first = 0 if registrar else 1  # those before it may be back
            if first < self._registrars:
                self._ask(first, now)
                return
        elif registrar + 1 < self._registrars:
            self._ask(registrar + 1, now)
            return
        self._due = now + self._retry_after
        self._return_due = None
        reason = "; ".join(dict.fromkeys(self._refused))
        self._show(Standing(State.FAILED, registrar, answer.status, reason))

    def _answered_leaving(self, registrar: int, answer: Answer) -> None:
        if registrar == self._asked:
            self._asked = None
            if answer.status // 100 == 2 and self._current is None:
                self._current = registrar
            if self._current is not None:
                self._commands.append(Unregister(self._current))
                return
        elif registrar != self._current:
            return
        self._end()

    def _drop_left(self, registrar: int) -> None:
        self._left = None
        self._commands.append(Drop(registrar))

    def _begin_round(self, now: float) -> None:
        self._refused = []
        self._due = None
        if self.standing.state is not State.FAILED:  # a cause stays shown until there is news
            self._show(Standing(State.TRYING))
        self._ask(0, now)

    def _ask(self, registrar: int, now: float) -> None:
        self._asked = registrar
        self._asked_until = now + min(LONGEST_ANSWER, max(self._retry_after, 2))
        self._commands.append(Register(registrar))

    def _end(self) -> None:
        for registrar in {self._current, self._asked} - {None}:
            self._commands.append(Drop(registrar))  # type: ignore[arg-type]
        self._current = self._asked = None
        self._show(Standing())

    def _show(self, standing: Standing) -> None:
        """Change what is shown; the one place where the state changes."""
        if standing.state is not self.standing.state:
            logger.debug("%s → %s", self.standing.state, standing.state)
        self.standing = replace(standing)
