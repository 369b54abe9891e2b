"""The access difference of a plan in sentences: who gains, who loses, from where. Asked of the proof; nothing is guessed here."""

from __future__ import annotations

from importlib import import_module

from sekisho.estate import Estate


def sentences(old: Estate, new: Estate) -> list[str] | None:
    """One sentence for each gain and loss; empty where access is equal; None where the proof has no difference to offer.

    Calls ``sekisho.proof.difference(old, new)``, whose result says its ``sentences``.
    """
    function = getattr(import_module("sekisho.proof"), "difference", None)
    if not callable(function):
        return None
    return [str(s) for s in function(old, new).sentences]
