"""A coverage-guided fuzz target (atheris): whatever bytes arrive are read or refused, in time.

    bin/fuzz [SECONDS]      60 without an argument; findings are kept in the state directory

It starts from what a real client sent, the torture messages of RFC 4475 and locations of every
shape. A finding is an exception, a value that PostgreSQL would not take, or an input that takes
longer than a second.
"""

import logging
import os
import shutil
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
SEEDS = ("captures", "rfc4475", "pidflo")
LONGEST_INPUT = 16_384

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "psap.project.settings")
sys.path.insert(0, str(ROOT))
import django  # noqa: E402

django.setup()
with atheris.instrument_imports(include=["sipgateway"]):
    from tests.support.reading import read_all

from sipgateway.protocol.errors import RemoteProtocolError  # noqa: E402
from sipgateway.protocol.framing import Frame, NeedData, StreamFramer  # noqa: E402

logging.disable(logging.CRITICAL)


def read_one(data: bytes) -> None:
    """Take the input as a datagram, and as a stream in segments of any size."""
    read_all(data)
    if not data:
        return
    size, framer = data[0] + 1, StreamFramer()
    for start in range(0, len(data), size):
        framer.receive_data(data[start : start + size])
        try:
            while not isinstance(event := framer.next_event(), NeedData):
                if isinstance(event, Frame):
                    read_all(event.data)
        except RemoteProtocolError:
            return


def main() -> None:
    """Run for a number of seconds; the corpus is collected in the state directory."""
    seconds, directory = sys.argv[1], Path(sys.argv[2])
    corpus = directory / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in (path for name in SEEDS for path in (DATA / name).rglob("*") if path.is_file()):
        shutil.copy(seed, corpus / f"{seed.parent.name}-{seed.name}")
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={directory}/",
        "-timeout=1",
        "-print_final_stats=1",
        "-close_fd_mask=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], read_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
