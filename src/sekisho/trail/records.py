"""A CloudTrail record as typed values, and many of them as the columns of the store (rule book G-02 to G-10).

Decoding is typed: unknown fields are ignored (G-02), a field of a wrong type sets the record aside with the reason. The quick way
takes a whole document at once, parameters and answers with it; only where that fails is it looked at record by record, to find the ones
at fault. What repeats from record to record (who asked, what for) is made into values once and found again by its bytes or its tuple.

A record's place is its file and its ordinal: the how manieth record of the file it is, counted from 0, those set aside included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import accumulate
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec import field as named

from sekisho.trail.resources import resource_of

# --- the record ----------------------------------------------------------------------------------------------------------

NULL = Raw(b"null")


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


class Parameters(Struct, gc=False):
    """requestParameters of what IAM, STS, S3 and the sign-in need."""

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
    policyArns: Raw = NULL
    tags: Raw = NULL
    bucketName: str | None = None
    key: Any = None
    """Of S3 a text; of DynamoDB, whose records are many, an object."""


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


class Record(Struct, gc=False):
    """One event, as far as it is typed. ``userIdentity`` stays as it is written: identities repeat, and each is read once."""

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
    requestParameters: Parameters | None = None
    responseElements: Response | None = None
    additionalEventData: Additional | None = None


class Elsewhere(Record, gc=False):
    """A record of a service whose parameters and answers aren't looked into: they may be anything, and be called what IAM's are."""

    requestParameters: Any = None
    responseElements: Any = None
    additionalEventData: Any = None


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
_ELSEWHERE = msgspec.json.Decoder(Elsewhere)
_LOOKED_UP = msgspec.json.Decoder(LookedUp)
_IDENTITY = msgspec.json.Decoder(Identity | None)

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
    if lengths <= {20} and {r.eventVersion for r in records} <= _KNOWN and all(map(_event_id, records)):
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


_event_id = attrgetter("eventID")
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
        record = _record(raw)
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


def _record(raw: bytes) -> Record:
    """One record on its own. Raises what is in ``_UNFIT`` where a field is of a wrong type that matters."""
    try:
        return _RECORD.decode(raw)
    except msgspec.ValidationError:
        record = _ELSEWHERE.decode(raw)
        if record.eventSource in TYPED_SOURCES:
            raise
    given = record.requestParameters
    bucket = given.get("bucketName") if isinstance(given, dict) else None
    record.requestParameters = Parameters(bucketName=bucket, key=given.get("key")) if isinstance(bucket, str) else None
    record.responseElements = record.additionalEventData = None
    return record


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
    """Why the caller's identity can't be read, or None."""
    try:
        identity_of(record)
    except _UNFIT as error:
        return _reason(error)
    return None


# --- records → columns ---------------------------------------------------------------------------------------------------

_NO_ATTRIBUTES = Attributes()
_NO_ISSUER = Issuer()
_NO_SESSION = SessionContext()
_NOBODY = Identity()
_NO_PARAMETERS = Parameters()
_NO_ASSUMED = AssumedRoleUser()
_NO_KEY = AccessKey()

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


class Caller(NamedTuple):
    """Who asked, read once for all records with the same bytes of userIdentity. ``who`` numbers what matters of it."""

    who: int
    identity: Identity
    account: str | None
    access_key: str | None
    created: str | None


_what = attrgetter(
    "eventSource", "eventName", "awsRegion", "recipientAccountId", "eventType", "eventCategory", "readOnly", "sourceIPAddress", "vpcEndpointId",
    "errorCode",
)  # fmt: skip
"""The part of ``_WHAT`` that stands in the record as it is."""

_NAMED_INSIDE = frozenset(("iam.amazonaws.com", "s3.amazonaws.com"))
"""Event sources of which several parameters name the resource."""

_HOW_OF_NONE = (False, False, None, None)
_HOW_OF_MOST = (True, False, None, None)


_EPOCH_DAY = date(1970, 1, 1)
_BEFORE_1970, _DAYS = 1 << 20, 1 << 22
"""More days than there are before 1970, and than there are in all years of four digits."""


class Requests:
    """The distinct requests of one part, numbered from ``first`` on. Beyond ``MOST`` they are forgotten: a request may then have two numbers."""

    MOST = 200_000
    CALLERS = 20_000

    def __init__(self, first: int = 0) -> None:
        self.next = first
        self._callers: dict[bytes, Caller] = {}
        self._who: dict[tuple[Any, ...], int] = {}
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._rows: list[tuple[Any, ...]] = []
        self._first_row = self._first = first
        self._places: dict[tuple[str, str, bool], int] = {}
        self._place_of: list[int] = []
        self._by_day: list[pa.Array] = []

    def read(self, records: Sequence[Record], accounts: Iterable[str | None]) -> tuple[list[Caller], list[int]]:
        """(who asked, the number of the request) of each record. ``accounts``: those that the files' paths name, for records of old that don't say.

        Raises ValidationError or ArrowInvalid where a userIdentity is of wrong types.
        """
        callers, numbers = self._callers, self._numbers
        if len(callers) > self.CALLERS:
            callers.clear()
        found: list[Caller] = []
        of: list[int] = []
        for record, path_account in zip(records, accounts):
            raw = bytes(record.userIdentity)
            caller = callers.get(raw)
            if caller is None:
                caller = callers[raw] = self._caller(identity_of(record))
            found.append(caller)
            source, parameters = record.eventSource, record.requestParameters
            how: tuple[Any, ...] = _HOW_OF_NONE
            # What the resource follows from; ``resource_of`` is asked once a request, and here only where much has a part in it.
            about: Any = None
            if source == "sts.amazonaws.com" and record.errorMessage is None:
                about = parameters and parameters.roleArn
            elif record.errorMessage is not None or record.resources is not None or source in _NAMED_INSIDE:
                about = resource_of(record, parameters or _NO_PARAMETERS, caller[1])
            if parameters is not None and source in TYPED_SOURCES:
                if parameters.serialNumber is None and parameters.sourceIdentity is None and parameters.tags is NULL:
                    if parameters.roleArn is not None:
                        how = _HOW_OF_MOST
                else:
                    how = (parameters.roleArn is not None, parameters.serialNumber is not None, parameters.sourceIdentity, _text(parameters.tags))
            key = (caller[0], _what(record), caller[2] or path_account, about, how)
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = self.next
                self.next += 1
                if not isinstance(about, tuple):
                    about = resource_of(record, parameters or _NO_PARAMETERS, caller[1])
                self._rows.append((_who(caller[1]), *key[1:3], about, how))
                place = (record.recipientAccountId or key[2] or "?", record.awsRegion or "?", record.eventCategory == "Data")
                self._place_of.append(self._places.setdefault(place, len(self._places)))
            of.append(number)
        return found, of

    def _caller(self, identity: Identity) -> Caller:
        who = self._who.setdefault(_who(identity), len(self._who))
        session = identity.sessionContext
        created = session.attributes.creationDate if session is not None and session.attributes is not None else None
        return Caller(who, identity, identity.accountId, identity.accessKeyId or None, created)

    def count(self, events: pa.RecordBatch) -> None:
        """Remember of which place and day these events are."""
        places = pa.array(self._place_of, pa.int64()).take(pc.subtract(events["request"], self._first))
        days = events["event_time"].cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
        self._by_day.append(pc.add(pc.multiply(places, _DAYS), pc.add(days, _BEFORE_1970)))

    def days(self) -> list[tuple[str, str, date, int, int]]:
        """Of all that was counted: account, Region, day, events, and how many of these are data events."""
        places = list(self._places)
        found: dict[tuple[str, str, date], list[int]] = {}
        for both in pa.chunked_array(self._by_day, pa.int64()).value_counts().to_pylist():
            place, day = divmod(both["values"], _DAYS)
            account, region, is_data = places[place]
            counts = found.setdefault((account, region, _EPOCH_DAY + timedelta(day - _BEFORE_1970)), [0, 0])
            counts[0] += both["counts"]
            counts[1] += both["counts"] if is_data else 0
        return [(*where, *counts) for where, counts in found.items()]  # type: ignore[misc]

    def take(self) -> pa.Table:
        """The rows that were not taken yet."""
        rows, self._rows = self._rows, []
        first, self._first_row = self._first_row, self._first_row + len(rows)
        if len(self._numbers) > self.MOST:
            # Whoever is numbered anew must not be taken for somebody else whom a caller still has by that number.
            self._numbers.clear()
            self._who.clear()
            self._callers.clear()
        whats = [(*what[:3], what[3] or account, *what[4:], *resource) for _, what, account, resource, _ in rows]
        data: list[pa.Array] = [pa.array(range(first, first + len(rows)), pa.int64())]
        data += [pa.array([r[0][i] for r in rows], REQUESTS.field(n).type) for i, n in enumerate(_WHO)]
        data += [pa.array([w[i] for w in whats], REQUESTS.field(n).type) for i, n in enumerate(_WHAT)]
        data += [pa.array([r[4][i] for r in rows], REQUESTS.field(n).type) for i, n in enumerate(_HOW)]
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
    return None if data in (b"null", b"[]") else data.decode()


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one file. ``account``: the one that the file's path names, for records of old that don't say."""

    decoded: Decoded
    file: str
    account: str | None = None


def _columns(pieces: Sequence[Piece], requests: Requests) -> pa.RecordBatch:
    """The columns ``EVENTS`` of the records of some files, made at once: files are often small, and a column has its price.

    Raises what is in ``_UNFIT_COLUMNS`` where what is needed is of a wrong type; the caller then goes one by one.
    """
    records = [r for p in pieces for r in p.decoded.records]
    n = len(records)
    text = pa.string()
    callers, numbers = requests.read(records, [p.account for p in pieces for _ in p.decoded.records])
    # Few records are of IAM, STS or the sign-in: their columns are made of those alone, and spread over the rows.
    typed = [(i, r) for i, r in enumerate(records) if r.eventSource in TYPED_SOURCES]
    given = _Sparse(n, [(i, r.requestParameters) for i, r in typed if r.requestParameters is not None])
    answers = _Sparse(n, [(i, r.responseElements) for i, r in typed if r.responseElements is not None])
    more = _Sparse(n, [(i, r.additionalEventData) for i, r in typed if r.additionalEventData is not None])
    ps, rs, ads = given.values, answers.values, more.values
    files = pa.array([p.file for p in pieces], text)
    data = [
        pa.array([r.eventID for r in records], text),
        _moments(pa.array([r.eventTime for r in records], text)),
        pa.array(numbers, pa.int64()),
        pa.array([r.userAgent for r in records], text),
        pa.array([r.errorMessage for r in records], text),
        pa.array([r.sharedEventID for r in records], text),
        pa.array([c[3] for c in callers], text),
        _moments(pa.array([c[4] for c in callers], text)),
        pa.array([_TRUTH.get(r.sessionCredentialFromConsole) for r in records], pa.bool_()),
        given.column([p.roleArn for p in ps]),
        given.column([p.roleSessionName for p in ps]),
        given.column([p.durationSeconds for p in ps], pa.int64()),
        given.column([p.externalId for p in ps]),
        given.column([p.serialNumber for p in ps]),
        given.column([p.policy is not None or (p.policyArns is not NULL and _text(p.policyArns) is not None) for p in ps], pa.bool_()),
        given.column([p.userName for p in ps]),
        given.column([p.roleName for p in ps]),
        given.column([p.groupName for p in ps]),
        given.column([p.policyName for p in ps]),
        given.column([p.policyArn for p in ps]),
        answers.column([(r.credentials or r.accessKey or _NO_KEY).accessKeyId for r in rs]),
        answers.column([(r.assumedRoleUser or _NO_ASSUMED).arn for r in rs]),
        answers.column([r.ConsoleLogin or r.SwitchRole or r.CheckMfa or r.GetSigninToken or r.ExitRole for r in rs]),
        more.column([_TRUTH.get(a.MFAUsed) for a in ads], pa.bool_()),
        more.column([a.SwitchFrom for a in ads]),
        pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(pa.array(accumulate(len(p.decoded.records) for p in pieces), pa.int32()), files)),
        pa.array([o for p in pieces for o in p.decoded.ordinals], pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(data, schema=EVENTS)


_TEXT = pa.string()


class _Sparse:
    """Columns of what only some of ``n`` rows have: given as (row, value)."""

    def __init__(self, n: int, found: Sequence[tuple[int, Any]]) -> None:
        self.n = n
        self.values = [value for _, value in found]
        rows: list[int | None] = [None] * n
        for at, (i, _) in enumerate(found):
            rows[i] = at
        self._spread = None if len(found) == n else pa.array(rows, pa.int32())

    def column(self, values: Sequence[Any], kind: pa.DataType = _TEXT) -> pa.Array:
        """A column of the rows with what was made of their values; null in the others."""
        made = pa.array(values, kind)
        if self._spread is None:
            return made
        return pa.nulls(self.n, kind) if made.null_count == len(made) else made.take(self._spread)


_UNFIT_COLUMNS = (*_UNFIT, pa.ArrowInvalid, OverflowError)


def batch(pieces: Sequence[Piece], requests: Requests) -> pa.RecordBatch:
    """The columns of what was decoded; records whose identity or time turns out wrong are set aside in their ``decoded``."""
    try:
        return _columns(pieces, requests)
    except _UNFIT_COLUMNS:
        pass
    good: list[pa.RecordBatch] = []
    for piece in pieces:
        try:
            good.append(_columns([piece], requests))
            continue
        except _UNFIT_COLUMNS:
            pass
        sound = Decoded(ordinals=[])
        for record, ordinal in zip(piece.decoded.records, piece.decoded.ordinals, strict=True):
            wrong = _sound(record) or _wrong_inside(record)
            try:
                if wrong is None:
                    good.append(_columns([Piece(Decoded([record], [ordinal]), piece.file, piece.account)], requests))
                    sound.records.append(record)
            except _UNFIT_COLUMNS as error:
                wrong = _reason(error)
            if wrong is not None:
                piece.decoded.set_aside.append(SetAside(ordinal, wrong))
        piece.decoded.records = sound.records
    return pa.concat_batches(good) if good else pa.RecordBatch.from_pylist([], schema=EVENTS)


def _moments(texts: pa.Array) -> pa.Array:
    """ISO 8601 in UTC → milliseconds; ArrowInvalid for what is none."""
    return texts.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.timestamp("ms"))

