"""One request → one Decision, with every statement that mattered and AWS's own denial text (rule book D, E, G-20). Pure."""

from sekisho.decision.decide import Authorizer, Question, decide
from sekisho.decision.layers import LAYERS, Layers
from sekisho.decision.outcome import Because, Decision, Miss
from sekisho.decision.request import CredentialKind, Request, request_context

__all__ = [
    "LAYERS",
    "Authorizer",
    "Because",
    "CredentialKind",
    "Decision",
    "Layers",
    "Miss",
    "Question",
    "Request",
    "decide",
    "request_context",
]
