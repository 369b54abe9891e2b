"""An embedded AWS, the commands that deploy to it, and a proxy in between that goes wrong when it is told to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sekisho.sandbox.server import serve

from .aws import Aws, Faults, proxy
from .breaks import Saved

ARTICLE = (Path(__file__).parents[2] / "src/sekisho/environment/examples/article.yaml").read_text(encoding="utf-8")
Start = Callable[..., Aws]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts an embedded AWS of some accounts and points AWS's environment variables at it."""
    with pytest.MonkeyPatch.context() as patch, _servers() as open_:

        def begin(*accounts: str) -> Aws:
            return open_(list(accounts), tmp_path, patch)

        yield begin


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, pytest.MonkeyPatch], Aws]]:
    """The article's environment, applied once for all tests of a file: each begins with it as it was, in a folder of its own."""
    home = tmp_path_factory.mktemp("applied")
    with pytest.MonkeyPatch.context() as patch, _servers() as open_:
        first = open_(["111122223333", "444455556666"], home, patch)
        first.write(ARTICLE)
        assert first.sekisho("apply", str(first.file), "--yes").status == 0
        was = Saved(first)

        def again(folder: Path, patch: pytest.MonkeyPatch) -> Aws:
            was.put_back()
            first.faults.reset()
            shutil.copytree(home / ".sekisho", folder / ".sekisho")
            aws = Aws(first.server, first.faults, first.endpoint, folder, patch)
            aws.write(ARTICLE)
            return aws

        yield again


@pytest.fixture
def article(applied: Callable[[Path, pytest.MonkeyPatch], Aws], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Aws:
    return applied(tmp_path, monkeypatch)


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
