"""An embedded AWS, the commands that deploy to it, and a proxy in between that goes wrong when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sekisho.sandbox.server import serve

from .aws import Aws, Faults, proxy

Start = Callable[..., Aws]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts an embedded AWS of some accounts and points AWS's environment variables at it."""
    with pytest.MonkeyPatch.context() as patch, _servers() as open_:

        def begin(*accounts: str) -> Aws:
            return open_(list(accounts), tmp_path, patch)

        yield begin


class _servers:
    def __init__(self) -> None:
        self.open: list[object] = []

    def __enter__(self) -> Callable[[list[str], Path, pytest.MonkeyPatch], Aws]:
        return self.begin

    def begin(self, accounts: list[str], folder: Path, patch: pytest.MonkeyPatch) -> Aws:
        server = serve(accounts, port=0)
        server.__enter__()
        faults = Faults()
        between = proxy(server.endpoint, faults)
        self.open += [between, server]
        return Aws(server, faults, f"http://127.0.0.1:{between.server_address[1]}", folder, patch)

    def __exit__(self, *_: object) -> None:
        for thing in self.open:
            if hasattr(thing, "shutdown"):
                thing.shutdown()
                thing.server_close()
            else:
                thing.__exit__(None, None, None)  # type: ignore[attr-defined]
