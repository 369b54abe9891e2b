"""Where records come from: files, folders and S3 prefixes; gzip or plain; documents or JSON lines (G-01).

A file is read in pieces, never whole unless it is one document. What can't be read is a reason, not an exception: the rest goes on.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from isal import igzip, isal_zlib

from sekisho.errors import InputError, OutsideError
from sekisho.trail.records import Decoded, SetAside, decode_document, decode_lines, is_lines, raw_records

MIB = 1 << 20
_GZIP_ERROR: Any = isal_zlib.error
_whole: Callable[[bytes], bytes] = igzip.decompress
_READ = MIB
_LINES_AT_ONCE = 8 * MIB
_INFLATE_AT_ONCE = 4 * MIB
_MOST_INFLATED = 1033
"""No deflate stream grows to more than 1,032 times its size."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may ask of this machine. ``document``: bytes of one document or line; ``inflated``: bytes out of one gzip file."""

    document: int = 512 * MIB
    inflated: int = 512 * MIB


@dataclass(frozen=True, slots=True)
class Source:
    """One file. ``key``: its absolute path or ``s3://`` address; ``stamp``: equal as long as it is the same file unchanged."""

    key: str
    size: int
    stamp: str
    account: str | None = None
    region: str | None = None
    day: str | None = None

    @property
    def order(self) -> tuple[str, str, str, str]:
        """Files of one account and day side by side, whatever their Region, so that the store's parts are narrow."""
        return self.account or "", self.day or "", self.region or "", self.key


_LAYOUT = re.compile(r"AWSLogs/(?:o-[a-z0-9]+/)?(\d{12})/(CloudTrail[\w-]*)/([\w-]+)/(\d{4})/(\d\d)/(\d\d)/[^/]+$")


def source_at(key: str, size: int, stamp: str) -> Source:
    """A source with what its place in CloudTrail's layout tells (G-01)."""
    found = _LAYOUT.search(key)
    if found is None:
        return Source(key, size, stamp)
    return Source(key, size, stamp, found[1], found[3], "-".join(found.group(4, 5, 6)))


def is_digest(key: str) -> bool:
    """``CloudTrail-Digest/`` holds signatures of the trail, no events (G-01)."""
    found = _LAYOUT.search(key)
    return (found[2] == "CloudTrail-Digest") if found else "/CloudTrail-Digest/" in key


def find_sources(places: Iterable[str]) -> tuple[list[Source], list[tuple[str, str]]]:
    """(the files behind ``places`` in reading order, each once; those that can't be read, with why).

    Raises InputError for a place that isn't there, OutsideError where S3 doesn't answer.
    """
    found: dict[str, Source] = {}
    aside: list[tuple[str, str]] = []
    for place in places:
        files = _s3_files(place) if place.startswith("s3://") else _local_files(Path(place), aside)
        for source in files:
            if is_digest(source.key):
                aside.append((source.key, "a digest file, which holds no events"))
            else:
                found[source.key] = source
    return sorted(found.values(), key=lambda s: s.order), aside


def _local_files(place: Path, aside: list[tuple[str, str]]) -> Iterator[Source]:
    if not place.exists():
        raise InputError(f"{place}: there is no such file or folder", remedy="give a file, a folder, or s3://bucket/prefix")
    place = Path(os.path.abspath(place))
    if place.is_file():
        yield _local(str(place), place.stat())
        return
    if not place.is_dir():
        raise InputError(f"{place} is neither a file nor a folder", expected="a file, a folder, or s3://bucket/prefix")
    folders = [str(place)]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        yield _local(entry.path, entry.stat())
                    elif not entry.is_dir():
                        aside.append((entry.path, "no file"))
        except OSError as error:
            aside.append((folder, f"can't be read: {error.strerror}"))


def _local(key: str, info: os.stat_result) -> Source:
    return source_at(key, info.st_size if stat.S_ISREG(info.st_mode) else 0, f"{info.st_size}:{info.st_mtime_ns}")


# --- S3 ------------------------------------------------------------------------------------------------------------------

_client: list[Any] = []


def _s3(*, anew: bool = False) -> Any:
    """One client a process and search; boto3 finds credentials and AWS_ENDPOINT_URL by itself."""
    if anew:
        _client.clear()
    if not _client:
        import boto3

        _client.append(boto3.client("s3"))
    return _client[0]


def _bucket(address: str) -> tuple[str, str]:
    bucket, _, rest = address.removeprefix("s3://").partition("/")
    if not bucket:
        raise InputError(f"{address} names no bucket", expected="s3://bucket/prefix")
    return bucket, rest


def _s3_files(place: str) -> Iterator[Source]:
    from botocore.exceptions import BotoCoreError, ClientError

    bucket, prefix = _bucket(place)
    try:
        for page in _s3(anew=True).get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):
                    yield source_at(f"s3://{bucket}/{entry['Key']}", entry["Size"], f"{entry['Size']}:{entry['ETag']}")
    except (BotoCoreError, ClientError) as error:
        raise OutsideError(f"{place}: {error}", remedy="check the bucket's name, your credentials, and AWS_ENDPOINT_URL if it is set") from None


# --- bytes ---------------------------------------------------------------------------------------------------------------


class Unreadable(Exception):
    """A file, or the rest of it, can't be used; the text is the reason."""


def _chunks(source: Source) -> Iterator[bytes]:
    try:
        if source.key.startswith("s3://"):
            bucket, key = _bucket(source.key)
            body = _s3().get_object(Bucket=bucket, Key=key)["Body"]
            while chunk := body.read(_READ):
                yield chunk
            return
        with open(source.key, "rb", buffering=0) as file:
            while chunk := file.read(_READ):
                yield chunk
    except OSError as error:
        raise Unreadable(f"can't be read: {error.strerror or error}") from None
    except Exception as error:
        # botocore's errors have no common ancestor with the network's; a file that can't be fetched is set aside like any other.
        if type(error).__module__.startswith(("botocore", "urllib3")):
            raise Unreadable(f"can't be fetched: {error}") from None
        raise


def pieces(source: Source, limits: Limits, digest: Any = None) -> Iterator[bytes]:
    """The file's content, inflated if it is gzip, all members of it. ``digest`` is fed with the bytes as they are stored.

    Raises Unreadable after what could be had: not readable, truncated, damaged, or over the limit.
    """
    chunks = _chunks(source)
    first = b"".join(chunks) if source.size <= _READ else next(chunks, b"")
    if digest is not None:
        digest.update(first)
    if first[:2] == b"\x1f\x8b" and source.size <= _READ and len(first) * _MOST_INFLATED <= limits.inflated:
        # Most files are small: at once, where even the worst of them stays under the limit. What is wrong with one, the careful way tells.
        with contextlib.suppress(_GZIP_ERROR, EOFError, OSError):
            yield _whole(first)
            return
    if first[:2] != b"\x1f\x8b":
        yield first
        for chunk in chunks:
            if digest is not None:
                digest.update(chunk)
            yield chunk
        return

    def stored() -> Iterator[bytes]:
        yield first
        for chunk in chunks:
            if digest is not None:
                digest.update(chunk)
            yield chunk

    yield from _inflated(stored(), limits)


def _inflated(chunks: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """Inflate a file of any number of members. Fast gzip libraries stop after the first, and zeros may pad the last."""
    member: Any = None
    total = 0
    data = b""
    for chunk in chunks:
        data += chunk
        while True:
            if member is None:
                data = data.lstrip(b"\0")
                if len(data) < 2:
                    break
                if data[:2] != b"\x1f\x8b":
                    raise Unreadable("bytes after the end of the gzip data")
                member = isal_zlib.decompressobj(wbits=31)
            try:
                out = member.decompress(data, _INFLATE_AT_ONCE)
            except _GZIP_ERROR as error:
                raise Unreadable(f"damaged gzip: {error}") from None
            total += len(out)
            if total > limits.inflated:
                raise Unreadable(f"inflates to more than {limits.inflated // MIB} MiB: refused (--max-inflated sets the limit)")
            if out:
                yield out
            if member.eof:
                data, member = member.unused_data, None
                continue
            data = member.unconsumed_tail
            # All input may be taken while output still waits inside; less than was asked for means that it wants more input.
            if not data and len(out) < _INFLATE_AT_ONCE:
                break
    if member is not None:
        raise Unreadable("truncated gzip")
    if data:
        raise Unreadable("bytes after the end of the gzip data")


# --- records -------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class FileRead:
    """What became of one file: the digest of its bytes as stored, and what of it as a whole was set aside."""

    sha256: str = ""
    size: int = 0
    set_aside: list[SetAside] = field(default_factory=list)


def decoded_pieces(source: Source, limits: Limits, outcome: FileRead) -> Iterator[Decoded]:
    """The file's records, some thousands at a time; ``outcome`` is filled in at the end."""
    digest = sha256()
    content = pieces(source, limits, digest)
    # A file that comes in one piece is used as it is, and copied nowhere.
    buffer: bytes | bytearray = b""
    problem: str | None = None
    lines: bool | None = None
    seen = 0
    try:
        for piece in content:
            outcome.size += len(piece)
            if buffer:
                buffer = bytearray(buffer) if isinstance(buffer, bytes) else buffer
                buffer += piece
            else:
                buffer = piece
            if lines is None and len(buffer) >= 65536:
                lines = is_lines(bytes(buffer[: 4 * MIB]))
            if lines and len(buffer) >= _LINES_AT_ONCE:
                cut = buffer.rfind(b"\n") + 1
                if cut:
                    decoded = decode_lines(bytes(buffer[:cut]), seen)
                    seen += decoded.seen
                    buffer = buffer[cut:]
                    yield decoded
            if len(buffer) > limits.document:
                what = "a line" if lines else "a document"
                raise Unreadable(f"{what} of more than {limits.document // MIB} MiB: refused (--max-inflated sets the limit)")
    except Unreadable as error:
        problem = str(error)
        if "refused" in problem:
            buffer = b""
    if buffer:
        data, buffer = bytes(buffer), b""
        if lines is None:
            lines = is_lines(data)
        decoded = decode_lines(data, seen) if lines else decode_document(data, seen)
        if problem is not None:
            # The record that the file breaks off in is the file's fault, not one more of its own.
            decoded.set_aside = [a for a in decoded.set_aside if not a.reason.startswith(("broken JSON", "no JSON"))]
        seen += decoded.seen
        yield decoded
    elif problem is None and seen == 0:
        problem = "the file is empty"
    if problem is not None:
        outcome.set_aside.append(SetAside(None, problem))
    outcome.sha256 = digest.hexdigest()


def record_at(source: Source, ordinal: int, limits: Limits) -> bytes:
    """The record as it stands in its file. Raises InputError where the file isn't there any more or doesn't hold it."""
    data = bytearray()
    try:
        for piece in pieces(source, limits):
            data += piece
    except Unreadable as error:
        if not data:
            raise InputError(f"{source.key}: {error}", remedy="the store keeps where a record stands, and reads it from there") from None
    for index, raw in enumerate(raw_records(bytes(data))):
        if index == ordinal:
            return raw
    raise InputError(f"{source.key} has no record {ordinal}", remedy="the file has changed since it was read")

