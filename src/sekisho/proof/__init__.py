"""All requests at once: exact regions of contexts, who reaches which role over any number of hops. Pure.

How to use it::

    from sekisho.proof import prove
    proof = prove(Request(user_arn, "sts:AssumeRole", role_arn), estate)       # or prove(question), or prove(request, layers)
    proof.allowed                      # Region: decide(request).allowed == (request.context in proof.allowed), outside proof.unknown
    proof.unknown, proof.reasons       # Region of what can't be known, and why; never rounded either way
    proof.real                         # allowed & what AWS can send at all (``proof.possible``): what findings and invariants ask

A ``Region`` is a set of contexts: ``a | b``, ``a & b``, ``a - b``, ``~a``, ``a == b``, ``a <= b``, ``context in a``, ``a.is_empty``,
``a.meets(b)``, ``a.witness()`` (one context, to put into a Request), ``a.changes(context)`` (the fewest keys to change to get in),
``a.boxes()`` and ``a.to_json()`` (the contract's REGION), ``a.narrowed(care)`` (simpler, equal inside ``care``; for printing),
``a.keys`` (which keys matter), ``a.at(key, value)`` (what is left to ask once a key has a value), ``region_where({"IpAddress": {…}})``
(from a Condition block), ``space.where(key, wanted)`` (contexts by the atom of a key). Regions of different questions, or of two
estates, can be mixed: they are brought into one space by themselves. ``given={"aws:sourceip": "203.0.113.10"}`` fixes a key before
proving (None: absent), which is cheaper than cutting it out afterwards; keys in lower case.
``given=NO_SESSION_TAGS``: an AssumeRole without tags and source identity (they need further permissions, D-26, and so clutter the answer).
Over an estate::

    for row in reach(estate).rows:     # one a way: row.principal, row.role, row.hops, row.obtain, row.use, row.unknown, row.reasons, row.kinds
        row.real                       # obtain without what no call can bring: compare this one (obtain is simplified for reading)
        row.to_json()                  # the contract's row
    ask(Asked(principal, action, resource, credentials=…, mfa=…, context={…}), estate)   # one question, over all that it leaves open
    difference(old, new).sentences     # who gains, who loses, from where; is_empty is a proof of equal access
"""

from sekisho.proof.access_difference import Difference, difference
from sekisho.proof.answer import Answer, Asked, ask
from sekisho.proof.prove import NO_SESSION_TAGS, VARIED, Proof, prove, region_where
from sekisho.proof.reach import Reach, Row, reach
from sekisho.proof.region import Region, Space, TooManyCells
from sekisho.proof.requests import possible_requests, sent_with

__all__ = [
    "Answer",
    "Asked",
    "Difference",
    "NO_SESSION_TAGS",
    "VARIED",
    "Proof",
    "Reach",
    "Region",
    "Row",
    "Space",
    "TooManyCells",
    "ask",
    "difference",
    "possible_requests",
    "prove",
    "reach",
    "region_where",
    "sent_with",
]
