"""Named instants at which a test has the process die, to prove that none of them loses a word.

`PSAP_FAIL_POINT=<name>:<file>` kills the process with SIGKILL the first time that it gets there,
and leaves the name in the file as proof that it did. With `<name>:<file>:<other file>` that is the
first time once the other file exists. Nothing happens without the variable.
"""

import os
import signal
from pathlib import Path

_name, _proof, _armed = [*os.environ.get("PSAP_FAIL_POINT", "").split(":"), "", ""][:3]


def reach(name: str) -> None:
    """Die here if this is the instant that was asked for and nobody has died of it before."""
    if name != _name or (_armed and not Path(_armed).exists()):
        return
    proof = Path(_proof)
    if proof.exists():
        return
    proof.write_text(name)
    os.kill(os.getpid(), signal.SIGKILL)
