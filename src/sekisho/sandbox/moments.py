"""The moment in which moto carries out one call: what it draws at random and reads off the clock is the moment's, so that it can be lived again.

moto takes the time and random values from Python's modules all over its code. In the namespaces of its modules those are replaced, once each, by
shadows that ask for the moment of the running thread, and do what they always did where there is none: other users of moto in the process, and
other threads, see nothing of it.
"""

from __future__ import annotations

import datetime as datetimes
import hashlib
import hmac
import os
import random
import sys
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

_here = threading.local()


class Moment:
    """One call's time and randomness: a clock that stands but for a microsecond a look, and a stream of random values from ``seed``.

    Private keys can't be drawn from a seed: ``keys`` has those that were made (PEM), in their order. ``again``: it is lived again, so that
    those are taken instead of new ones, and nothing leaves the machine. ``changed``: the call moved something on that only looks like a read.
    """

    def __init__(self, at: datetime, seed: bytes, keys: list[str] | None = None) -> None:
        self.at = at
        self.seed = seed
        self.keys: list[str] = keys if keys is not None else []
        self.again = keys is not None
        self.changed = False
        self._taken = 0

    def look(self) -> datetime:
        """The time: no two looks see the same."""
        self.at += timedelta(microseconds=1)
        return self.at

    def sleep(self, seconds: float) -> None:
        """Nothing else can happen while moto waits, so it needn't."""
        self.at += timedelta(seconds=seconds)

    def key(self, make: Callable[[], Any]) -> Any:
        """A private key: a new one, or the next of those that there were."""
        from cryptography.hazmat.primitives import serialization as form

        if self.again and self._taken < len(self.keys):
            self._taken += 1
            return form.load_pem_private_key(self.keys[self._taken - 1].encode(), None)
        made = make()
        pem: bytes = made.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
        self.keys.append(pem.decode())
        self._taken += 1
        return made

    @contextmanager
    def lived(self) -> Iterator[None]:
        """For as long as the block lasts, moto is in this moment (on this thread)."""
        from moto.moto_api._internal import mock_random

        shadow_moto()
        outer = getattr(_here, "moment", None)
        before = mock_random.getstate() if outer is not None else None
        mock_random.seed(self.seed)
        _here.moment = self
        try:
            yield
        finally:
            _here.moment = outer
            if before is not None:
                mock_random.setstate(before)
            else:
                # What is drawn outside of all moments can't be told from what was drawn in them.
                mock_random.seed()


def derived(seed: bytes, *names: str) -> bytes:
    """The seed of something that is made sooner or later, always the same one."""
    return hmac.new(seed, "\0".join(names).encode(), hashlib.sha256).digest()


_birth: tuple[datetime, bytes] | None = None


def born(at: datetime, seed: bytes) -> None:
    """When the state that is now in place began, and its seed: what moto makes of itself (default networks, say) is drawn from these."""
    global _birth
    _birth = at, seed


def _moment() -> Moment | None:
    return getattr(_here, "moment", None)


# The shadows ---------------------------------------------------------------------------------------------------------------


class _LooksLike(type):
    """A class whose instances are those of the class that it stands for."""

    stands_for: type

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.stands_for)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, cls.stands_for)


class _Datetime(datetime, metaclass=_LooksLike):
    stands_for = datetime

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return datetime(*args, **kwargs)

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        moment = _moment()
        if moment is None:
            return datetimes.datetime.now(tz)
        return moment.look().astimezone(tz) if tz is not None else moment.look().astimezone().replace(tzinfo=None)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.now(datetimes.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class _Date(datetimes.date, metaclass=_LooksLike):
    stands_for = datetimes.date

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return datetimes.date(*args, **kwargs)

    @classmethod
    def today(cls) -> Any:
        return _Datetime.now().date()


class _Shadow(types.ModuleType):
    """A module with some of its names replaced."""

    def __init__(self, module: Any, **instead: Any) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(instead)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


class _RandomShadow(_Shadow):
    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_") and _moment() is not None:
            from moto.moto_api._internal import mock_random

            if hasattr(mock_random, name):
                return getattr(mock_random, name)
        return super().__getattribute__(name)


def _in_a_moment(real: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """``real`` outside of moments, ``then(moment, …)`` in one."""

    def function(*args: Any, **kwargs: Any) -> Any:
        moment = _moment()
        return real(*args, **kwargs) if moment is None else then(moment, *args, **kwargs)

    return function


def _draw(name: str) -> Callable[..., Any]:
    def drawn(_: Moment, *args: Any, **kwargs: Any) -> Any:
        from moto.moto_api._internal import mock_random

        return getattr(mock_random, name)(*args, **kwargs)

    return drawn


def _replacements() -> dict[int, tuple[Any, Any]]:
    """What stands in the place of what: (the real thing, its shadow) by the real thing's id."""
    import cryptography
    import requests
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    now = _in_a_moment(time.time, lambda m: m.look().timestamp())
    sleep = _in_a_moment(time.sleep, lambda m, s: m.sleep(s))
    uuid1, uuid4 = _in_a_moment(uuid.uuid1, _draw("uuid1")), _in_a_moment(uuid.uuid4, _draw("uuid4"))
    urandom = _in_a_moment(os.urandom, _draw("randbytes"))
    serial = _in_a_moment(x509.random_serial_number, lambda m: _draw("getrandbits")(m, 159))

    def keys_of(module: Any) -> _Shadow:
        real = module.generate_private_key
        return _Shadow(module, generate_private_key=_in_a_moment(real, lambda m, *a, **k: m.key(lambda: real(*a, **k))))

    rsas, ecs = keys_of(rsa), keys_of(ec)
    primitives = cryptography.hazmat.primitives
    deep = _Shadow(primitives, asymmetric=_Shadow(primitives.asymmetric, rsa=rsas, ec=ecs))
    certificates = _Shadow(x509, random_serial_number=serial)
    whole = _Shadow(cryptography, x509=certificates, hazmat=_Shadow(cryptography.hazmat, primitives=deep))

    def sent(name: str) -> Callable[..., Any]:
        real = getattr(requests, name)
        return _in_a_moment(real, lambda m, *a, **k: requests.Response() if m.again else real(*a, **k))

    abroad = _Shadow(requests, post=sent("post"), get=sent("get"), put=sent("put"), request=sent("request"))
    pairs = [
        (datetimes, _Shadow(datetimes, datetime=_Datetime, date=_Date)), (datetime, _Datetime), (datetimes.date, _Date),
        (time, _Shadow(time, time=now, sleep=sleep, time_ns=_in_a_moment(time.time_ns, lambda m: int(m.look().timestamp() * 1e6) * 1000))),
        (time.time, now), (time.sleep, sleep), (uuid, _Shadow(uuid, uuid1=uuid1, uuid4=uuid4)), (uuid.uuid1, uuid1), (uuid.uuid4, uuid4),
        (random, _RandomShadow(random)), (os, _Shadow(os, urandom=urandom)), (os.urandom, urandom), (rsa, rsas), (ec, ecs),
        (x509, certificates), (cryptography, whole), (requests, abroad),
    ]  # fmt: skip
    return {id(real): (real, shadow) for real, shadow in pairs}


_NOT = ("moto.core.base_backend", "moto.moto_api._internal.moto_random")
"""Modules that draw what is only this process's, or that do the drawing."""
_lock = threading.Lock()
_shadowed: set[str] = set()
_known = 0
_instead: dict[int, tuple[Any, Any]] = {}


def shadow_moto() -> None:
    """Replace time and randomness in the modules of moto that have been loaded since the last time. Quick where there are none."""
    global _known
    if len(sys.modules) == _known:
        return
    with _lock:
        if not _instead:
            _instead.update(_replacements())
            _hold()
        known, whole = len(sys.modules), True
        for name, module in list(sys.modules.items()):
            if not name.startswith("moto.") or name in _shadowed or name in _NOT:
                continue
            if getattr(module.__spec__, "_initializing", False):
                whole = False
                continue
            _shadowed.add(name)
            for key, value in list(vars(module).items()):
                if id(value) in _instead:
                    setattr(module, key, _instead[id(value)][1])
        _known = known if whole else 0


def _hold() -> None:
    """What moto makes without a call, or keeps beside its state."""
    from moto.core.base_backend import AccountSpecificBackend
    from moto.core.common_models import BaseModel
    from moto.moto_api import state_manager
    from moto.moto_api._internal.managed_state_model import ManagedState

    states: Any = AccountSpecificBackend
    managed: Any = ManagedState
    model: Any = BaseModel
    get, advance, new = states.__getitem__, managed.advance, model.__new__

    def state_of(held: Any, region: str) -> Any:
        if _birth is None or dict.__contains__(held, "aws" if region == "global" else region):
            return get(held, region)
        at, seed = _birth
        with Moment(at, derived(seed, held.service_name, held.account_id, region)).lived():
            return get(held, region)

    def moved_on(state: Any) -> None:
        advance(state)
        moment = _moment()
        if moment is not None and state_manager.get_transition(state.model_name)["progression"] != "immediate":
            moment.changed = True

    def made(cls: Any, *args: Any, **kwargs: Any) -> Any:
        # moto lists every instance ever made, for a page of its own server: what is deleted would stay in memory.
        return new(cls, *args, **kwargs) if _moment() is None else object.__new__(cls)

    states.__getitem__ = state_of
    managed.advance = moved_on
    model.__new__ = staticmethod(made)
