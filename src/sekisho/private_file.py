"""A file written whole or not at all, by default for its owner alone: what was there before stays until the new one is complete and on disk."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from sekisho.errors import OutsideError


def write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Put ``text`` (UTF-8) into ``path``. Raises OutsideError where that can't be done; then what was there is untouched.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "first-passwords.json"
    >>> write_private(file, "{}")
    >>> file.read_text(), oct(file.stat().st_mode & 0o777)
    ('{}', '0o600')
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutsideError(f"{path}: can't be written: {error.strerror or error}", remedy="give a place that you can write, with room") from error
