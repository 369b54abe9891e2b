"""A policy document: read, checked by the rules of A with AWS's own texts, and written back.

``Policy.parse`` reads a document that exists, in any version (A-02). ``check_policy`` checks one as AWS's write calls do, which is
stricter (A-03). Both report the first failure in AWS's order (A-20).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Any

from sekisho.errors import Place, PolicyError
from sekisho.policy.condition import Condition, normal_value
from sekisho.policy.json_text import NotJson, decoded, parsed
from sekisho.policy.operators import Unreadable, operator_use, policy_moment
from sekisho.policy.positions import Positions, escape
from sekisho.policy.principals import BadPrincipal, PrincipalElement, principal_element
from sekisho.policy.settings import DEFAULT, Settings

MAX_DOCUMENT = 1_000_000
"""Characters. AWS's largest quota is 10,240; a text a hundred times that is no policy, and isn't parsed."""
MAX_DEPTH = 100


class PolicyKind(Enum):
    """What a document is attached to; decides which elements it must and must not have (A-14, A-16)."""

    IDENTITY = "identity"
    BOUNDARY = "boundary"
    SESSION = "session"
    TRUST = "trust"
    RESOURCE = "resource"
    SERVICE_CONTROL = "service_control"
    RESOURCE_CONTROL = "resource_control"
    VPC_ENDPOINT = "vpc_endpoint"

    @property
    def names_principals(self) -> bool:
        return self in (PolicyKind.TRUST, PolicyKind.RESOURCE, PolicyKind.RESOURCE_CONTROL, PolicyKind.VPC_ENDPOINT)


@dataclass(frozen=True)
class Statement:
    """One statement. Exactly one of ``actions`` / ``not_actions`` is not None; of the resource and principal pairs at most one.

    ``pointer`` is where it stands in the document (``/Statement/0``); ``origin`` is the line of ``sekisho.yaml`` that it came from.
    """

    index: int
    effect: str
    sid: str = ""
    principal: PrincipalElement | None = None
    not_principal: PrincipalElement | None = None
    actions: tuple[str, ...] | None = None
    not_actions: tuple[str, ...] | None = None
    resources: tuple[str, ...] | None = None
    not_resources: tuple[str, ...] | None = None
    conditions: tuple[Condition, ...] = ()
    pointer: str = ""
    origin: Place | None = None

    @property
    def denies(self) -> bool:
        return self.effect == "Deny"


@dataclass(frozen=True)
class Policy:
    """A parsed document. ``document`` is the JSON object as it came; ``name`` and ``arn`` say which policy it is.

    ``file`` and ``pointer`` are where the document stands; ``place_of(statement)`` gives the whole place.
    """

    statements: tuple[Statement, ...]
    version: str = "2008-10-17"
    id: str = ""
    kind: PolicyKind = PolicyKind.IDENTITY
    name: str = ""
    arn: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict, hash=False)
    file: str | None = None
    pointer: str = ""
    positions: Positions | None = field(default=None, compare=False, repr=False)

    @classmethod
    def parse(
        cls,
        source: str | bytes | Mapping[str, Any],
        *,
        kind: PolicyKind = PolicyKind.IDENTITY,
        name: str = "",
        arn: str | None = None,
        file: str | None = None,
        pointer: str = "",
        positions: Positions | None = None,
    ) -> Policy:
        """Read a document: JSON text, or the object itself.

        ``file``, ``pointer`` and ``positions`` place a document that stands inside a larger JSON file. Raises PolicyError.

        >>> Policy.parse('{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}').statements[0].actions
        ('s3:*',)
        """
        return _Reader(kind, name, arn, file, pointer, positions).read(source)

    @property
    def expands_variables(self) -> bool:
        """B-10: only version 2012-10-17 has variables."""
        return self.version == "2012-10-17"

    def place_of(self, statement: Statement) -> Place:
        """File, pointer, line and column of a statement, as far as they are known."""
        return _place(self.file, self.pointer, self.positions, statement.pointer)

    def with_origin(self, origins: Sequence[Place | None]) -> Policy:
        """The same policy, each statement with the place in ``sekisho.yaml`` that it came from."""
        statements = tuple(replace(s, origin=o) for s, o in zip(self.statements, origins, strict=True))
        return replace(self, statements=statements)

    def normalised(self) -> dict[str, Any]:
        """The document in one spelling: a list of statements, lists in order, sorted keys; equal meaning as far as spelling goes."""
        statements = self.document.get("Statement", [])
        listed = [statements] if isinstance(statements, Mapping) else list(statements)
        result: dict[str, Any] = {"Version": self.version}
        if self.id:
            result["Id"] = self.id
        result["Statement"] = [_normal_statement(s) for s in listed]
        return result

    @cached_property
    def _normal_text(self) -> str:
        body = self.normalised()
        texts = sorted(json.dumps(s, sort_keys=True, separators=(",", ":")) for s in body.pop("Statement"))  # their order never matters
        return json.dumps({**body, "Statement": texts}, sort_keys=True, separators=(",", ":"))

    def same_as(self, other: Policy) -> bool:
        """Whether the two documents are one but for spelling: scalars and lists, order of statements, lists and keys (not a proof of meaning)."""
        return self._normal_text == other._normal_text


def check_policy(
    source: str | bytes | Mapping[str, Any], kind: PolicyKind = PolicyKind.IDENTITY, settings: Settings = DEFAULT, name: str = ""
) -> Policy:
    """Check a document as AWS's write calls do: all of ``Policy.parse``, and what only writing asks (A-03, A-10, A-17).

    Raises PolicyError with AWS's code and text.
    """
    return _Reader(kind, name, None, None, "", None, writing=True, settings=settings).read(source)


_TOP = frozenset(("Version", "Id", "Statement"))
_ELEMENTS = frozenset(("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"))
_SYNTAX = "Syntax errors in policy."
_LEGACY = "The policy failed legacy parsing"
_TRUST_ACTIONS = re.compile(r"sts:[A-Za-z*?]+", re.IGNORECASE)
_TRUST_ACTION_TEXT = "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity"
_FORBIDDEN_CHARACTER = re.compile("[^\t\n\r\u0020-\u00ff]")
_SID = re.compile(r"[A-Za-z0-9]*", re.ASCII)
_PARTITIONS = frozenset(("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc", "*"))
_IAM_PATHS = (
    "user/", "federated-user/", "role/", "group/", "instance-profile/", "mfa/", "server-certificate/", "policy/", "sms-mfa/",
    "saml-provider/", "oidc-provider/", "report/", "access-report/",
)  # fmt: skip


def _place(file: str | None, base: str, positions: Positions | None, pointer: str) -> Place:
    at = positions.of(base + pointer) if positions else None
    line, column = at or (None, None)
    return Place(file, base + pointer or None, line, column)


class _Reader:
    """One reading of one document: carries what every error needs to say where it is."""

    def __init__(
        self,
        kind: PolicyKind,
        name: str,
        arn: str | None,
        file: str | None,
        base: str,
        positions: Positions | None,
        *,
        writing: bool = False,
        settings: Settings = DEFAULT,
    ) -> None:
        self.kind, self.name, self.arn, self.file, self.base, self.positions = kind, name, arn, file, base, positions
        self.writing, self.settings = writing, settings

    def fail(self, message: str, pointer: str = "", expected: str | None = None, remedy: str | None = None) -> PolicyError:
        place = _place(self.file, self.base, self.positions, pointer)
        return PolicyError(message, place=place, expected=expected, remedy=remedy)

    # Reading -------------------------------------------------------------------------------------------------------

    def read(self, source: str | bytes | Mapping[str, Any]) -> Policy:
        document = source if isinstance(source, Mapping) else self._load(source)
        blocks = self._syntax(document)
        version = document.get("Version", "2008-10-17")
        self._check_version(document)
        for pointer, block in blocks:
            self._legacy(pointer, block)
        self._check_sids(blocks)
        for pointer, block in blocks:
            self._check_actions_exist(pointer, block)
        if self.kind is not PolicyKind.RESOURCE:
            self._each(blocks, ("Resource", "NotResource"), self._check_resource_format)
        self._each(blocks, ("Action", "NotAction"), self._check_action_prefix)
        for pointer, block in blocks:
            self._check_fields_of_kind(pointer, block)
        statements = tuple(self._statement(i, pointer, block) for i, (pointer, block) in enumerate(blocks))
        return Policy(
            statements, version, document.get("Id", ""), self.kind, self.name, self.arn, document, self.file, self.base,
            self.positions,
        )  # fmt: skip

    def _load(self, source: str | bytes) -> Mapping[str, Any]:
        try:
            text = decoded(source) if isinstance(source, bytes) else source
            if len(text) > MAX_DOCUMENT:
                place = Place(self.file, self.base or None, 1, 1)
                raise PolicyError(_SYNTAX, place=place, expected=f"at most {MAX_DOCUMENT:,} characters, this has {len(text):,}")
            if self.positions is None:
                self.positions = Positions(text)
            document = parsed(text, self.positions)
        except NotJson as error:
            place = Place(self.file, self.base + (error.pointer or "") or None, error.line, error.column)
            raise PolicyError(_SYNTAX, place=place, expected=f"{error.expected} ({error.found})") from error
        if not isinstance(document, Mapping):
            raise self.fail(_SYNTAX, expected=f"one JSON object, not {type(document).__name__}")
        return document

    def _syntax(self, document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """A-01, A-02, A-04, A-06, and the shapes of all elements."""
        for pointer, text in _texts(document, "", 0):
            if text is None:
                raise self.fail(_SYNTAX, pointer, "JSON that is not nested this deep")
            bad = _FORBIDDEN_CHARACTER.search(text)
            if bad:
                raise self.fail(_SYNTAX, pointer, f"characters U+0020 to U+00FF only; found U+{ord(bad.group()):04X} (A-06)")
        for key in document:
            if key not in _TOP:
                raise self.fail(_SYNTAX, "/" + escape(key), f"Version, Id or Statement, not {key!r}")
        if "Version" in document and document["Version"] not in ("2012-10-17", "2008-10-17"):
            raise self.fail(_SYNTAX, "/Version", '"2012-10-17" or "2008-10-17"')
        if not isinstance(document.get("Id", ""), str):
            raise self.fail(_SYNTAX, "/Id", "a string")
        body = document.get("Statement")
        blocks: list[tuple[str, Any]]
        if isinstance(body, Mapping):
            blocks = [("/Statement", body)]
        elif isinstance(body, list) and body:
            blocks = [(f"/Statement/{i}", block) for i, block in enumerate(body)]
        else:
            raise self.fail(_SYNTAX, "/Statement" if "Statement" in document else "", "Statement: an object or a non-empty list")
        for pointer, block in blocks:
            self._statement_syntax(pointer, block)
        return blocks

    def _statement_syntax(self, pointer: str, block: Any) -> None:
        if not isinstance(block, Mapping):
            raise self.fail(_SYNTAX, pointer, "a statement is an object")
        for key in block:
            if key not in _ELEMENTS:
                raise self.fail(_SYNTAX, f"{pointer}/{escape(key)}", f"an element of a statement, not {key!r}")
        for one, other in (("Action", "NotAction"), ("Resource", "NotResource"), ("Principal", "NotPrincipal")):
            if one in block and other in block:
                raise self.fail(_SYNTAX, f"{pointer}/{other}", f"{one} or {other}, not both")
        effect = block.get("Effect")
        if not isinstance(effect, str) or effect.lower() not in ("allow", "deny"):
            raise self.fail(_SYNTAX, f"{pointer}/Effect" if "Effect" in block else pointer, 'Effect: "Allow" or "Deny"')
        if not isinstance(block.get("Sid", ""), str):
            raise self.fail(_SYNTAX, f"{pointer}/Sid", "a string")
        for key in ("Action", "NotAction", "Resource", "NotResource"):
            if key in block and not _is_text_or_texts(block[key]):
                raise self.fail(_SYNTAX, f"{pointer}/{key}", "a string or a list of strings")
        for key in ("Principal", "NotPrincipal"):
            if key in block and not isinstance(block[key], str | Mapping):
                raise self.fail(_SYNTAX, f"{pointer}/{key}", '"*" or an object')
        if "Condition" in block:
            self._condition_syntax(f"{pointer}/Condition", block["Condition"])

    def _condition_syntax(self, pointer: str, body: Any) -> None:
        """A-18, A-19."""
        if not isinstance(body, Mapping):
            raise self.fail(_SYNTAX, pointer, "an object: {operator: {key: values}}")
        for operator, keys in body.items():
            here = f"{pointer}/{escape(operator)}"
            if not isinstance(keys, Mapping):
                raise self.fail(_SYNTAX, here, "an object: {key: values}")
            for key, values in keys.items():
                for value in values if isinstance(values, list) else [values]:
                    if not isinstance(value, str | bool | int | float):
                        raise self.fail(_SYNTAX, f"{here}/{escape(key)}", "a string, number or boolean, or a list of them")
            if keys and operator_use(operator) is None:
                raise self.fail(_SYNTAX, here, f"a condition operator, not {operator!r}")

    # AWS's order after syntax (A-20) ---------------------------------------------------------------------------------

    def _check_version(self, document: Mapping[str, Any]) -> None:
        trust = self.kind is PolicyKind.TRUST and self.settings.stored_2008_trust_is_accepted
        owned = self.kind in (PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION, PolicyKind.TRUST)
        if self.writing and owned and not trust and document.get("Version") != "2012-10-17":
            pointer = "/Version" if "Version" in document else ""
            raise self.fail("Policy document must be version 2012-10-17 or greater.", pointer, '"Version": "2012-10-17"')

    def _legacy(self, pointer: str, block: Mapping[str, Any]) -> None:
        if block["Effect"] not in ("Allow", "Deny"):
            raise self.fail(_LEGACY, f"{pointer}/Effect", f'"{block["Effect"].capitalize()}", in this letter case')
        for operator, keys in block.get("Condition", {}).items():
            use = operator_use(operator)
            if use is None or not use.name.startswith("Date"):
                continue
            for key, values in keys.items():
                for value in values if isinstance(values, list) else [values]:
                    try:
                        policy_moment(str(normal_value(value)))
                    except Unreadable:
                        here = f"{pointer}/Condition/{escape(operator)}/{escape(key)}"
                        raise self.fail(_LEGACY, here, f"an ISO 8601 date or epoch seconds, not {value!r}") from None

    def _check_sids(self, blocks: list[tuple[str, Mapping[str, Any]]]) -> None:
        """A-10. The alphabet is asked only of what is written to IAM."""
        seen: set[str] = set()
        for pointer, block in blocks:
            sid = block.get("Sid", "")
            if sid and sid in seen:
                raise self.fail("Statement IDs (SID) in a single policy must be unique.", f"{pointer}/Sid", "another Sid")
            seen.add(sid)
        owned = self.kind in (PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION, PolicyKind.TRUST)
        if self.writing and owned:
            for pointer, block in blocks:
                if not _SID.fullmatch(block.get("Sid", "")):
                    text = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
                    raise self.fail(text, f"{pointer}/Sid", "letters A-Z, a-z and digits only")

    def _check_actions_exist(self, pointer: str, block: Mapping[str, Any]) -> None:
        if not _texts_of(block, "Action") and not _texts_of(block, "NotAction"):
            raise self.fail("Policy statement must contain actions.", pointer, "Action or NotAction with at least one action")

    def _each(self, blocks: list[tuple[str, Mapping[str, Any]]], keys: tuple[str, str], check: Callable[[str, str], None]) -> None:
        for pointer, block in blocks:
            for key in keys:
                for text in _texts_of(block, key):
                    check(f"{pointer}/{key}", text)

    def _check_action_prefix(self, pointer: str, action: str) -> None:
        """A-13."""
        if action == "*":
            return
        vendor, *names = action.split(":")
        if not names:
            raise self.fail("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", pointer, '"service:Action"')
        if len(names) > 1:
            raise self.fail("Actions/Condition can contain only one colon.", pointer, '"service:Action"')
        if not re.fullmatch(r"[A-Za-z0-9.-]+", vendor) and (self.writing or action != "*:*"):
            raise self.fail(f"Vendor {vendor} is not valid", pointer, "a service prefix of letters, digits, dots and hyphens")

    def _check_resource_format(self, pointer: str, resource: str) -> None:
        """A-15."""
        if resource == "*":
            return
        parts = resource.split(":", 5)
        if len(parts) < 2:
            raise self.fail(f'Resource {resource} must be in ARN format or "*".', pointer, 'an ARN, or "*"')
        if parts[1] not in _PARTITIONS:
            rest = [*parts[2:], *["*"] * 4][:4]
            text = f'Partition "{parts[1]}" is not valid for resource "arn:{parts[1]}:{":".join(p or "" for p in rest)}".'
            raise self.fail(text, pointer, "aws, aws-cn, aws-us-gov, …")
        if len(parts) < 3 or re.search(r"[*?]|\$\{", parts[2]):
            raise self.fail("Resource vendor must be fully qualified and cannot contain regexes.", pointer, "arn:partition:service:…")
        if parts[0] != "arn":
            raise self.fail(f'Resource {resource} must be in ARN format or "*".', pointer, 'an ARN, or "*"')
        if parts[2] == "iam" and len(parts) > 3 and parts[3]:
            raise self.fail(f"IAM resource {resource} cannot contain region information.", pointer, "arn:aws:iam::account:…")
        if "${" in ":".join(parts[:5]):
            return  # a variable's own colon has shifted the components (B-10): the entry matches nothing
        if parts[2] == "iam" and len(parts) == 6 and parts[5] != "*" and not _iam_path_may_start(parts[5]):
            text = f'IAM resource path must either be "*" or start with {", ".join(_IAM_PATHS)}.'
            raise self.fail(text, pointer, f"not {parts[5]!r}")

    def _check_fields_of_kind(self, pointer: str, block: Mapping[str, Any]) -> None:
        """A-14, A-16, A-17, A-33."""
        kind = self.kind
        if kind in (PolicyKind.IDENTITY, PolicyKind.BOUNDARY, PolicyKind.SESSION, PolicyKind.SERVICE_CONTROL):
            if "Principal" in block or "NotPrincipal" in block:
                raise self.fail("Policy document should not specify a principal.", pointer, "no Principal in this kind of policy")
            if not _texts_of(block, "Resource") and not _texts_of(block, "NotResource"):
                raise self.fail("Policy statement must contain resources.", pointer, "Resource or NotResource")
        if kind is PolicyKind.TRUST:
            for key in ("Action", "NotAction"):
                for action in _texts_of(block, key):
                    # What is already attached may be wider than what AWS takes today: "*" is read, but not written.
                    if not _TRUST_ACTIONS.fullmatch(action) and (self.writing or action != "*"):
                        raise self.fail(_TRUST_ACTION_TEXT, f"{pointer}/{key}", "sts:AssumeRole and its kind")
            for key in ("Resource", "NotResource"):
                if key in block:
                    raise self.fail("Has prohibited field Resource", f"{pointer}/{key}", "a trust policy is about its own role")
            if "NotPrincipal" in block:
                raise self.fail("Has prohibited field NotPrincipal", f"{pointer}/NotPrincipal", "Principal")
        if kind in (PolicyKind.TRUST, PolicyKind.RESOURCE) and "Principal" not in block and "NotPrincipal" not in block:
            raise self.fail("Missing required field Principal", pointer, "Principal: whom the statement is about")
        if kind is PolicyKind.RESOURCE_CONTROL:
            if block.get("Principal") != "*":
                raise self.fail(_SYNTAX, f"{pointer}/Principal", 'an RCP takes only "Principal": "*"')
            if self.writing and block["Effect"] != "Deny":
                raise self.fail(_SYNTAX, f"{pointer}/Effect", 'a custom RCP takes only "Effect": "Deny"')
        for key in ("Principal", "NotPrincipal"):
            if key in block:
                self._principal(f"{pointer}/{key}", block[key])

    def _principal(self, pointer: str, value: Any) -> PrincipalElement:
        try:
            return principal_element(value)
        except BadPrincipal as error:
            remedy = "name users, roles, sessions or accounts; groups and wildcards inside an ARN are no principals (A-30)"
            raise self.fail(str(error), pointer, remedy=remedy) from error
        except (ValueError, TypeError) as error:
            raise self.fail(_SYNTAX, pointer, "AWS, Service, Federated or CanonicalUser: a string or a list of strings") from error

    def _statement(self, index: int, pointer: str, block: Mapping[str, Any]) -> Statement:
        def texts(key: str) -> tuple[str, ...] | None:
            return tuple(_texts_of(block, key)) if key in block else None

        def principal(key: str) -> PrincipalElement | None:
            return self._principal(f"{pointer}/{key}", block[key]) if key in block else None

        return Statement(
            index, block["Effect"], block.get("Sid", ""), principal("Principal"), principal("NotPrincipal"),
            texts("Action"), texts("NotAction"), texts("Resource"), texts("NotResource"),
            tuple(_conditions(f"{pointer}/Condition", block.get("Condition", {}))), pointer,
        )  # fmt: skip


def _conditions(pointer: str, body: Mapping[str, Any]) -> Iterator[Condition]:
    for operator, keys in body.items():
        use = operator_use(operator)
        if use is None:
            continue  # an unknown operator with an empty body asks nothing
        for key, values in keys.items():
            listed = values if isinstance(values, list) else [values]
            texts = tuple(str(normal_value(v)) for v in listed)
            yield Condition(operator, use, key, texts, f"{pointer}/{escape(operator)}/{escape(key)}")


def _texts(value: Any, pointer: str, depth: int) -> Iterator[tuple[str, str | None]]:
    """All strings of a document, keys too; None in place of what is nested too deep."""
    if depth > MAX_DEPTH:
        yield pointer, None
    elif isinstance(value, str):
        yield pointer, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            here = f"{pointer}/{escape(str(key))}"
            yield here, str(key)
            yield from _texts(inner, here, depth + 1)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _texts(inner, f"{pointer}/{i}", depth + 1)


def _is_text_or_texts(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(v, str) for v in value))


def _texts_of(block: Mapping[str, Any], key: str) -> Sequence[str]:
    value = block.get(key, ())
    return (value,) if isinstance(value, str) else value


def _iam_path_may_start(path: str) -> bool:
    """A path whose fixed beginning agrees with one of IAM's; a wildcard or variable may complete it."""
    fixed = re.split(r"[*?]|\$\{", path, maxsplit=1)[0]
    if path == "root":
        return True
    return any(path.startswith(p) or (fixed != path and p.startswith(fixed)) for p in _IAM_PATHS)


def _sorted_list(value: Any) -> Any:
    listed = value if isinstance(value, list) else [value]
    return sorted({str(normal_value(v)) for v in listed})


def _normal_statement(block: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in block.items():
        if key in ("Action", "NotAction", "Resource", "NotResource"):
            result[key] = _sorted_list(value)
        elif key in ("Principal", "NotPrincipal"):
            result[key] = {"AWS": ["*"]} if value == "*" else {k: _sorted_list(v) for k, v in value.items()}
        elif key == "Condition":
            result[key] = {op: {k: _sorted_list(v) for k, v in keys.items()} for op, keys in value.items() if keys}
        else:
            result[key] = value
    return dict(sorted(result.items()))
