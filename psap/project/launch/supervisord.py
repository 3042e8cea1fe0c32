"""supervisord with log files that may not be writable: a full disk costs lines, not the instance.

As it comes, a log file that cannot be written closes the program's output, and ends supervisord
with all that it supervises when it is its own.
"""

import supervisor.loggers  # type: ignore[import-untyped]
import supervisor.supervisord  # type: ignore[import-untyped]


class LossyFileHandler(supervisor.loggers.RotatingFileHandler):  # type: ignore[misc]
    """Writes what can be written; what cannot is dropped, the programs go on."""

    def emit(self, record: object) -> None:
        """Write a record, or lose it."""
        try:
            super().emit(record)
        except OSError:
            pass

    def handleError(self) -> None:  # noqa: N802  (supervisor's name)
        """Say nothing: there is nowhere to say it."""


def main() -> None:
    """Run supervisord."""
    supervisor.loggers.RotatingFileHandler = LossyFileHandler
    supervisor.supervisord.main()


if __name__ == "__main__":
    main()
