"""SIPp (Debian's sip-tester) as the app: one run of a scenario of tests/interop/sipp.

    run = run_sipp("chat", port, calls=20)      # fails unless SIPp says that all calls succeeded
    run.prefix                                  # what the identifiers of its calls begin with

What the PSAP sends back is answered 200 by answer.xml, beside the scenario.
"""

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_ports

SCENARIOS = Path(__file__).parent.parent / "interop" / "sipp"
HOST = "127.0.0.1"
ONE_SOCKET = {"udp": "u1", "tcp": "t1"}
SECONDS = 60


@dataclass(frozen=True, slots=True)
class SippRun:
    """What came of one run: SIPp's exit code (0: every call as expected) and what it said."""

    prefix: str
    exit_code: int
    said: str


def run_sipp(
    scenario: str,
    port: int,
    directory: Path,
    *,
    transport: str = "udp",
    calls: int = 1,
    rate: int = 100,
    patience: float = 8.0,
    expected: int = 0,
) -> SippRun:
    """Run a scenario `calls` times at `rate` a second, all of them at once if need be.

    SIPp waits `patience` seconds for an answer. Another exit code than `expected` fails the test.
    """
    prefix = f"r{secrets.token_hex(6)}"
    command = ["sipp", f"{HOST}:{port}", "-i", HOST, "-p", str(free_ports(1)[0])]
    command += ["-sf", str(SCENARIOS / f"{scenario}.xml"), "-oocsf", str(SCENARIOS / "answer.xml")]
    command += ["-t", ONE_SOCKET[transport], "-key", "run", prefix, "-nd", "-nostdin"]
    command += ["-m", str(calls), "-l", str(calls), "-r", str(rate), "-skip_rlimit"]
    command += ["-recv_timeout", str(int(patience * 1000)), "-timeout", str(SECONDS)]
    command += ["-timeout_error", "-trace_err", "-error_file", str(directory / "errors.log")]
    done = subprocess.run(
        command,
        cwd=directory,
        env={**os.environ, "TERM": "dumb"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=SECONDS + 20,
        check=False,
    )
    run = SippRun(prefix, done.returncode, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    assert run.exit_code == expected, f"SIPp ended with {run.exit_code}\n{run.said}"
    return run
