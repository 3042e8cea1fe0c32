"""Named instants at which a test has the process die or wait, to prove that nothing is lost there.

`PSAP_FAIL_POINT=<name>:<file>` kills the process with SIGKILL the first time that it gets there,
and leaves the name in the file as proof that it did. With `<name>:<file>:<other file>` that is the
first time once the other file exists. With `<name>:<file>:<other file>:hold` the thread waits there
instead, as long as the other file exists: the test kills somebody else meanwhile. Nothing happens
without the variable.
"""

import os
import signal
import time
from pathlib import Path

_name, _proof, _armed, _mode = [*os.environ.get("PSAP_FAIL_POINT", "").split(":"), "", "", "", ""][
    :4
]
LOOK_EVERY = 0.01


def reach(name: str) -> None:
    """Die or wait here if this is the instant asked for and nobody has done so before."""
    if name != _name or (_armed and not Path(_armed).exists()):
        return
    proof = Path(_proof)
    if proof.exists():
        return
    proof.write_text(name)
    if _mode != "hold":
        os.kill(os.getpid(), signal.SIGKILL)
    while Path(_armed).exists():
        time.sleep(LOOK_EVERY)
