"""A copy of a --state folder, and back: SQLite's own online copy, so that it is whole even while the sandbox that uses the folder runs."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sekisho.errors import InputError, OutsideError

_NAME = "sandbox.sqlite"
_KINDS = ("account", "key", "event")


def snapshot(state: Path, file: Path) -> dict[str, int]:
    """Copy the state of a folder into one file that only its owner can read; how much is in it. Raises InputError, OutsideError."""
    source = state / _NAME
    if not source.exists():
        raise InputError(f"{state} holds no state of a sandbox", expected=f"a folder that `sekisho sandbox --state` has used, with {_NAME} in it")
    if file.exists():
        raise InputError(f"{file} is already there", remedy="name another file, or remove it")
    live = _of_running(state)
    if live is None:
        _copy(source, file)
    else:
        _write(live, file)
    return _counted(file)


def _of_running(state: Path) -> bytes | None:
    """The copy that the sandbox makes which uses the folder; None where none answers."""
    from sekisho.sandbox.administration import Administrator

    try:
        return Administrator(state).ask("snapshot")
    except (InputError, OutsideError):
        return None


def _write(content: bytes, file: Path) -> None:
    beside = file.with_name(file.name + ".new")
    try:
        beside.unlink(missing_ok=True)
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(content)
        os.replace(beside, file)
    except OSError as error:
        raise OutsideError(f"{file}: can't be written: {error.strerror}") from error


def restore(file: Path, state: Path) -> dict[str, int]:
    """Put what ``snapshot`` wrote into a folder that holds no state yet. Raises InputError, OutsideError."""
    if not file.exists():
        raise InputError(f"there is no file {file}", expected="one that `sekisho sandbox snapshot` wrote")
    found = _counted(file)
    target = state / _NAME
    if target.exists():
        raise InputError(f"{state} holds the state of a sandbox already", remedy="name another folder, or remove that one")
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutsideError(f"{state}: can't be made: {error.strerror}") from error
    _copy(file, target)
    return found


def copy_of(database: sqlite3.Connection) -> bytes:
    """A database that is in use as the bytes of a file that stands by itself."""
    beside = sqlite3.connect(":memory:")
    try:
        database.backup(beside)
        found = bytearray(beside.serialize())
    finally:
        beside.close()
    found[18:20] = b"\x01\x01"  # no write-ahead log goes with it
    return bytes(found)


def _copy(source: Path, target: Path) -> None:
    """Whole or not at all: under another name first."""
    beside = target.with_name(target.name + ".new")
    try:
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        have, into = sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=1), sqlite3.connect(beside)
        try:
            have.backup(into)
            into.execute("PRAGMA journal_mode = DELETE")
        finally:
            have.close()
            into.close()
        os.replace(beside, target)
    except (OSError, sqlite3.Error) as error:
        beside.unlink(missing_ok=True)
        raise OutsideError(f"{source} can't be copied to {target}: {error}", remedy="stop the sandbox that uses it first") from error


def _counted(file: Path) -> dict[str, int]:
    try:
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            found = dict(database.execute("SELECT kind, count(*) FROM thing GROUP BY kind"))
            found["event"] = database.execute("SELECT count(*) FROM event").fetchone()[0]
        finally:
            database.close()
    except sqlite3.Error as error:
        raise InputError(f"{file} is no state of a sandbox: {error}", expected="a file that `sekisho sandbox snapshot` wrote") from error
    return {kind: int(number) for kind, number in sorted(found.items())}
