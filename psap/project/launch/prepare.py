"""Bringing the database up to date before the programs start: migrations, then the demo's rows."""

import time

import django
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

PATIENCE = 50.0
PREPARATION_LOCK = 0x4C656974  # any number that nothing else of ours uses


def wait_for_database() -> None:
    """Return once PostgreSQL takes connections; OperationalError after `PATIENCE` seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.ensure_connection()
        except OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def migrate() -> None:
    """Apply the migrations that are missing; with none the usual tail of `migrate` is left out."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=1)


def settle_restored_events() -> None:
    """Make events of another cluster old: a restored dump brings its transaction ids along.

    Those above this cluster's counter would be new to the hub at each of its reads for ever.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chats_chatevent SET xid = '3'"
            " WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())"
        )


def main() -> None:
    django.setup()
    wait_for_database()
    # Instances that share a database and start together take turns.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [PREPARATION_LOCK])
    migrate()
    settle_restored_events()
    call_command("seeddemo")


if __name__ == "__main__":
    main()
