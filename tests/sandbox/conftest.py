"""An embedded AWS of the article's two accounts on a free port, and somebody who uses it over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sekisho.sandbox.server import serve

from .iam_case import Case
from .people import Sandbox


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve(["111122223333", "444455556666"], port=0) as server:
        yield Sandbox(server)


@pytest.fixture
def case(aws: Sandbox) -> Case:
    """The same, asked by root's IAM clients."""
    return Case(aws.server)
