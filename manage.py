#!/usr/bin/env python3
"""Django's command line for Leitstand; `bin/manage` runs it in the project's own environment."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    if sys.argv[1:2] == ["peerapi"]:  # strangers reach it: less of Django than the others have
        os.environ["DJANGO_SETTINGS_MODULE"] = "psap.project.peer_settings"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "psap.project.settings")
    execute_from_command_line(sys.argv)
