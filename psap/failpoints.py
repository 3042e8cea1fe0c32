"""Named instants at which a test has the process die or wait, to prove that nothing is lost there.

`PSAP_FAIL_POINT=<name>:<file>` kills the process with SIGKILL the first time that it gets there,
and leaves the name in the file as proof that it did. With `<name>:<file>:<other file>` that is the
first time once the other file exists. With `<name>:<file>:<other file>:hold` the thread waits there
instead, as long as the other file exists: the test kills somebody else meanwhile. With
`*:<file>:<other file>` the other file says what is asked for, `<name>` or `<name> hold`, so that
one running instance serves many tests. Nothing happens without the variable.
"""

import os
import signal
import time
from pathlib import Path

_name, _proof, _armed, _mode = [*os.environ.get("PSAP_FAIL_POINT", "").split(":"), "", "", "", ""][
    :4
]
LOOK_EVERY = 0.01
ANY = "*"


def reach(name: str) -> None:
    """Die or wait here if this is the instant asked for and nobody has done so before."""
    if name != _name and _name != ANY:
        return
    if _armed and not Path(_armed).exists():
        return
    mode = _mode if _name != ANY else _asked_for(name)
    proof = Path(_proof)
    if mode is None or proof.exists():
        return
    proof.write_text(name)
    if mode != "hold":
        os.kill(os.getpid(), signal.SIGKILL)
    while Path(_armed).exists():
        time.sleep(LOOK_EVERY)


def _asked_for(name: str) -> str | None:
    """Return the mode if the other file asks for this instant now, else None."""
    try:
        asked = Path(_armed).read_text().split()
    except OSError:
        return None
    return "".join(asked[1:]) if asked[:1] == [name] else None
