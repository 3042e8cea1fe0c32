"""Keys and lists for ssl, which reads them from files only: lent in memory, never on a disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lent_as_file(pem: str) -> Iterator[str]:
    """Return the path of a file that holds this text for as long as the context lasts."""
    descriptor = os.memfd_create("pem")
    try:
        os.write(descriptor, pem.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
