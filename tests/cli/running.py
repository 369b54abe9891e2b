"""Runs a command through its real entry point, in this process: what a shell would see."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from sekisho.cli.__main__ import main


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str


class Runner:
    """``run("compile", "a.yaml", "--out", "x")`` → status, standard output, standard error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: Any, stdin: str = "") -> Ran:
        self.capsys.readouterr()
        self.monkeypatch.setattr(sys, "argv", ["sekisho", *map(str, arguments)])
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = self.capsys.readouterr()
        return Ran(int(stopped.value.code or 0), captured.out, captured.err)


@contextmanager
def within(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        yield


def check_error(ran: Ran, *words: str) -> None:
    """What every error of input owes: status 2, nothing on standard output, no stack trace, and the words."""
    assert ran.status == 2, ran
    assert ran.out == ""
    assert ran.err.startswith("sekisho: ")
    assert "Traceback" not in ran.err and "a mistake of ours" not in ran.err
    for word in words:
        assert word in ran.err, f"{word!r} is not in:\n{ran.err}"


__all__: Sequence[str] = ["Ran", "Runner", "check_error", "within"]
