"""A CloudTrail record as typed values, and many of them as the columns of the store (rule book G-02 to G-10).

Decoding is typed: unknown fields are ignored (G-02), a field of a wrong type sets the record aside with the reason. The quick way
takes a whole document at once; only where that fails is it looked at record by record, to find the ones at fault.

A record's place is its file and its ordinal: the how manieth record of the file it is, counted from 0, those set aside included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec import field as named

from sekisho.trail.resources import resource_of

# --- the record ----------------------------------------------------------------------------------------------------------


class Attributes(Struct, gc=False):
    mfaAuthenticated: str | bool | None = None
    creationDate: str | None = None


class Issuer(Struct, gc=False):
    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    userName: str | None = None


class SessionContext(Struct, gc=False):
    attributes: Attributes | None = None
    sessionIssuer: Issuer | None = None
    sourceIdentity: str | None = None


class Identity(Struct, gc=False):
    type: str | None = None
    principalId: str | None = None
    arn: str | None = None
    accountId: str | None = None
    accessKeyId: str | None = None
    userName: str | None = None
    invokedBy: str | None = None
    sessionContext: SessionContext | None = None


class Resource(Struct, gc=False):
    ARN: str | None = None
    accountId: str | None = None
    type: str | None = None


class Record(Struct, gc=False):
    """One event, as far as it is typed. Identities repeat, and are read once a batch; ``requestParameters`` and its like only for some sources."""

    eventID: str
    eventName: str
    eventSource: str
    eventTime: str | None = None
    shipped: str | None = named(name="@timestamp", default=None)
    eventVersion: str = "1.0"
    eventType: str | None = None
    eventCategory: str | None = None
    awsRegion: str | None = None
    recipientAccountId: str | None = None
    userIdentity: Raw = Raw(b"null")
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    errorMessage: str | None = None
    readOnly: bool | None = None
    managementEvent: bool | None = None
    requestID: str | None = None
    sharedEventID: str | None = None
    vpcEndpointId: str | None = None
    sessionCredentialFromConsole: str | bool | None = None
    resources: list[Resource] | None = None
    requestParameters: Raw = Raw(b"null")
    responseElements: Raw = Raw(b"null")
    additionalEventData: Raw = Raw(b"null")


class Parameters(Struct, gc=False):
    """requestParameters of what IAM, STS and the sign-in need."""

    roleArn: str | None = None
    roleSessionName: str | None = None
    durationSeconds: int | None = None
    externalId: str | None = None
    sourceIdentity: str | None = None
    serialNumber: str | None = None
    policy: str | None = None
    userName: str | None = None
    roleName: str | None = None
    groupName: str | None = None
    policyName: str | None = None
    policyArn: str | None = None
    virtualMFADeviceName: str | None = None
    instanceProfileName: str | None = None
    path: str | None = None
    policyArns: Raw = Raw(b"null")
    tags: Raw = Raw(b"null")


class Credentials(Struct, gc=False):
    accessKeyId: str | None = None
    expiration: str | None = None


class AssumedRoleUser(Struct, gc=False):
    arn: str | None = None
    assumedRoleId: str | None = None


class AccessKey(Struct, gc=False):
    accessKeyId: str | None = None


class Response(Struct, gc=False):
    """responseElements of the same: the new session's key and ARN (G-04), and the sign-in's outcome (G-03, G-06, G-11)."""

    credentials: Credentials | None = None
    assumedRoleUser: AssumedRoleUser | None = None
    accessKey: AccessKey | None = None
    ConsoleLogin: str | None = None
    SwitchRole: str | None = None
    CheckMfa: str | None = None
    GetSigninToken: str | None = None
    ExitRole: str | None = None


class Additional(Struct, gc=False):
    """additionalEventData of sign-in events (G-03, G-06)."""

    MFAUsed: str | None = None
    SwitchFrom: str | None = None
    LoginTo: str | None = None


class LookedUp(Struct):
    """One entry of what ``aws cloudtrail lookup-events`` prints."""

    CloudTrailEvent: str


class Document(Struct, gc=False):
    """A delivery file, or what ``lookup-events`` prints."""

    Records: list[Record] | UnsetType | None = UNSET
    Events: list[LookedUp] | UnsetType | None = UNSET


class RawDocument(Struct):
    Records: list[Raw] | UnsetType | None = UNSET
    Events: list[Raw] | UnsetType | None = UNSET
    digestStartTime: Any = UNSET
    eventID: Any = UNSET


_DOCUMENT = msgspec.json.Decoder(Document)
_RAW_DOCUMENT = msgspec.json.Decoder(RawDocument)
_RAW_LIST = msgspec.json.Decoder(list[Raw])
_RECORD = msgspec.json.Decoder(Record)
_LOOKED_UP = msgspec.json.Decoder(LookedUp)
_IDENTITY = msgspec.json.Decoder(Identity | None)
_PARAMETERS = msgspec.json.Decoder(Parameters | None)
_RESPONSE = msgspec.json.Decoder(Response | None)
_ADDITIONAL = msgspec.json.Decoder(Additional | None)

_UNFIT = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding raises for bytes that are not what they should be."""

TYPED_SOURCES = frozenset(("sts.amazonaws.com", "iam.amazonaws.com", "signin.amazonaws.com"))
"""Event sources whose parameters and answers are read into columns."""


# --- bytes → records -----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class SetAside:
    """A record, or the rest of a file, that could not be used. ``ordinal`` is None where it is no record of its own."""

    ordinal: int | None
    reason: str


@dataclass(slots=True)
class Decoded:
    """The records of one piece of a file with their ordinals, what was set aside, and how many ordinals were used."""

    records: list[Record] = field(default_factory=list)
    ordinals: list[int] | range = field(default_factory=list)
    set_aside: list[SetAside] = field(default_factory=list)
    seen: int = 0
    kept: int = 0

    def written(self) -> None:
        """The records are in a part now: keep their number, and let them go."""
        self.kept = len(self.records)
        self.records, self.ordinals = [], []


def decode_document(data: bytes, first: int = 0) -> Decoded:
    """A whole file that isn't JSON lines: ``{"Records": […]}``, lookup-events output, a list of events, one event, or several of them."""
    try:
        document = _DOCUMENT.decode(data)
    except _UNFIT:
        return _one_by_one(data, first)
    if isinstance(document.Records, list) and document.Events is UNSET:
        return _checked(document.Records, range(first, first + len(document.Records)))
    return _one_by_one(data, first)


def decode_lines(data: bytes, first: int = 0) -> Decoded:
    """Whole lines of a JSON lines file: each an event, or a document of its own."""
    try:
        records = _RECORD.decode_lines(data)
    except _UNFIT:
        return _lines_one_by_one(data, first)
    return _checked(records, range(first, first + len(records)))


def is_lines(head: bytes) -> bool:
    """Whether a file that begins with ``head`` (some 64 KB) is JSON lines: its first line is an object, and more follows."""
    line, newline, rest = head.lstrip().partition(b"\n")
    if not newline or not rest.strip() or not line.lstrip().startswith(b"{"):
        return False
    try:
        msgspec.json.decode(line, type=dict[str, Raw])
    except _UNFIT:
        return False
    return True


def raw_records(data: bytes) -> Iterator[bytes]:
    """Every record of a document or of lines, as it stands in the file, in the order of the ordinals."""
    if is_lines(data[:65536]) or is_lines(data):
        for line in data.splitlines():
            if line.strip():
                yield from (raw for raw, _ in _raw_of_value(line))
        return
    yield from (raw for raw, _ in _raw_of_value(data))


def _checked(records: list[Record], ordinals: range) -> Decoded:
    """What the types can't say: a time that is one (G-01), a version that is one (G-02)."""
    # Arrow reads the times later, and refuses what is none; here it is enough that they look alike.
    lengths = {len(r.eventTime or "") for r in records}
    if lengths <= {20} and {r.eventVersion for r in records} <= _KNOWN and "" not in {r.eventID for r in records}:
        return Decoded(records, ordinals, [], len(records))
    good: list[Record] = []
    kept: list[int] = []
    aside: list[SetAside] = []
    for ordinal, record in zip(ordinals, records, strict=True):
        wrong = _sound(record)
        if wrong is None:
            good.append(record)
            kept.append(ordinal)
        else:
            aside.append(SetAside(ordinal, wrong))
    return Decoded(good, kept, aside, len(records))


_TIME = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z?", re.ASCII)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,6})", re.ASCII)
_KNOWN = {f"1.{minor}" for minor in range(12)} | {f"1.0{minor}" for minor in range(1, 10)}


def _sound(record: Record) -> str | None:
    """Why a record of the right types still can't be used, or None."""
    at = record.eventTime
    if at is None:
        at = record.eventTime = record.shipped
    if at is None:
        return "eventTime is missing"
    if not _TIME_QUICK(at):
        if not _TIME.fullmatch(at):
            return f"eventTime is no time: {at[:40]!r}"
        if at[-1] != "Z":
            record.eventTime = at + "Z"
    if record.eventVersion not in _KNOWN:
        version = _VERSION.fullmatch(record.eventVersion)
        if version is None:
            return f"eventVersion is no version: {record.eventVersion[:40]!r}"
        if version[1] != "1":
            return f"eventVersion {record.eventVersion} is of a major version that isn't known (known: 1)"
    if not record.eventID:
        return "eventID is empty"
    return None


_TIME_QUICK = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII).fullmatch


def _one_by_one(data: bytes, first: int) -> Decoded:
    """The slow way, for a document that the quick way refused: each record on its own."""
    result = Decoded(ordinals=[])
    for raw, problem in _raw_of_value(data):
        _take(result, raw, problem, first)
    return result


def _lines_one_by_one(data: bytes, first: int) -> Decoded:
    result = Decoded(ordinals=[])
    for line in data.splitlines():
        if line.strip():
            for raw, problem in _raw_of_value(line):
                _take(result, raw, problem, first)
    return result


def _take(result: Decoded, raw: bytes, problem: str | None, first: int) -> None:
    ordinal = first + result.seen
    if problem is not None:
        result.set_aside.append(SetAside(ordinal if raw else None, problem))
        result.seen += bool(raw)
        return
    result.seen += 1
    try:
        record = _RECORD.decode(raw)
    except _UNFIT as error:
        result.set_aside.append(SetAside(ordinal, _reason(error)))
        return
    wrong = _sound(record) or _wrong_inside(record)
    if wrong is not None:
        result.set_aside.append(SetAside(ordinal, wrong))
        return
    result.records.append(record)
    assert isinstance(result.ordinals, list)
    result.ordinals.append(ordinal)


def _reason(error: Exception) -> str:
    text = str(error)
    if "utf-8" in text.lower() or isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deep"
    return text[:200]


def _raw_of_value(data: bytes) -> Iterator[tuple[bytes, str | None]]:
    """(a record's bytes, why it is known to be none) for each record in one or more JSON values that follow each other."""
    try:
        yield from _raw_of_document(data)
        return
    except _UNFIT as error:
        problem = _reason(error)
    if not data.strip():
        yield b"", "the file is empty"
        return
    if b"{" not in data[:65536]:
        yield b"", f"no JSON ({problem})"
        return
    yield from _salvaged(data, problem)


def _raw_of_document(data: bytes) -> list[tuple[bytes, str | None]]:
    if data.lstrip()[:1] == b"[":
        return [(bytes(raw), None) for raw in _RAW_LIST.decode(data)]
    document = _RAW_DOCUMENT.decode(data)
    if isinstance(document.Records, list):
        return [(bytes(raw), None) for raw in document.Records]
    if isinstance(document.Events, list):
        return [_looked_up(bytes(raw)) for raw in document.Events]
    if document.digestStartTime is not UNSET:
        return [(b"", "a digest file, which holds no events")]
    if document.eventID is UNSET:
        return [(b"", "JSON, but no CloudTrail record in it (no Records, no Events, no eventID)")]
    return [(data, None)]


def _looked_up(raw: bytes) -> tuple[bytes, str | None]:
    try:
        return _LOOKED_UP.decode(raw).CloudTrailEvent.encode(), None
    except _UNFIT as error:
        return raw, f"lookup-events entry: {_reason(error)}"


_RECORDS_HEAD = re.compile(r'\s*\{\s*"Records"\s*:\s*\[', re.ASCII)


def _salvaged(data: bytes, problem: str) -> Iterator[tuple[bytes, str | None]]:
    """What can be had from bytes that are no JSON document: values that follow each other, and a Records list that breaks off."""
    # surrogateescape keeps what isn't UTF-8 as it is; the record that has it is refused by itself.
    text = data.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    at, end = 0, len(text)

    def skip(to: int) -> int:
        while to < end and text[to] in " \t\r\n":
            to += 1
        return to

    def one(to: int) -> int | None:
        try:
            return decoder.raw_decode(text, to)[1]
        except (ValueError, RecursionError):
            return None

    while (at := skip(at)) < end:
        stop = one(at)
        if stop is not None:
            try:
                yield from _raw_of_document(text[at:stop].encode("utf-8", "surrogateescape"))
            except _UNFIT as error:
                yield text[at:stop].encode("utf-8", "surrogateescape"), _reason(error)
            at = stop
            continue
        head = _RECORDS_HEAD.match(text, at)
        if head is not None:
            at = skip(head.end())
            while at < end and (stop := one(at)) is not None:
                yield text[at:stop].encode("utf-8", "surrogateescape"), None
                at = skip(stop)
                if at < end and text[at] == ",":
                    at = skip(at + 1)
            yield text[at:].encode("utf-8", "surrogateescape"), f"broken JSON: the rest of the file is unreadable ({problem})"
            return
        newline = text.find("\n", at)
        if newline < 0:
            newline = end
        yield text[at:newline].encode("utf-8", "surrogateescape"), f"no JSON ({problem})"
        at = newline


def _wrong_inside(record: Record) -> str | None:
    """Why the parameters or answers of an IAM, STS or sign-in record can't be read, or None."""
    try:
        identity_of(record)
        inside(record)
        for raw in (record.requestParameters, record.responseElements, record.additionalEventData):
            bytes(raw).decode()
    except _UNFIT as error:
        return _reason(error)
    return None


# --- records → columns ---------------------------------------------------------------------------------------------------

_NO_ATTRIBUTES = Attributes()
_NO_ISSUER = Issuer()
_NO_SESSION = SessionContext()
_NOBODY = Identity()
_NO_PARAMETERS = Parameters()
_NO_RESPONSE = Response()
_NO_ADDITIONAL = Additional()
_NO_CREDENTIALS = Credentials()
_NO_ASSUMED = AssumedRoleUser()
_NO_KEY = AccessKey()
_NULL = b"null"
_NOTHING = (_NO_PARAMETERS, _NO_RESPONSE, _NO_ADDITIONAL)

EVENTS = pa.schema(
    [
        ("event_id", pa.string()), ("event_time", pa.timestamp("ms")), ("request", pa.int64()), ("user_agent", pa.string()),
        ("error_message", pa.string()), ("shared_event_id", pa.string()), ("access_key", pa.string()), ("session_created", pa.timestamp("ms")),
        ("from_console", pa.bool_()), ("role_arn", pa.string()), ("role_session_name", pa.string()), ("duration_s", pa.int64()),
        ("external_id", pa.string()), ("serial_number", pa.string()), ("session_policy", pa.bool_()), ("on_user", pa.string()),
        ("on_role", pa.string()), ("on_group", pa.string()), ("policy_name", pa.string()), ("policy_arn", pa.string()), ("new_key", pa.string()),
        ("new_session", pa.string()), ("outcome", pa.string()), ("mfa_used", pa.bool_()), ("switch_from", pa.string()), ("file", pa.string()),
        ("ordinal", pa.int64()),
    ]
)  # fmt: skip
"""What is each event's own. ``request`` names a row of ``REQUESTS``. ``outcome``: what a sign-in says (Success, Failure).
``new_key``: of the session or access key that was made."""

_WHO = ("identity_type", "principal", "principal_id", "principal_account", "user_name", "invoked_by", "key_kind", "mfa", "issuer", "source_identity")
_WHAT = (
    "source", "name", "region", "account", "type", "category", "read_only", "address", "vpc_endpoint", "error_code", "resource", "resource_account",
)  # fmt: skip
_HOW = ("has_parameters", "has_serial", "set_source_identity", "session_tags")
_BOOLEANS = ("mfa", "read_only", "has_parameters", "has_serial")

REQUESTS = pa.schema([("request", pa.int64()), *((n, pa.bool_() if n in _BOOLEANS else pa.string()) for n in (*_WHO, *_WHAT, *_HOW))])
"""What many events of a part have in common: who asked for what, from where, and what came of it. Events of one request are decided alike."""


class Requests:
    """The distinct requests of one part, numbered from ``first`` on. Beyond ``MOST`` they are forgotten: a request may then have two numbers."""

    MOST = 200_000

    def __init__(self, first: int = 0) -> None:
        self.next = first
        self._who: dict[tuple[Any, ...], int] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._first_row = first

    def who(self, identity: tuple[Any, ...]) -> int:
        """A number for what matters of an identity."""
        return self._who.setdefault(identity, len(self._who))

    def numbers(self, keys: Iterable[tuple[Any, ...]], whos: Sequence[tuple[Any, ...]], of: Sequence[int]) -> list[int]:
        """The number of each request. ``keys`` begin with the number of who asked; ``whos[of[i]]`` is the identity of the i-th."""
        found: list[int] = []
        known = self._numbers
        for key in keys:
            number = known.get(key)
            if number is None:
                number = known[key] = self.next
                self.next += 1
                self._rows.append((whos[of[len(found)]], key))
            found.append(number)
        return found

    def take(self) -> pa.Table:
        """The rows that were not taken yet."""
        rows, self._rows = self._rows, []
        first, self._first_row = self._first_row, self._first_row + len(rows)
        if len(self._numbers) > self.MOST:
            self._numbers.clear()
            self._who.clear()
        data: list[pa.Array] = [pa.array(range(first, first + len(rows)), pa.int64())]
        data += [pa.array([r[0][i] for r in rows], REQUESTS.field(n).type) for i, n in enumerate(_WHO)]
        data += [pa.array([r[1][i + 1] for r in rows], REQUESTS.field(n).type) for i, n in enumerate(_WHAT)]
        hows = [r[1][-1] or (False, False, None, None) for r in rows]
        data += [pa.array([h[i] for h in hows], REQUESTS.field(n).type) for i, n in enumerate(_HOW)]
        return pa.Table.from_arrays(data, schema=REQUESTS)


def identity_of(record: Record) -> Identity:
    """The record's userIdentity. Raises ValidationError where it is of a wrong type."""
    try:
        return _IDENTITY.decode(record.userIdentity) or _NOBODY
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} of userIdentity") from None


def _who(u: Identity) -> tuple[Any, ...]:
    """What matters of an identity, in the order of ``_WHO``."""
    session = u.sessionContext or _NO_SESSION
    attributes = session.attributes or _NO_ATTRIBUTES
    key = u.accessKeyId or None
    kind = None
    if key is not None or attributes.creationDate is not None:
        kind = "session" if attributes.creationDate is not None or (key or "").startswith("ASIA") else "key"
        if key is not None and key.startswith("AKIA"):
            kind = "key"
    return (
        u.type, u.arn, u.principalId, u.accountId, u.userName, u.invokedBy, kind, _TRUTH.get(attributes.mfaAuthenticated),
        (session.sessionIssuer or _NO_ISSUER).arn, session.sourceIdentity,
    )  # fmt: skip


def inside(record: Record) -> tuple[Parameters, Response, Additional]:
    """The typed parameters and answers of an IAM, STS or sign-in record; of any other, nothing."""
    if record.eventSource not in TYPED_SOURCES:
        return _NOTHING
    parameters, response, additional = bytes(record.requestParameters), bytes(record.responseElements), bytes(record.additionalEventData)
    if parameters == response == additional == _NULL:
        return _NOTHING
    return (
        (_PARAMETERS.decode(parameters) or _NO_PARAMETERS) if parameters != _NULL else _NO_PARAMETERS,
        (_RESPONSE.decode(response) or _NO_RESPONSE) if response != _NULL else _NO_RESPONSE,
        (_ADDITIONAL.decode(additional) or _NO_ADDITIONAL) if additional != _NULL else _NO_ADDITIONAL,
    )


def _truth(value: str | bool | None) -> bool | None:
    """``"true"``, ``"Yes"`` and ``"YES"`` are all true (G-03)."""
    if value is None or isinstance(value, bool):
        return value
    lower = value.lower()
    return True if lower in ("true", "yes") else False if lower in ("false", "no") else None


_TRUTH: dict[str | bool | None, bool | None] = {v: _truth(v) for v in ("true", "false", "Yes", "No", "YES", "NO", "True", "False")} | {
    None: None,
    True: True,
    False: False,
}


def _text(raw: Raw) -> str | None:
    data = bytes(raw)
    return None if data == _NULL or data == b"[]" else data.decode()


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one file. ``account``: the one that the file's path names, for records of old that don't say."""

    decoded: Decoded
    file: str
    account: str | None = None


def _columns(pieces: Sequence[Piece], requests: Requests) -> pa.RecordBatch:
    """The columns ``EVENTS`` of the records of some files, made at once: files are often small, and a column has its price.

    Raises msgspec.MsgspecError where what is needed is of a wrong type; the caller then goes one by one.
    """
    records = [r for p in pieces for r in p.decoded.records]
    n = len(records)
    text = pa.string()
    # Identities repeat: each is read once, and its columns are spread over the rows.
    seen: dict[bytes, int] = {}
    identities: list[Identity] = []
    of: list[int] = []
    for r in records:
        raw = bytes(r.userIdentity)
        i = seen.get(raw)
        if i is None:
            identities.append(identity_of(r))
            i = seen[raw] = len(identities) - 1
        of.append(i)
    whos = [_who(u) for u in identities]
    who_numbers = [requests.who(w) for w in whos]
    accounts = [u.accountId for u in identities]
    by_identity = pa.array(of, pa.int32())
    # Few records are of IAM, STS or the sign-in: their columns are made of those alone.
    typed = [(i, inside(r)) for i, r in enumerate(records) if r.eventSource in TYPED_SOURCES]
    ps = [t[0] for _, t in typed]
    rs = [t[1] for _, t in typed]
    ads = [t[2] for _, t in typed]
    rows: list[int | None] = [None] * n
    parameters = [_NO_PARAMETERS] * n
    hows: list[tuple[Any, ...] | None] = [None] * n
    for at, (i, (p, _, _)) in enumerate(typed):
        rows[i] = at
        parameters[i] = p
        if p is not _NO_PARAMETERS:
            hows[i] = (p.roleArn is not None, p.serialNumber is not None, p.sourceIdentity, _text(p.tags))
    spread = pa.array(rows, pa.int32())
    path_accounts = [p.account for p in pieces for _ in p.decoded.records]
    found = [resource_of(r, p, identities[i]) for r, p, i in zip(records, parameters, of)]
    keys = (
        (
            who_numbers[i], r.eventSource, r.eventName, r.awsRegion, r.recipientAccountId or accounts[i] or a, r.eventType, r.eventCategory,
            r.readOnly, r.sourceIPAddress, r.vpcEndpointId, r.errorCode, *f, how,
        )
        for r, i, a, f, how in zip(records, of, path_accounts, found, hows)
    )  # fmt: skip
    numbers = requests.numbers(keys, whos, of)

    def array(values: list[Any]) -> pa.Array:
        return pa.array(values, text)

    def sparse(values: list[Any], kind: pa.DataType = text) -> pa.Array:
        return pa.array(values, kind).take(spread) if values else pa.nulls(n, kind)

    created = _moments(array([((u.sessionContext or _NO_SESSION).attributes or _NO_ATTRIBUTES).creationDate for u in identities]))
    data = [
        array([r.eventID for r in records]),
        _moments(array([r.eventTime for r in records])),
        pa.array(numbers, pa.int64()),
        array([r.userAgent for r in records]),
        array([r.errorMessage for r in records]),
        array([r.sharedEventID for r in records]),
        array([u.accessKeyId or None for u in identities]).take(by_identity),
        created.take(by_identity),
        pa.array([_TRUTH.get(r.sessionCredentialFromConsole) for r in records], pa.bool_()),
        sparse([p.roleArn for p in ps]),
        sparse([p.roleSessionName for p in ps]),
        sparse([p.durationSeconds for p in ps], pa.int64()),
        sparse([p.externalId for p in ps]),
        sparse([p.serialNumber for p in ps]),
        sparse([p is not _NO_PARAMETERS and (p.policy is not None or bytes(p.policyArns) not in (_NULL, b"[]")) for p in ps], pa.bool_()),
        sparse([p.userName for p in ps]),
        sparse([p.roleName for p in ps]),
        sparse([p.groupName for p in ps]),
        sparse([p.policyName for p in ps]),
        sparse([p.policyArn for p in ps]),
        sparse([(r.credentials or r.accessKey or _NO_KEY).accessKeyId for r in rs]),
        sparse([(r.assumedRoleUser or _NO_ASSUMED).arn for r in rs]),
        sparse([r.ConsoleLogin or r.SwitchRole or r.CheckMfa or r.GetSigninToken or r.ExitRole for r in rs]),
        sparse([_TRUTH.get(a.MFAUsed) for a in ads], pa.bool_()),
        sparse([a.SwitchFrom for a in ads]),
        array([p.file for p in pieces]).take(pa.array([i for i, p in enumerate(pieces) for _ in p.decoded.records], pa.int32())),
        pa.array([o for p in pieces for o in p.decoded.ordinals], pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(data, schema=EVENTS)


def batch(pieces: Sequence[Piece], requests: Requests) -> pa.RecordBatch:
    """The columns of what was decoded; records whose typed parameters turn out wrong are set aside in their ``decoded``."""
    unfit = (*_UNFIT, pa.ArrowInvalid, OverflowError)
    try:
        return _columns(pieces, requests)
    except unfit:
        pass
    good: list[pa.RecordBatch] = []
    for piece in pieces:
        try:
            good.append(_columns([piece], requests))
            continue
        except unfit:
            pass
        sound = Decoded(ordinals=[])
        for record, ordinal in zip(piece.decoded.records, piece.decoded.ordinals, strict=True):
            one = Piece(Decoded([record], [ordinal]), piece.file, piece.account)
            try:
                good.append(_columns([one], requests))
                sound.records.append(record)
            except unfit as error:
                piece.decoded.set_aside.append(SetAside(ordinal, _sound(record) or _reason(error)))
        piece.decoded.records = sound.records
    return pa.concat_batches(good) if good else pa.RecordBatch.from_pylist([], schema=EVENTS)


def _moments(texts: pa.Array) -> pa.Array:
    """ISO 8601 in UTC → milliseconds; ArrowInvalid for what is none."""
    return texts.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.timestamp("ms"))
