"""Each account's CloudTrail records. They are never in memory for long: in the --state folder's database, or in one that is gone with the process."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]

_AT_ONCE = 200
"""Records that wait in memory until they are written, where nothing has to be durable."""


class History:
    """The records of all accounts, by a number that grows. ``add`` is for the thread of the calls, the rest for any."""

    def __init__(self, database: sqlite3.Connection | None) -> None:
        self._lock = threading.Lock()
        self._waiting: list[tuple[str, str]] = []
        self._durable = database is not None
        self._database = database

    def add(self, account: str, event: Event) -> None:
        text = json.dumps(event)
        with self._lock:
            self._waiting.append((account, text))
            if not self._durable and len(self._waiting) >= _AT_ONCE:
                self._write()

    @property
    def is_waiting(self) -> bool:
        """Whether there is something that isn't written."""
        return bool(self._waiting)

    def write(self) -> list[tuple[str, str]]:
        """Write what waits, as part of the database's transaction; what that was, in case the transaction fails."""
        with self._lock:
            return self._write()

    def wait_again(self, written: list[tuple[str, str]]) -> None:
        with self._lock:
            self._waiting = written + self._waiting

    def _write(self) -> list[tuple[str, str]]:
        if self._database is None:
            # SQLite keeps a database without a name in a file that nobody sees, once it outgrows its cache.
            self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA synchronous = OFF")
            make(self._database)
        waiting, self._waiting = self._waiting, []
        try:
            if self._durable:
                self._database.executemany("INSERT INTO event (account, body) VALUES (?, ?)", waiting)
            else:
                self._database.execute("BEGIN")
                self._database.executemany("INSERT INTO event (account, body) VALUES (?, ?)", waiting)
                self._database.execute("COMMIT")
        except sqlite3.Error:
            self._waiting = waiting
            raise
        return waiting

    def newest(self, account: str, *, before: int | None = None, holding: str = "") -> Iterator[tuple[int, Event]]:
        """(number, record) of an account, newest first, those ``before`` a number; ``holding``: a text that stands in the record as JSON."""
        with self._lock:
            self._write()
            assert self._database is not None
            found = self._database.execute(
                "SELECT number, body FROM event WHERE account = ? AND number < ? AND instr(body, ?) > 0 ORDER BY number DESC",
                (account, before if before is not None else 2**62, holding),
            )
        for number, body in found:
            yield number, json.loads(body)

    def of(self, account: str) -> list[Event]:
        """All records of an account, oldest first."""
        return [event for _, event in self.newest(account)][::-1]

    def latest(self) -> str:
        """When the last thing happened that is recorded; empty where nothing is."""
        with self._lock:
            self._write()
            assert self._database is not None
            row = self._database.execute("SELECT body FROM event ORDER BY number DESC LIMIT 1").fetchone()
        return str(json.loads(row[0])["eventTime"]) if row else ""

    def clear(self) -> None:
        with self._lock:
            self._write()
            assert self._database is not None
            self._database.execute("DELETE FROM event")

    def close(self) -> None:
        if self._database is not None and not self._durable:
            self._database.close()
            self._database = None


def make(database: sqlite3.Connection) -> None:
    """The table, in a database that may have it."""
    database.execute("CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, account TEXT, body TEXT)")
    database.execute("CREATE INDEX IF NOT EXISTS event_of ON event (account, number)")
