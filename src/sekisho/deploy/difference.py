"""The access difference of a plan in sentences: who gains, who loses, from where. Proved, not guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sekisho.estate import Estate


def sentences(old: Estate, new: Estate, networks: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """One sentence for each gain and loss, networks by their names where ``networks`` has them; empty where access is proved equal."""
    from sekisho.proof import difference

    return list(difference(old, new, networks=networks).sentences)
