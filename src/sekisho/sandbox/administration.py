"""What only the administrator of a sandbox does while it runs: move its time, set how fast IAM's changes arrive, choose a reading, take a copy.

``/_sekisho/…`` on the port, which can be no bucket's name: GET for what is, POST a JSON object for what shall be, with the token of the access file
as ``Authorization: Bearer …``. Everything here is a function of the running ``EmbeddedAws`` as well, for the console's own page.
"""

from __future__ import annotations

import hmac
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.errors import InputError, OutsideError

if TYPE_CHECKING:
    from sekisho.sandbox.front import EmbeddedAws

PATH = "/_sekisho/"
FILE = "administration.json"
"""In the folder of the access files, readable by its owner only: ``endpoint`` and ``token``."""
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"\+?((?:\d+(?:\.\d+)?[smhd])+)")
MOST_S = 10 * 365 * 86400
READINGS = ("original", "service")


def duration(text: str) -> float:
    """Seconds of ``+2h``, ``90m``, ``1d12h``. Raises InputError.

    >>> duration("+1h30m")
    5400.0
    """
    match = _DURATION.fullmatch(text.strip())
    seconds = sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([smhd])", match[1])) if match else -1.0
    if not 0 <= seconds <= MOST_S:
        raise InputError(f"{text[:40]!r} is no duration", expected="such as 30s, 90m, 2h, 1d12h; at most ten years", remedy="time only goes forward")
    return seconds


def is_administrator(aws: EmbeddedAws, token: str) -> bool:
    """Whether a token is the one of the access file."""
    return hmac.compare_digest(aws.administration_token.encode(), token.encode("utf-8", "replace"))


def state(aws: EmbeddedAws) -> dict[str, Any]:
    """The sandbox's time, how far it is ahead, how fast changes arrive and how many are on their way, and the reading of E-12."""
    store = aws.store
    return {
        "time": store.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ"), "ahead_s": round(store.clock.ahead_s, 3),
        "propagation_s": store.propagation.delay_s, "changes_on_their_way": store.propagation.waiting,
        "fas_source_ip": store.settings.fas_source_ip,
        "sessions": sum(s.expires > store.clock.now().timestamp() and not s.revoked for s in store.sessions.values()),
    }  # fmt: skip


def move_time(aws: EmbeddedAws, by: str) -> None:
    """Let time pass: sessions run out, MFA ages, codes of devices are those of the new time. It never goes back. Raises InputError."""
    aws.store.advance_clock(duration(by))


def set_propagation(aws: EmbeddedAws, delay: str) -> None:
    """How long changes of IAM take to be in force (D-43); 0s: none. Raises InputError."""
    aws.store.delay(duration(delay))


def set_reading(aws: EmbeddedAws, fas_source_ip: str) -> None:
    """Which address a service's call on a caller's behalf comes from (E-12). Raises InputError."""
    if fas_source_ip not in READINGS:
        raise InputError(f"{fas_source_ip[:40]!r} is no reading", expected="original or service")
    aws.store.read_as(replace(aws.store.settings, fas_source_ip=fas_source_ip))  # type: ignore[arg-type]


_CHANGES: Mapping[str, tuple[str, Callable[[EmbeddedAws, str], None]]] = {
    "time": ("ahead", move_time), "propagation": ("delay", set_propagation), "reading": ("fas_source_ip", set_reading),
}  # fmt: skip
"""What is changed at ``/_sekisho/<name>``: the member of the body that says how, and by whom."""


def answered(aws: EmbeddedAws, method: str, step: str, token: str, body: bytes) -> tuple[int, Any]:
    """(status, what to say: JSON, or the bytes of a copy) of one request to ``/_sekisho/<step>``."""
    if not is_administrator(aws, token):
        return 401, {"message": f"Give the token of {FILE} as a bearer token: Authorization: Bearer …"}
    if method == "GET" and step == "state":
        return 200, state(aws)
    if method == "GET" and step == "snapshot":
        copy = aws.store.copy()
        return (200, copy) if copy is not None else (409, {"message": "This sandbox keeps nothing on disk: start it with --state."})
    if method != "POST" or step not in _CHANGES:
        return 404, {"message": "There are GET state and snapshot, and POST time, propagation and reading."}
    member, change = _CHANGES[step]
    try:
        given = json.loads(body)
        if not isinstance(given, dict) or not isinstance(given.get(member), str):
            raise ValueError
        change(aws, given[member])
    except (ValueError, RecursionError):
        return 400, {"message": f"The body is no JSON object with a text {member}."}
    except InputError as error:
        return 400, {"message": str(error)}
    return 200, state(aws)


# --- from outside ------------------------------------------------------------------------------------------------------------


class Administrator:
    """A running sandbox, reached with what its access file says. ``where``: that file, its folder, or the ready file. Raises InputError."""

    def __init__(self, where: Path) -> None:
        file = where / FILE if where.is_dir() else where
        try:
            said = json.loads(file.read_text(encoding="utf-8"))
            if "token" not in said:
                said = json.loads(Path(said["administration_file"]).read_text(encoding="utf-8"))
            self.endpoint, self._token = str(said["endpoint"]), str(said["token"])
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(
                f"{where} tells of no sandbox", expected=f"the --state folder of one, its {FILE}, or its ready file",
                remedy="start it with --state or --ready-file",
            ) from None  # fmt: skip

    def ask(self, step: str, body: Mapping[str, str] | None = None) -> bytes:
        """The answer of one request. Raises InputError where the sandbox takes it amiss, OutsideError where there is none."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        request = urllib.request.Request(f"{self.endpoint}{PATH}{step}", data, headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            text = error.read().decode("utf-8", "replace")
            with suppress(ValueError, KeyError, TypeError):
                text = str(json.loads(text)["message"])
            raise InputError(text[:500]) from None
        except OSError as error:
            raise OutsideError(f"{self.endpoint} doesn't answer: {error}", remedy="start the sandbox that the file is of") from None

