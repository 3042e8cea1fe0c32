"""What keeps an instance from starting."""


class LaunchError(Exception):
    """The instance cannot start or go on; the message is one line for the operator."""
