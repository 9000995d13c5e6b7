"""Where a measured journal is: a new file, or a new database on the server of `--url`.

Rule: what was made for a measurement is gone after it.
"""

import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.journal import floor as file_floor
from bench.journal import person
from bridge.codec import encode
from bridge.scim.identifiers import new_id

FLOOR_CONNECTIONS = 8


@contextmanager
def new_journal_url(server: str | None) -> Iterator[str]:
    """Yield the address of a journal that does not exist yet; `server` None is a file."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{Path(folder) / 'journal.sqlite3'}"
        return
    with _new_database(server) as url:
        yield url


def floor(server: str | None, seconds: float) -> tuple[str, float]:
    """Return what the floor is, and its changes per second: one change a commit, bare."""
    if server is None:
        with tempfile.TemporaryDirectory() as folder:
            return "sqlite3 alone", file_floor(folder, seconds)
    with _new_database(server) as url:
        return f"psycopg alone, {FLOOR_CONNECTIONS} connections", _bare(url, seconds)


@contextmanager
def _new_database(server: str) -> Iterator[str]:
    import psycopg  # noqa: PLC0415 - an extra

    url, name = make_url(server), f"bridge_bench_{uuid.uuid4().hex}"
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(plain, autocommit=True)) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0'.encode())
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def _bare(url: str, seconds: float) -> float:
    import psycopg  # noqa: PLC0415 - an extra

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(plain, autocommit=True)) as connection:
        connection.execute(
            "CREATE TABLE resource (id text PRIMARY KEY, version int, document text)"
        )
        connection.execute(
            "CREATE TABLE change (sequence bigserial PRIMARY KEY, entity text, version int, "
            "document text, UNIQUE (entity, version))"
        )
    ends, done = time.perf_counter() + seconds, [0] * FLOOR_CONNECTIONS

    def write(number: int) -> None:
        with closing(psycopg.connect(plain)) as connection:
            while time.perf_counter() < ends:
                key, document = new_id(), encode(person())
                connection.execute(
                    "INSERT INTO resource VALUES (%s, 1, %s) ON CONFLICT (id) DO UPDATE "
                    "SET version = resource.version + 1, document = excluded.document",
                    (key, document),
                )
                connection.execute(
                    "INSERT INTO change (entity, version, document) VALUES (%s, 1, %s)",
                    (key, document),
                )
                connection.commit()
                done[number] += 1

    threads = [threading.Thread(target=write, args=(n,)) for n in range(FLOOR_CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / seconds
