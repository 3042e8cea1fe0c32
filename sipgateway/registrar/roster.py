"""All accounts and how each stands: follows the admin's rows, drives the engine.

An account that changed is taken back first and registered anew when that is done: a farewell that
overtook the new REGISTER would take the new binding away.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from sipgateway.registrar.accounts import Account
from sipgateway.registrar.events import Key
from sipgateway.registrar.lifecycle import (
    Answer,
    Drop,
    Lifecycle,
    Register,
    Standing,
    State,
    Unregister,
)
from sipgateway.registrar.standings import Row

logger = logging.getLogger(__name__)


class Registering(Protocol):
    """What is asked of the engine."""

    def register(self, key: Key, account: Account) -> None: ...
    def unregister(self, key: Key) -> None: ...
    def drop(self, key: Key) -> None: ...


@dataclass(slots=True)
class Member:
    """An account, its registration, and what was last written of it."""

    account: Account
    life: Lifecycle
    successor: Account | None = None
    shown: Standing | None = None
    being_written: Standing | None = None


class Roster:
    """The accounts of this instance."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._members: dict[int, Member] = {}

    def __len__(self) -> int:
        return len(self._members)

    @property
    def ids(self) -> list[int]:
        """The accounts that are registered, or on their way to or from it."""
        return list(self._members)

    def follow(self, accounts: Iterable[Account]) -> None:
        """Take over what the admin says now."""
        wanted = {account.id: account for account in accounts}
        now = self._clock()
        for number, member in self._members.items():
            account = wanted.pop(number, None)
            if account == member.account and member.life.standing.state is not State.LEAVING:
                continue
            member.successor = account
            member.life.stop(now)
        for account in wanted.values():
            self._join(account, now)

    def stop(self) -> None:
        """Take all bindings away."""
        self.follow(())

    def lost(self) -> None:
        """Take note that a connection was closed, whosever it was."""
        for member in self._members.values():
            member.life.lost(self._clock())

    def answered(self, key: Key, answer: Answer) -> None:
        """Take a registrar's answer."""
        if member := self._members.get(key[0]):
            member.life.answered(key[1], answer, self._clock())

    def tick(self, engine: Registering) -> None:
        """Let each account do what is due, and the engine do what they say."""
        now = self._clock()
        for number, member in list(self._members.items()):
            member.life.tick(now)
            for command in member.life.commands():
                key = (number, command.registrar)
                match command:
                    case Register():
                        engine.register(key, member.account)
                    case Unregister():
                        engine.unregister(key)
                    case Drop():
                        engine.drop(key)
            if member.life.standing.state is State.OFF:
                if member.successor is not None:
                    self._join(member.successor, now)
                elif member.shown is not None and member.shown.state is State.OFF:
                    del self._members[number]

    def changes(self) -> list[Row]:
        """Return what is to be written: those accounts that stand otherwise than shown."""
        rows = []
        for member in self._members.values():
            standing = member.life.standing
            if standing != member.shown and standing.state is not State.LEAVING:
                member.being_written = standing
                rows.append(self._row(member))
        return rows

    def written(self, rows: Iterable[Row]) -> None:
        """Take note that what `changes` gave has been written."""
        for row in rows:
            if member := self._members.get(row.account_id):
                member.shown = member.being_written

    @property
    def is_off(self) -> bool:
        """Whether no account has a binding, or waits for one."""
        return self.count(State.OFF) == len(self._members)

    def sender(self, account_id: int | None) -> tuple[Key, Account] | None:
        """Return the account to send by: this one, else the first that receives in pjsua2."""
        able = [m for m in self._members.values() if m.life.standing.registrar is not None]
        able.sort(key=lambda m: (m.account.id != account_id, not m.account.receives))
        if not able:
            return None
        chosen = able[0]
        return (chosen.account.id, chosen.life.standing.registrar or 0), chosen.account

    def count(self, state: State) -> int:
        """Count the accounts in a state."""
        return sum(member.life.standing.state is state for member in self._members.values())

    def _join(self, account: Account, now: float) -> None:
        life = Lifecycle(len(account.registrars), retry_after=account.retry_after)
        self._members[account.id] = Member(account, life)
        life.start(now)

    def _row(self, member: Member) -> Row:
        standing, account = member.life.standing, member.account
        number = standing.registrar
        until = standing.registered_until
        left = timedelta(seconds=until - self._clock()) if until is not None else None
        return Row(
            account_id=account.id,
            state=standing.state.value,
            registrar=account.registrars[number] if number is not None else "",
            contact=account.contacts[number] if number is not None and account.contacts else "",
            sip_status=standing.status,
            reason=standing.reason,
            registered_until=datetime.now(UTC) + left if left is not None else None,
        )
