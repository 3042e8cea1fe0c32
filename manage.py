#!/usr/bin/env python3
"""Django's command line for Leitstand; `bin/manage` runs it in the project's own environment."""

import os
import sys

from django.core.management import execute_from_command_line
from django.db import OperationalError

PROGRAMS = ("peerapi", "sipgateway", "sipregistrar")  # run for long; their logs want to know where


def main(arguments: list[str]) -> int:
    """Run a command; a database that is away is one line, not a traceback."""
    try:
        execute_from_command_line(arguments)
    except OperationalError as error:
        if arguments[1] in PROGRAMS or "--traceback" in arguments:
            raise
        cause = str(error).partition("\n")[0]
        sys.stderr.write(f"error: the database does not answer (is it running?): {cause}\n")
        return 1
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["peerapi"]:  # strangers reach it: less of Django than the others have
        os.environ["DJANGO_SETTINGS_MODULE"] = "psap.project.peer_settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "psap.project.settings")
    sys.exit(main(sys.argv))
