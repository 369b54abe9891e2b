"""What the embedded AWS holds: accounts (as the values of an Estate), keys, passwords, devices, sessions and events; on disk when asked.

What other services hold is moto's; here is the journal of the calls that made it (``journal.py``).

Everything changes on one thread. What a call changed is on disk before its answer leaves (``commit``): SQLite in WAL mode, so that a
killed process loses nothing that it acknowledged. Files are readable by their owner only.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sekisho.decision import Authorizer
from sekisho.errors import InputError, OutsideError
from sekisho.estate import Account, Estate, account_from_json, account_to_json
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings
from sekisho.sandbox.clock import Clock
from sekisho.sandbox.credentials import new_id, new_secret_key
from sekisho.sandbox.history import History, make
from sekisho.sandbox.journal import Entry
from sekisho.sandbox.propagation import Propagation
from sekisho.sandbox.snapshot import copy_of

_VERSION = 2
_READABLE = (0, 1, _VERSION)
"""Version 1 had no journal."""
_PARTS = ("users", "groups", "roles", "policies")
"""What is kept entity by entity: a change to one of ten thousand users writes that one."""


@dataclass
class AccessKey:
    """A long-term key; ``user`` is empty for the account's root."""

    id: str
    secret: str
    account: str
    user: str
    created: str
    status: str = "Active"
    last_used: str | None = None
    last_service: str = "N/A"
    last_region: str = "N/A"


@dataclass
class Password:
    id: str
    hashed: str
    created: str
    reset_required: bool = False
    previous: list[str] = field(default_factory=list)
    last_used: str | None = None
    failures: int = 0
    locked_until: float = 0.0


@dataclass
class Device:
    """A virtual MFA device; ``user`` and ``enabled`` are None until it is enabled. ``last_step``: the last time step whose code was used."""

    id: str
    account: str
    seed: str
    user: str | None = None
    enabled: str | None = None
    last_step: int = -1
    failures: int = 0
    locked_until: float = 0.0
    tags: list[list[str]] = field(default_factory=list)


@dataclass
class Session:
    """Temporary credentials; ``id`` is the session token. Times are epoch seconds of the sandbox's clock.

    ``principal`` is the ARN that calls; ``entity`` the IAM user or role behind it. ``mfa_at``: when MFA was done, None without.
    """

    id: str
    access_key_id: str
    secret: str
    kind: str
    account: str
    principal: str
    entity: str
    issued: float
    expires: float
    mfa_at: float | None = None
    chained: bool = False
    policies: list[str] | None = None
    tags: list[list[str]] = field(default_factory=list)
    transitive: list[str] = field(default_factory=list)
    source_identity: str | None = None
    made_with: str = ""
    console: bool = False
    revoked: bool = False


@dataclass
class Organization:
    """The organisation that accounts are in (``organizations.py``): the account that manages it, its tree, and what is attached where.

    ``units`` are (name, what it is in) by id, ``members`` what an account is in, ``attached`` ids of policies by that of a root, unit or account.
    """

    id: str
    management: str
    root: str
    types: list[str] = field(default_factory=list)
    units: dict[str, list[str]] = field(default_factory=dict)
    members: dict[str, str] = field(default_factory=dict)
    policies: dict[str, dict[str, str]] = field(default_factory=dict)
    attached: dict[str, list[str]] = field(default_factory=dict)
    invited: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """An account's credential report (CSV) as it was when it was generated; ``id`` is the account's."""

    id: str
    content: str
    generated: str


@dataclass
class Stack:
    """A stack of CloudFormation with AWS::IAM resources (``stacks/``); ``id`` is its ARN.

    ``resources``: what it holds of IAM, by logical id; ``twin`` is the template of the rest, which moto holds, empty where there is none.
    ``given`` are the parameters as they were given, ``parameters`` as they are shown.
    """

    id: str
    account: str
    region: str
    name: str
    status: str = ""
    reason: str = ""
    description: str = ""
    template: str = ""
    twin: str = ""
    role: str = ""
    created: str = ""
    updated: str = ""
    deleted: str = ""
    protected: bool = False
    given: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)
    tags: list[dict[str, str]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    change_sets: dict[str, dict[str, Any]] = field(default_factory=dict)


Thing = AccessKey | Password | Device | Session | Report | Stack | Organization
_KINDS: dict[str, type[Any]] = {
    "key": AccessKey, "password": Password, "device": Device, "session": Session, "report": Report, "organization": Organization, "stack": Stack,
}  # fmt: skip
_NAME_OF: dict[type[Any], str] = {v: k for k, v in _KINDS.items()}


class Store:
    """All state of one embedded AWS. ``put`` and ``drop`` change it, ``commit`` makes the changes durable."""

    def __init__(self, folder: Path | None, account_ids: list[str]) -> None:
        self.clock = Clock()
        self.settings = DEFAULT
        self.propagation = Propagation()
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, AccessKey] = {}
        self.passwords: dict[str, Password] = {}
        self.devices: dict[str, Device] = {}
        self.sessions: dict[str, Session] = {}
        self.reports: dict[str, Report] = {}
        self.organizations: dict[str, Organization] = {}
        self.stacks: dict[str, Stack] = {}
        self._tables: dict[str, dict[str, Any]] = {
            "key": self.keys, "password": self.passwords, "device": self.devices, "session": self.sessions,
            "report": self.reports, "organization": self.organizations, "stack": self.stacks,
        }  # fmt: skip
        self._pending: list[tuple[str, tuple[Any, ...]]] = []
        self._authorizer: Authorizer | None = None
        self._behind: dict[str, tuple[dict[str, Policy], dict[str, str]]] = {}
        self._database = _open(folder) if folder is not None else None
        self.events = History(self._database)
        self.birth: tuple[datetime, bytes] = self.clock.now(), os.urandom(16)
        """When what lies behind the front began, and the seed of what it makes by itself."""
        if self._database is not None:
            self._load()
        for account_id in account_ids:
            if account_id not in self.accounts:
                self.save(Account(account_id))
        for account_id in self.accounts:
            if not any(k.account == account_id and not k.user for k in self.keys.values()):
                self.put(AccessKey(new_id("AKIA"), new_secret_key(), account_id, "", self.clock.now().isoformat()))
        self.commit()

    # What is there --------------------------------------------------------------------------------------------------

    @property
    def estate(self) -> Estate:
        """All accounts, with the resource policies of what lies behind the front."""
        return Estate.of(self._whole(account) for account in self.accounts.values())

    def _whole(self, account: Account) -> Account:
        good, bad = self._behind.get(account.id, ({}, {}))
        if not good and not bad:
            return account
        others = tuple((arn, p) for arn, p in account.resource_policies if arn not in good and arn not in bad)
        unread = (*account.unread, *((f"{arn}#policy", why) for arn, why in bad.items()))
        return replace(account, resource_policies=(*others, *good.items()), unread=unread)

    @property
    def authorizer(self) -> Authorizer:
        """Decides on what is in force now: the estate, but for changes that are on their way; built again after a change."""
        self._arrive()
        if self._authorizer is None:
            self._authorizer = Authorizer(Estate.of(self._whole(self.in_force(a)) for a in self.accounts), self.settings)
        return self._authorizer

    def _arrive(self) -> None:
        if self.propagation.waiting and self.propagation.arrived(self.clock.now().timestamp()):
            self._authorizer = None

    def in_force(self, account_id: str) -> Account:
        """The account as decisions have it (D-43): as it is, but for changes that are on their way."""
        self._arrive()
        found: Account = self.propagation.in_force(("account", account_id), self.accounts[account_id])
        return found

    def key_in_force(self, key_id: str) -> AccessKey | None:
        """The same of an access key: one that was just made isn't known yet, one that was just deleted still is."""
        self._arrive()
        found: AccessKey | None = self.propagation.in_force(("key", key_id), self.keys.get(key_id))
        return found

    def copy(self) -> bytes | None:
        """All that is kept on disk, as one file's bytes; None where nothing is."""
        self.commit()
        return None if self._database is None else copy_of(self._database)

    def delay(self, seconds: float) -> None:
        """From now on a change of IAM takes so long to be in force; what is on its way arrives when it would have."""
        self.propagation.delay_s = seconds

    def account(self, account_id: str) -> Account:
        return self.accounts[account_id]

    def root_key(self, account_id: str) -> AccessKey:
        return next(k for k in self.keys.values() if k.account == account_id and not k.user)

    def keys_of(self, account: str, user: str) -> list[AccessKey]:
        return [k for k in self.keys.values() if k.account == account and k.user == user]

    def devices_of(self, account: str, user: str) -> list[Device]:
        return [d for d in self.devices.values() if d.account == account and d.user == user]

    def password_of(self, account: str, user: str) -> Password | None:
        """A user's console password; its id is ``<account>/<user name>``."""
        return self.passwords.get(f"{account}/{user}")

    def account_named(self, name: str) -> Account | None:
        """An account by its id or alias."""
        return self.accounts.get(name) or next((a for a in self.accounts.values() if a.alias == name), None)

    def read_as(self, settings: Settings) -> None:
        """From now on decide with these readings of what AWS leaves open."""
        self.settings = settings
        self._authorizer = None

    def stack_named(self, account: str, region: str, name: str) -> Stack | None:
        """A stack by its name, or by its ARN also after it is gone."""
        mine = (s for s in self.stacks.values() if (s.account, s.region) == (account, region))
        return next((s for s in mine if s.id == name or (s.name == name and s.status != "DELETE_COMPLETE")), None)

    # Changes --------------------------------------------------------------------------------------------------------

    def save(self, account: Account) -> None:
        """Replace an account; decisions from now on see it. Of its users, groups, roles and policies only the changed ones are written."""
        before = self.accounts.get(account.id, Account(account.id))
        self.accounts[account.id] = account
        if self.propagation.change(("account", account.id), before, account, self.clock.now().timestamp()):
            self._authorizer = None
        if self._database is None:
            return
        nothing: dict[str, Any] = dict.fromkeys(_PARTS, ())
        frame = replace(account, **nothing)
        self._write("INSERT OR REPLACE INTO thing VALUES ('account', ?, ?)", account.id, lambda: json.dumps(account_to_json(frame)))
        for part in _PARTS:
            was, now = ({e.arn: e for e in getattr(a, part)} for a in (before, account))
            for arn in was.keys() - now.keys():
                self._pending.append((f"DELETE FROM thing WHERE kind = '{part}' AND id = ?", (arn,)))
            for arn, entity in now.items():
                if was.get(arn) is not entity:
                    only: dict[str, Any] = {part: (entity,)}
                    alone = Account(account.id, unread=account.unread, **only)
                    self._write(f"INSERT OR REPLACE INTO thing VALUES ('{part}', ?, ?)", arn, lambda a=alone: json.dumps(account_to_json(a)))

    def put_resource_policies(self, account: str, policies: dict[str, Policy], unreadable: dict[str, str]) -> None:
        """The resource policies of what lies behind the front, by ARN; kept, so that they count before that state has been told again."""
        before, _ = self._behind.get(account, ({}, {}))
        now = {arn: before[arn] if arn in before and before[arn].document == p.document else p for arn, p in policies.items()}
        if (now, unreadable) != self._behind.get(account, ({}, {})):
            self._behind[account] = now, unreadable
            self._authorizer = None
            body = [{arn: p.document for arn, p in now.items()}, unreadable]
            self._write("INSERT OR REPLACE INTO thing VALUES ('resource policies', ?, ?)", account, lambda: json.dumps(body))

    def note(self, entry: Entry) -> None:
        """Keep what was done to moto's state."""
        if self._database is not None:
            self._pending.append(("INSERT INTO journal (head, body) VALUES (?, ?)", entry.parts()))

    def journal(self) -> Iterator[Entry]:
        """All that was done to moto's state, in its order."""
        if self._database is not None:
            for head, body in self._database.execute("SELECT head, body FROM journal ORDER BY number"):
                yield Entry.of_parts(head, body)

    def put(self, thing: Thing) -> None:
        kind = _NAME_OF[type(thing)]
        if isinstance(thing, AccessKey):
            was = self.keys.get(thing.id)
            if was is None or was.status != thing.status:
                self.propagation.change(("key", thing.id), was, thing, self.clock.now().timestamp())
        self._tables[kind][thing.id] = thing
        self._write(f"INSERT OR REPLACE INTO thing VALUES ('{kind}', ?, ?)", thing.id, lambda: json.dumps(asdict(thing)))

    def checkpoint(self) -> Callable[[], None]:
        """What puts all accounts, credentials and sessions back to what they are now."""
        accounts = dict(self.accounts)
        kept = {kind: {k: replace(t) for k, t in table.items()} for kind, table in self._tables.items() if kind != "stack"}

        def back() -> None:
            for account in accounts.values():
                if self.accounts[account.id] is not account:
                    self.save(account)
            for kind, before in kept.items():
                table = self._tables[kind]
                for key in [k for k in table if k not in before]:
                    self.drop(table[key])
                for key, thing in before.items():
                    if table.get(key) != thing:
                        self.put(thing)

        return back

    def key_used(self, key_id: str, service: str, region: str) -> None:
        """Note for GetAccessKeyLastUsed, to the minute, that a long-term key was used."""
        key = self.keys.get(key_id)
        minute = self.clock.now().strftime("%Y-%m-%dT%H:%M:00Z")
        if key is not None and (key.last_used, key.last_service, key.last_region) != (minute, service, region):
            self.put(replace(key, last_used=minute, last_service=service, last_region=region))

    def drop(self, thing: Thing) -> None:
        kind = _NAME_OF[type(thing)]
        if isinstance(thing, AccessKey):
            self.propagation.change(("key", thing.id), thing, None, self.clock.now().timestamp())
        self._tables[kind].pop(thing.id, None)
        if self._database is not None:
            self._pending.append((f"DELETE FROM thing WHERE kind = '{kind}' AND id = ?", (thing.id,)))

    def record(self, account: str, event: dict[str, Any]) -> None:
        """Add a CloudTrail record to an account's history."""
        self.events.add(account, event)

    def _write(self, statement: str, key: str, body: Any) -> None:
        if self._database is not None:
            self._pending.append((statement, (key, body())))

    def advance_clock(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._write("INSERT OR REPLACE INTO thing VALUES ('clock', ?, ?)", "ahead", lambda: json.dumps(self.clock.ahead_s))

    def commit(self) -> None:
        """Make what has changed since the last commit durable, all of it or nothing. What can't be written waits for the next time."""
        if self._database is None or not (self._pending or self.events.is_waiting):
            return
        written: list[tuple[str, str]] = []
        try:
            with self._database:
                for statement, values in self._pending:
                    self._database.execute(statement, values)
                written = self.events.write()
            self._pending = []
        except sqlite3.Error as error:
            self.events.wait_again(written)
            raise OutsideError(f"the sandbox's state can't be written: {error}") from error

    def forget_expired(self) -> None:
        """Drop sessions that ended over an hour ago; before that they are kept, to say "expired" rather than "unknown"."""
        now = self.clock.now().timestamp()
        for session in [s for s in self.sessions.values() if s.expires < now - 3600]:
            self.drop(session)

    def close(self) -> None:
        self.commit()
        self.events.close()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _load(self) -> None:
        assert self._database is not None
        accounts: dict[str, list[dict[str, Any]]] = {}
        is_born = False
        for kind, key, body in self._database.execute("SELECT kind, id, body FROM thing ORDER BY rowid"):
            value = json.loads(body)
            if kind == "account":
                accounts.setdefault(key, []).insert(0, value)
            elif kind in _PARTS:
                accounts.setdefault(key.split(":")[4], []).append(value)
            elif kind == "clock":
                self.clock.ahead_s = value
            elif kind == "birth":
                self.birth, is_born = (datetime.fromisoformat(key), bytes.fromhex(value)), True
            elif kind == "resource policies":
                policies, unreadable = value
                self._behind[key] = {a: Policy.parse(d, kind=PolicyKind.RESOURCE, name=a) for a, d in policies.items()}, unreadable
            else:
                self._tables[kind][key] = _KINDS[kind](**value)
        for account_id, pieces in accounts.items():
            self.accounts[account_id] = account_from_json(_joined(pieces), account_id=account_id)
        if not is_born:
            self._write("INSERT INTO thing VALUES ('birth', ?, ?)", self.birth[0].isoformat(), lambda: json.dumps(self.birth[1].hex()))
        latest = self.events.latest()
        if latest:
            self.clock.not_before(datetime.fromisoformat(latest.replace("Z", "+00:00")))


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    """An account's JSON from the account alone and, each by itself, all that is in it."""
    body = {**pieces[0], "Sekisho": dict(pieces[0].get("Sekisho", {}))}
    for piece in pieces[1:]:
        for key, value in piece.items():
            if key == "Sekisho":
                for more in ("users", "roles"):
                    body[key][more] = {**body[key].get(more, {}), **value.get(more, {})}
            else:
                body[key] = [*body.get(key, ()), *value]
    return body


def _open(folder: Path) -> sqlite3.Connection:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "sandbox.sqlite"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        os.chmod(path, 0o600)
        database = sqlite3.connect(path, check_same_thread=False, timeout=1)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        found = database.execute("PRAGMA user_version").fetchone()[0]
        if found not in _READABLE:
            raise InputError(f"{path} is of version {found}", expected=f"version {_VERSION}", remedy="use another --state folder")
        with database:
            database.execute("CREATE TABLE IF NOT EXISTS thing (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id))")
            database.execute("CREATE TABLE IF NOT EXISTS journal (number INTEGER PRIMARY KEY, head TEXT, body BLOB)")
            make(database)
            database.execute(f"PRAGMA user_version = {_VERSION}")
        return database
    except (OSError, sqlite3.Error) as error:
        raise OutsideError(
            f"{folder}: the sandbox's state can't be opened: {error}", remedy="is another sandbox using this --state folder?"
        ) from error


