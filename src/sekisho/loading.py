"""An Estate from whatever a command is given: AWS's JSON (a file or a folder), or a ``sekisho.yaml``."""

from __future__ import annotations

from pathlib import Path

from sekisho.estate import Estate, load_estate


def load(path: str | Path) -> Estate:
    """The estate behind ``path``: a folder or a ``.json`` file is AWS's JSON, anything else is compiled as an environment file.

    Raises InputError with the place, or OutsideError where it can't be read.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".json":
        return load_estate(path)
    from sekisho.environment import compile_environment, load_environment

    return compile_environment(load_environment(path))
