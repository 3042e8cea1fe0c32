"""A database that nobody reaches for a while, without stopping its server."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.record import Record

_CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = %s AND application_name LIKE 'leitstand %%'"
)


@contextmanager
def database_out_of_reach(record: Record) -> Iterator[None]:
    """Cut the gateway's connections to the tests' database and let it open no new ones."""
    name = str(conninfo_to_dict(record.database_url)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(record.database_url, dbname="postgres", autocommit=True) as outside:
        outside.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        try:
            outside.execute(_CUT, (name,))
            yield
        finally:
            outside.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
