"""What peers have asked us to hold back (RFC 7339): heartbeats are left out, texts never.

Left out of the mechanism: texts of call-takers are not delayed when leaving out all heartbeats is
not enough, and the rates of RFC 7415 are not offered.
"""

from collections import OrderedDict
from collections.abc import Callable

from sipgateway.flows import Flow
from sipgateway.protocol.message import Response
from sipgateway.protocol.overload import LossClient, parse_report

MOST_PEERS = 100


class Throttle:
    """One control for each peer that has reported, by its address."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.left_out = 0
        self._clock = clock
        self._peers: OrderedDict[str, LossClient] = OrderedDict()

    def heard(self, flow: Flow, response: Response) -> None:
        """Take what the response to a request of ours reports."""
        report = parse_report(response.headers.get("via") or "")
        if report is None:
            return
        control = self._peers.get(flow.peer)
        if control is None:
            control = self._peers[flow.peer] = LossClient()
            if len(self._peers) > MOST_PEERS:
                self._peers.popitem(last=False)
        control.receive(report, self._clock())

    def sent(self, flow: Flow) -> None:
        """Count a request that had to go."""
        if self._peers and (control := self._peers.get(flow.peer)):
            control.sent(self._clock())

    def leaves_out(self, flow: Flow) -> bool:
        """Decide whether a heartbeat to this peer is left out."""
        if not self._peers or not (control := self._peers.get(flow.peer)):
            return False
        if control.admits(self._clock()):
            return False
        self.left_out += 1
        return True
