"""A lock by name that ends with its transaction, however that ends."""

import hashlib
import json

from django.db import connection


def try_lock(*name: object) -> bool:
    """False: another transaction holds it. Call it within one.

    An advisory lock of PostgreSQL, on 64 bits of the name's hash. SQLite has one writer at a time, so that whoever gets
    this far is alone there.
    """
    if connection.vendor != "postgresql":
        return True
    digest = hashlib.sha256(json.dumps([str(part) for part in name]).encode()).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])
        return bool(cursor.fetchone()[0])


def one_at_a_time(what: str) -> None:
    """Until the transaction ends, so that two who count do not both take the last place. SQLite has one writer at a
    time anyway. The organization always comes before the suspects, so nobody waits in a circle."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [what])
