"""Regions: exact sets of request contexts, and their algebra (style.md names the model: few operations, each total).

A ``Space`` has axes (``atoms.py``): one a context key, each with finitely many atoms, the values that the policies at hand can't tell apart.
A region says for each combination of atoms whether it is in. It is kept as a decision diagram: a node asks one axis, an edge holds a bit
mask of that axis's atoms, equal subtrees are one node, and a node that makes no difference isn't there. So equal regions of a space are the
same node, "is it empty" is one comparison, and keys that have nothing to do with each other cost a sum, not a product.

Regions of different spaces are first brought into one that tells apart whatever either does; nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sekisho.decision.decide import COMPANIONS
from sekisho.policy.condition import Context, Value
from sekisho.proof.atoms import Ask, Axis, KnownAxes, absent_or_given, axes_of, box_json

Box = Mapping[str, int]
"""One box: axis name → the bit mask of the atoms that it allows; an axis that isn't in it may be anything."""


OTHERS: Mapping[str, tuple[str, ...]] = {"*" + prefixes[0]: prefixes for prefixes, _ in COMPANIONS}
"""Keys of our own (no request has a key with a star): whether a context has keys of these prefixes besides those that are axes (D-26)."""


MOST_BOXES = 2_000
"""Boxes that a region is listed as."""


class TooManyCells(Exception):
    """The regions of these keys multiply beyond the limit: the caller has to say "unknown", and name the keys."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(", ".join(keys))
        self.keys = tuple(keys)


class Space:
    """What contexts are told apart by: the axes, and the keys that are fixed (``fixed``; None: known to be absent).

    ``usual`` are values that a context has unless it says otherwise (``aws:ViaAWSService`` is false). ``asks`` are the tests that made the
    axes; ``known_axes`` are axes made before, by others. A space only grows by remembering what it has worked out; what it answers never changes.
    """

    MOST_STEPS = 500_000

    def __init__(
        self,
        asks: Iterable[Ask] = (),
        *,
        fixed: Mapping[str, Value | None] | None = None,
        usual: Mapping[str, Value] | None = None,
        most_steps: int = MOST_STEPS,
        known_axes: KnownAxes | None = None,
    ) -> None:
        self.asks = tuple(dict.fromkeys(asks))
        self.fixed = dict(fixed or {})
        self.usual = dict(usual or {})
        self.axes: tuple[Axis, ...] = axes_of(self.asks, known_axes)
        self.level_of = {axis.name: i for i, axis in enumerate(self.axes)}
        self.axis_of_key = {key: i for i, axis in enumerate(self.axes) for key in axis.keys}
        self.full = [axis.full for axis in self.axes]
        self.levels = [len(self.axes), len(self.axes)]
        self.kids: list[tuple[tuple[int, int], ...]] = [(), ()]
        self._known: dict[tuple[int, tuple[tuple[int, int], ...]], int] = {}
        self._ands: dict[tuple[int, int], int] = {}
        self._ors: dict[tuple[int, int], int] = {}
        self._minuses: dict[tuple[int, int], int] = {}
        self._meets: dict[tuple[int, int], bool] = {}
        self._joined: dict[int, tuple[Space, Space]] = {}
        self.steps = 0
        self.most_steps = most_steps
        self.known_axes = known_axes

    # Nodes: 0 is nothing, 1 is everything; an edge to 0 isn't kept ---------------------------------------------------

    def node(self, level: int, merged: dict[int, int]) -> int:
        """The node at ``level`` with children → masks, none of them empty; ``merged`` is used up."""
        merged.pop(0, None)
        if len(merged) < 2:
            if not merged:
                return 0
            ((child, mask),) = merged.items()
            if mask == self.full[level]:
                return child
        key = (level, tuple(sorted(merged.items())))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = len(self.levels)
            self.levels.append(level)
            self.kids.append(key[1])
        return found

    def box(self, masks: Mapping[int, int]) -> int:
        """The node of one box: level → mask."""
        node = 1
        for level in sorted(masks, reverse=True):
            if not masks[level]:
                return 0
            node = self.node(level, {node: masks[level]})
        return node

    def both(self, a: int, b: int) -> int:
        if a == b or b == 1:
            return a
        if a == 1:
            return b
        if not a or not b:
            return 0
        key = (a, b) if a < b else (b, a)
        found = self._ands.get(key)
        if found is not None:
            return found
        self._step(a, b)
        la, lb = self.levels[a], self.levels[b]
        merged: dict[int, int] = {}
        if la == lb:
            for ca, ma in self.kids[a]:
                for cb, mb in self.kids[b]:
                    mask = ma & mb
                    if mask:
                        child = self.both(ca, cb)
                        if child:
                            merged[child] = merged.get(child, 0) | mask
        else:
            if la > lb:
                a, b, la = b, a, lb
            for ca, ma in self.kids[a]:
                child = self.both(ca, b)
                if child:
                    merged[child] = merged.get(child, 0) | ma
        result = self._ands[key] = self.node(la, merged)
        return result

    def either(self, a: int, b: int) -> int:
        if a == b or not b:
            return a
        if not a:
            return b
        if a == 1 or b == 1:
            return 1
        key = (a, b) if a < b else (b, a)
        found = self._ors.get(key)
        if found is not None:
            return found
        self._step(a, b)
        la, lb = self.levels[a], self.levels[b]
        if la > lb:
            a, b, la, lb = b, a, lb, la
        merged: dict[int, int] = {}
        if la == lb:
            covered_b = 0
            for _, mb in self.kids[b]:
                covered_b |= mb
            covered_a = 0
            for ca, ma in self.kids[a]:
                covered_a |= ma
                alone = ma & ~covered_b
                if alone:
                    merged[ca] = merged.get(ca, 0) | alone
                for cb, mb in self.kids[b]:
                    mask = ma & mb
                    if mask:
                        child = self.either(ca, cb)
                        merged[child] = merged.get(child, 0) | mask
            for cb, mb in self.kids[b]:
                alone = mb & ~covered_a
                if alone:
                    merged[cb] = merged.get(cb, 0) | alone
        else:
            rest = self.full[la]
            for ca, ma in self.kids[a]:
                rest &= ~ma
                child = self.either(ca, b)
                merged[child] = merged.get(child, 0) | ma
            if rest:
                merged[b] = merged.get(b, 0) | rest
        result = self._ors[key] = self.node(la, merged)
        return result

    def minus(self, a: int, b: int) -> int:
        """What is in ``a`` and not in ``b``."""
        if not a or a == b or b == 1:
            return 0
        if not b:
            return a
        key = (a, b)
        found = self._minuses.get(key)
        if found is not None:
            return found
        self._step(a, b)
        la, lb = self.levels[a], self.levels[b]
        merged: dict[int, int] = {}
        if la < lb:
            for ca, ma in self.kids[a]:
                child = self.minus(ca, b)
                if child:
                    merged[child] = merged.get(child, 0) | ma
        else:
            # ``a`` doesn't ask b's axis (or asks the same one): its edges, or one edge that is all of the axis.
            level = lb
            mine = self.kids[a] if la == lb else ((a, self.full[lb]),)
            covered = 0
            for _, mb in self.kids[b]:
                covered |= mb
            for ca, ma in mine:
                alone = ma & ~covered
                if alone:
                    merged[ca] = merged.get(ca, 0) | alone
                for cb, mb in self.kids[b]:
                    mask = ma & mb
                    if mask:
                        child = self.minus(ca, cb)
                        if child:
                            merged[child] = merged.get(child, 0) | mask
            la = level
        result = self._minuses[key] = self.node(la, merged)
        return result

    def meet(self, a: int, b: int) -> bool:
        """Whether anything is in both; builds nothing."""
        if not a or not b:
            return False
        if a == b or a == 1 or b == 1:
            return True
        la, lb = self.levels[a], self.levels[b]
        meet = self.meet
        if la == lb:
            theirs = self.kids[b]
            for ca, ma in self.kids[a]:
                for cb, mb in theirs:
                    if ma & mb and (ca == 1 or cb == 1 or meet(ca, cb)):
                        return True
            return False
        if la > lb:
            a, b = b, a
        # A child that asks no axis up to b's is met by b as a whole; each child once.
        return any(child == 1 or meet(child, b) for child, _ in self.kids[a])

    def narrowed(self, a: int, care: int) -> int:
        """A smaller diagram that is equal to ``a`` wherever ``care`` holds: what ``care`` rules out anyway isn't asked again."""
        known: dict[tuple[int, int], int] = {}

        def narrow(a: int, care: int) -> int:
            if a < 2 or care == 1:
                return a
            key = (a, care)
            if key in known:
                return known[key]
            self._step(a, care)
            la, lc = self.levels[a], self.levels[care]
            if lc < la:
                wider = 0
                for child, _ in self.kids[care]:
                    wider = self.either(wider, child)
                result = narrow(a, wider)
            else:
                cares = self.kids[care] if lc == la else ((care, self.full[la]),)
                covered = 0
                for _, mask in self.kids[a]:
                    covered |= mask
                merged: dict[int, int] = {}
                for ca, ma in ((0, self.full[la] & ~covered), *self.kids[a]):
                    for cc, mc in cares:
                        if ma & mc:
                            child = narrow(ca, cc)
                            merged[child] = merged.get(child, 0) | (ma & mc)
                if len(merged) == 1:
                    result = next(iter(merged))
                else:
                    result = self.node(la, merged)
            known[key] = result
            return result

        return narrow(a, care) if care else 0

    def _step(self, a: int, b: int) -> None:
        """One operation on two nodes: as many steps as pairs of their edges, so that the limit is one of time and of memory."""
        self.steps += len(self.kids[a]) * len(self.kids[b]) if self.levels[a] == self.levels[b] else len(self.kids[a]) + len(self.kids[b])
        if self.steps > self.most_steps:
            raise TooManyCells([key for axis in self.axes for key in axis.keys])

    # Regions --------------------------------------------------------------------------------------------------------

    def seen(self, context: Mapping[str, Any]) -> dict[str, Value] | None:
        """A context as the axes see it: lower-case keys, the fixed ones filled in; None where it says otherwise of a fixed key."""
        full = absent_or_given(context, self.fixed, self.usual)
        if full is not None:
            for own, prefixes in OTHERS.items():
                if own in self.axis_of_key and any(
                    k.startswith(prefixes) and k not in self.axis_of_key and k not in self.fixed for k in tuple(full)
                ):
                    full[own] = "present"
        return full

    def nothing(self) -> Region:
        return Region(self, 0)

    def everything(self) -> Region:
        return Region(self, 1)

    def where(self, key: str, wanted: Any) -> Region:
        """The contexts whose ``key`` is in an atom for which ``wanted(atom)`` holds; everything if nothing asks the key."""
        level = self.axis_of_key.get(key.lower())
        if level is None:
            return self.everything()
        mask = sum(1 << i for i, atom in enumerate(self.axes[level].atoms) if wanted(atom))
        return Region(self, self.box({level: mask}))

    def joined(self, other: Space) -> Space:
        """A space that tells apart whatever either does."""
        if other is self:
            return self
        found = self._joined.get(id(other))
        if found is None:
            mine = set(self.asks)
            if mine.issuperset(other.asks):
                wider = self
            elif set(other.asks) >= mine:
                wider = other
            else:
                fixed = {k: v for k, v in self.fixed.items() if k in other.fixed and other.fixed[k] == v}
                usual = {k: v for k, v in self.usual.items() if other.usual.get(k) == v}
                steps = max(self.most_steps, other.most_steps)
                known = self.known_axes if self.known_axes is not None else other.known_axes
                wider = Space((*self.asks, *other.asks), fixed=fixed, usual=usual, most_steps=steps, known_axes=known)
            found = self._joined[id(other)] = (other, wider)
        return found[1]

    def taken_from(self, region: Region) -> int:
        """The node, in this space, of a region of a space that tells no more apart than this one."""
        if region.space is self:
            return region.node
        theirs = region.space
        known = {0: 0, 1: 1}
        masks: dict[tuple[int, int], int] = {}
        atoms: dict[int, list[int]] = {}
        """Axis of theirs → for each atom of ours, which of theirs it lies in."""

        def take(node: int) -> int:
            if node in known:
                return known[node]
            axis = theirs.axes[theirs.levels[node]]
            level = self.axis_of_key[axis.keys[0]]
            result = 0
            for child, mask in theirs.kids[node]:
                key = (theirs.levels[node], mask)
                if key not in masks:
                    if key[0] not in atoms:
                        atoms[key[0]] = [axis.atom_of(atom.context, reasons=atom.reason) for atom in self.axes[level].atoms]
                    masks[key] = sum(1 << i for i, found in enumerate(atoms[key[0]]) if mask >> found & 1)
                edge = self.box({level: masks[key]})
                if axis.name in OTHERS:
                    edge = self._others(axis, mask, theirs, level)
                result = self.either(result, self.both(edge, take(child)))
            known[node] = result
            return result

        return take(region.node)


    def _others(self, axis: Axis, mask: int, theirs: Space, level: int) -> int:
        """The node of an edge of an axis of "other keys": a key that has become an axis of its own here was another one there."""
        absent = next(i for i, atom in enumerate(self.axes[level].atoms) if atom.kind == "absent")
        none = self.box({level: 1 << absent})
        for key in self.axis_of_key:
            if key.startswith(OTHERS[axis.name]) and key not in theirs.axis_of_key and key not in theirs.fixed:
                at = self.axis_of_key[key]
                without = sum(1 << i for i, atom in enumerate(self.axes[at].atoms) if key not in atom.context and atom.kind != "unseen")
                none = self.both(none, self.box({at: without}))
        there = next(i for i, atom in enumerate(axis.atoms) if atom.kind == "absent")
        result = none if mask >> there & 1 else 0
        return self.either(result, self.minus(1, none)) if mask & ~(1 << there) else result


class Region:
    """A set of request contexts. ``a | b``, ``a & b``, ``a - b``, ``~a``, ``a == b``, ``context in a``; immutable.

    >>> everything = Space().everything()
    >>> (everything - everything).is_empty, {"aws:SourceIp": "203.0.113.5"} in everything
    (True, True)
    """

    __slots__ = ("node", "space")

    def __init__(self, space: Space, node: int) -> None:
        self.space = space
        self.node = node

    def _with(self, other: Region) -> tuple[Space, int, int]:
        if other.space is self.space:
            return self.space, self.node, other.node
        space = self.space.joined(other.space)
        return space, space.taken_from(self), space.taken_from(other)

    def __or__(self, other: Region) -> Region:
        space, a, b = self._with(other)
        return Region(space, space.either(a, b))

    def __and__(self, other: Region) -> Region:
        space, a, b = self._with(other)
        return Region(space, space.both(a, b))

    def __sub__(self, other: Region) -> Region:
        space, a, b = self._with(other)
        return Region(space, space.minus(a, b))

    def __invert__(self) -> Region:
        return Region(self.space, self.space.minus(1, self.node))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        _, a, b = self._with(other)
        return a == b

    __hash__ = None  # type: ignore[assignment]  # equal regions of different spaces would need equal hashes

    def __bool__(self) -> bool:
        return self.node != 0

    @property
    def is_empty(self) -> bool:
        """Whether no context at all is in it: a proof, not a search that found nothing."""
        return self.node == 0

    @property
    def is_everything(self) -> bool:
        return self.node == 1

    def meets(self, other: Region) -> bool:
        """Whether some context is in both."""
        space, a, b = self._with(other)
        return space.meet(a, b)

    def __le__(self, other: Region) -> bool:
        """Whether all of it is in ``other``."""
        return (self - other).is_empty

    def __contains__(self, context: Mapping[str, Any]) -> bool:
        return self.contains(context)

    def contains(self, context: Mapping[str, Any]) -> bool:
        """Whether a request context is in the region; keys in any letter case, the keys that the space fixes filled in.

        A context that gives a fixed key another value (another user's name) isn't what was asked about, and isn't in it.
        """
        full = self.space.seen(context)
        return full is not None and self._holds(full)

    def _holds(self, full: Context) -> bool:
        space, node = self.space, self.node
        while node > 1:
            bit = 1 << space.axes[space.levels[node]].atom_of(full)
            for child, mask in space.kids[node]:
                if mask & bit:
                    node = child
                    break
            else:
                return False
        return node == 1

    def forget(self, wanted: Callable[[str], bool]) -> Region:
        """The contexts that some values of the keys for which ``wanted(key)`` holds would bring into the region."""
        space = self.space
        levels = {level for key, level in space.axis_of_key.items() if wanted(key)}
        known = {0: 0, 1: 1}

        def without(node: int) -> int:
            if node not in known:
                level = space.levels[node]
                if level in levels:
                    result = 0
                    for child, _ in space.kids[node]:
                        result = space.either(result, without(child))
                else:
                    merged: dict[int, int] = {}
                    for child, mask in space.kids[node]:
                        following = without(child)
                        merged[following] = merged.get(following, 0) | mask
                    result = space.node(level, merged)
                known[node] = result
            return known[node]

        return Region(space, without(self.node))

    def at(self, key: str, value: Value | None) -> Region:
        """What is left to ask once ``key`` has this value (None: is absent): a region that doesn't look at the key any more."""
        space = self.space
        level = space.axis_of_key.get(key.lower())
        if level is None or space.axes[level].keys != (key.lower(),):
            return self
        bit = 1 << space.axes[level].atom_of({} if value is None else {key.lower(): value})
        known = {0: 0, 1: 1}

        def cut(node: int) -> int:
            if node not in known:
                if space.levels[node] == level:
                    known[node] = next((child for child, mask in space.kids[node] if mask & bit), 0)
                elif space.levels[node] > level:
                    known[node] = node
                else:
                    merged: dict[int, int] = {}
                    for child, mask in space.kids[node]:
                        following = cut(child)
                        merged[following] = merged.get(following, 0) | mask
                    known[node] = space.node(space.levels[node], merged)
            return known[node]

        return Region(space, cut(self.node))

    @property
    def keys(self) -> tuple[str, ...]:
        """The context keys (lower case) that make a difference to whether a context is in it."""
        seen: set[int] = set()
        used: set[int] = set()
        queue = [self.node]
        while queue:
            node = queue.pop()
            if node > 1 and node not in seen:
                seen.add(node)
                used.add(self.space.levels[node])
                queue += [child for child, _ in self.space.kids[node]]
        return tuple(key for level in sorted(used) for key in self.space.axes[level].keys)

    def witness(self) -> dict[str, Value] | None:
        """One context of the region, with the fixed keys; None when it is empty. Atoms with values that AWS sends are preferred."""
        if not self.node:
            return None
        space, node = self.space, self.node
        context = {k: v for k, v in {**space.usual, **space.fixed}.items() if v is not None}
        level = 0
        while level < len(space.axes):
            axis = space.axes[level]
            if node > 1 and space.levels[node] == level:
                child, mask = min(space.kids[node], key=lambda edge: min(axis.rank(i) for i in _bits(edge[1])))
                node = child
            else:
                mask = axis.full
            atom = axis.atoms[min(_bits(mask), key=axis.rank)]
            for key in axis.keys:
                context.pop(key, None)
            context.update(atom.context)
            level += 1
        return context

    def changes(self, context: Mapping[str, Any]) -> dict[str, Value | None] | None:
        """The fewest changes of keys that bring ``context`` into the region: key → new value, None to take it away.

        Empty when it is in already; None when no change of keys does it (the region is empty, or a fixed key would have to change).
        """
        space = self.space
        full = space.seen(context)
        if not self.node or full is None:
            return None
        best: dict[int, tuple[int, tuple[tuple[int, int], ...]]] = {1: (0, ())}

        def cheapest(node: int) -> tuple[int, tuple[tuple[int, int], ...]]:
            if node in best:
                return best[node]
            level = space.levels[node]
            axis = space.axes[level]
            at = axis.atom_of(full)
            options = []
            for child, mask in space.kids[node]:
                cost, steps = cheapest(child)
                if mask >> at & 1:
                    options.append((cost, 0, steps))
                else:
                    given = {k: full[k] for k in axis.keys if k in full}
                    changed, rank, atom = min((_differing(axis.atoms[a].context, given), axis.rank(a), a) for a in _bits(mask))
                    options.append((cost + changed, rank[0], ((level, atom), *steps)))
            cost, _, steps = min(options, key=lambda o: (o[0], o[1]))
            best[node] = (cost, steps)
            return best[node]

        changes: dict[str, Value | None] = {}
        for level, atom in cheapest(self.node)[1]:
            axis = space.axes[level]
            for key in axis.keys:
                value = axis.atoms[atom].context.get(key)
                if value != full.get(key):
                    changes[key] = value
        return changes

    @property
    def is_listable(self) -> bool:
        """Whether it is made up of so few boxes that they can be listed: a small diagram may stand for more than memory holds."""
        space = self.space
        known = {0: 0, 1: 1}

        def paths(node: int) -> int:
            if node not in known:
                known[node] = sum(paths(child) for child, _ in space.kids[node])
            return known[node]

        return paths(self.node) <= MOST_BOXES

    def boxes(self) -> list[Box]:
        """Disjoint boxes that make up the region: axis name → mask of its atoms. Empty list: nothing; one empty box: everything.

        Raises TooManyCells where it isn't ``is_listable``.
        """
        if not self.is_listable:
            raise TooManyCells(self.keys)
        rows: list[dict[int, int]] = []

        def walk(node: int, path: dict[int, int]) -> None:
            if node == 1:
                rows.append(path)
                return
            for child, mask in self.space.kids[node]:
                walk(child, {**path, self.space.levels[node]: mask})

        if self.node:
            walk(self.node, {})
        merged = _merged(rows, self.space.full)
        return [{self.space.axes[level].name: row[level] for level in sorted(row)} for row in merged]

    def narrowed(self, care: Region) -> Region:
        """A simpler region that is equal to this one wherever ``care`` holds, for printing: what ``care`` implies isn't said again."""
        space, a, c = self._with(care)
        return Region(space, space.narrowed(a, c))

    def __iter__(self) -> Iterator[Box]:
        return iter(self.boxes())

    def to_json(self) -> list[dict[str, Any]]:
        """The contract's REGION: a list of disjoint boxes; addresses as the fewest CIDRs; a key that a box leaves out may be anything.

        Raises TooManyCells where it isn't ``is_listable``.
        """
        return [box_json(self.space.axes, self.space.level_of, box) for box in self.boxes()]

    def __repr__(self) -> str:
        shown = "nothing" if self.is_empty else "everything" if self.is_everything else self.to_json() if self.is_listable else "of many boxes"
        return f"<Region {shown}>"


def _differing(one: Context, other: Context) -> int:
    """How many keys have another value, or are in one alone."""
    return sum(1 for k in {**one, **other} if one.get(k) != other.get(k))


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _merged(rows: list[dict[int, int]], full: Sequence[int]) -> list[dict[int, int]]:
    """Boxes that differ along one axis alone, put together, until none do."""
    rows = list(rows)
    for level in sorted({level for row in rows for level in row}, reverse=True):
        if len(rows) < 2:
            break
        groups: dict[tuple[tuple[int, int], ...], int] = {}
        for row in rows:
            rest = tuple(sorted((k, m) for k, m in row.items() if k != level))
            groups[rest] = groups.get(rest, 0) | row.get(level, full[level])
        rows = [dict(rest) if mask == full[level] else {**dict(rest), level: mask} for rest, mask in groups.items()]
    return rows
