"""What keeps a measurement from being made."""


class BenchError(Exception):
    """The measurement cannot be made; the message is one line for whoever started it."""

    exit_code = 1


class MissingProgramError(BenchError):
    """A program is not installed; the message names its Debian package."""

    exit_code = 2
