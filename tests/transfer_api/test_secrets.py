"""What proves who we are, and who a peer is, stands in no log by accident."""

from psap.https.trust import Trust
from transfer_api.callers import Shown
from transfer_api.calling.counterparts import Counterpart

SECRET = "Zx3-secret-token-0123456789abcdefghijkl"


def test_no_secret_is_told_by_who_prints_the_object_that_has_it():
    trust = Trust(private_key=SECRET)
    counterpart = Counterpart(
        peer_id=1, name="B", agreement=True, url="", negotiation_url="", execution_url="",
        trust=trust, token=SECRET,
    )  # fmt: skip
    for holder in (trust, counterpart, Shown(token=SECRET)):
        assert SECRET not in repr(holder)
