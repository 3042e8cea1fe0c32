"""Being told to stop: signals turned into something that can be waited for."""

import os
import select
import signal
from collections.abc import Iterable
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop:
    """Remembers that SIGINT, SIGTERM or SIGHUP came; waits end as soon as one does."""

    def __init__(self) -> None:
        self.requested = False
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        for number in SIGNALS:
            signal.signal(number, self._request)

    def _request(self, _number: int, _frame: FrameType | None) -> None:
        self.requested = True
        os.write(self._writer, b"!")

    def wait(self, timeout: float, also: Iterable[int] = ()) -> list[int]:
        """Wait up to `timeout` seconds; returns which of the descriptors `also` are readable."""
        if self.requested:
            return []
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        for descriptor in also:
            poll.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _event in poll.poll(timeout * 1000)]
        return [descriptor for descriptor in ready if descriptor != self._reader]
