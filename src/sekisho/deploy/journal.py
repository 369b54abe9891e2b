"""The journal of an apply: what it set out to do, and each call before it is made, on disk. And the lock: one apply at a time.

One JSON object a line. The first is the plan with what existed; then ``{"begin": n}`` before call n and ``{"done": n}`` after it, and at last
``{"end": "applied"}`` or ``{"end": "rolled back"}``. A line that was cut off by a crash is the last one, and counts as not written.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sekisho.deploy.plan import Plan, plan_from_json, plan_to_json
from sekisho.errors import InputError, OutsideError, Place


@dataclass
class Journal:
    """An apply on its way. ``begun`` calls were started, ``done`` of them are known to have worked; ``rolling_back`` once that was begun."""

    path: Path
    plan: Plan
    begun: int = 0
    done: int = 0
    rolling_back: bool = False
    ended: str = ""

    @classmethod
    def start(cls, path: Path, plan: Plan) -> Journal:
        """A new journal, on disk before anything is done. The last one, which has ended, is kept beside it as ``.last``."""
        try:
            if path.exists():
                os.replace(path, path.with_suffix(".last"))
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(json.dumps({"plan": plan_to_json(plan)}, separators=(",", ":"), ensure_ascii=False) + "\n")
                file.flush()
                os.fsync(file.fileno())
            _sync_folder(path.parent)
        except OSError as error:
            raise _cannot_write(path, error) from error
        return cls(path, plan)

    @classmethod
    def read(cls, path: Path) -> Journal | None:
        """The journal at ``path``, or None where there is none. Raises InputError where its beginning is no plan."""
        try:
            lines = path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutsideError(f"{path}: can't be read: {error.strerror}") from error
        whole = lines[:-1]  # what follows the last line break was cut off, or is nothing
        if not whole:
            # Cut within its first line: no call had been made.
            return None
        entries = [_entry(path, i, line) for i, line in enumerate(whole)]
        if not isinstance(entries[0], dict) or "plan" not in entries[0]:
            raise InputError("the journal doesn't begin with its plan", place=Place(str(path), None, 1), remedy=_DAMAGED)
        journal = cls(path, plan_from_json(entries[0]["plan"], str(path)))
        for entry in entries[1:]:
            journal._take(entry)
        return journal

    def _take(self, entry: dict[str, Any]) -> None:
        if "begin" in entry:
            self.begun = entry["begin"] + 1
        elif "done" in entry:
            self.done = entry["done"] + 1
        elif "rollback" in entry:
            self.rolling_back = True
        elif "end" in entry:
            self.ended = entry["end"]

    def note(self, **entry: Any) -> None:
        """Append an entry, on disk before this returns. Raises OutsideError where that fails: then the call must not be made."""
        try:
            with open(os.open(self.path, os.O_WRONLY | os.O_APPEND), "ab") as file:
                file.write(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._take(entry)

    def mended(self) -> None:
        """Cut a torn last line off, so that what is appended stands on a line of its own."""
        try:
            raw = self.path.read_bytes()
            whole = raw[: raw.rfind(b"\n") + 1]
            if whole != raw:
                os.truncate(self.path, len(whole))
        except OSError as error:
            raise _cannot_write(self.path, error) from error


_DAMAGED = "move the journal away and make a new plan: `sekisho plan` compares with what exists, however it came to be"


def _entry(path: Path, index: int, line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise InputError(f"the journal is damaged: {error}", place=Place(str(path), None, index + 1), remedy=_DAMAGED) from error
    if not isinstance(entry, dict):
        raise InputError("the journal is damaged", place=Place(str(path), None, index + 1), remedy=_DAMAGED)
    return entry


def _cannot_write(path: Path, error: OSError) -> OutsideError:
    return OutsideError(
        f"{path}: can't be written: {error.strerror or error}; nothing is done that isn't in the journal first",
        remedy="make room, or give another folder with --state, then run the same command: it goes on where it stopped",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one apply. The lock ends with the process, however that ends. Raises OutsideError that names who holds it."""
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise OutsideError(f"{path}: can't be written: {error.strerror or error}", remedy="give a folder that you can write with --state") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutsideError(
                f"another apply is running: {file.read().strip() or 'by whom is not known'}", remedy="wait until it has ended"
            ) from None
        try:
            file.seek(0)
            file.truncate()
            file.write(f"{getpass.getuser()} on {socket.gethostname()}, process {os.getpid()}, since {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n")
            file.flush()
        except OSError as error:
            with suppress(OSError):
                file.close()  # it would try again to write what it holds
            raise _cannot_write(path, error) from error
        yield
