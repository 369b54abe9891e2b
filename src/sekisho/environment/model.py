"""What is wanted: the fields of ``sekisho.yaml`` as immutable values, with their JSON Schema.

``file.py`` reads them, ``compile.py`` turns them into an Estate.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError


def _wrong(expected: str, remedy: str = "") -> PydanticCustomError:
    return PydanticCustomError("sekisho", "{expected}", {"expected": expected, "remedy": remedy})


class Model(BaseModel):
    """Immutable, strict about types, and no key that isn't known."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


# --- single values -------------------------------------------------------------------------------------------------------


def _account_id(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise _wrong("a string of 12 digits", f'put it in quotes: "{value:012d}"')
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{12}", value):
        raise _wrong('a string of 12 digits, such as "111122223333"')
    return value


_NEVER_PUBLIC = [
    ipaddress.ip_network(n)
    for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128")
]


def _cidr(value: object) -> object:
    """A network of public addresses; F-07: aws:SourceIp never holds a private one."""
    if not isinstance(value, str):
        raise _wrong("a network, such as 203.0.113.0/24 or 2001:db8::/48", "IPv6 networks go in quotes")
    try:
        network = ipaddress.ip_network(value, strict=True)
    except ValueError as error:
        try:
            loose = ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise _wrong(f"a network, such as 203.0.113.0/24; {error}") from None
        raise _wrong(
            f"a network without host bits: {value} lies in {loose}", f"write {loose}, or {value.partition('/')[0]} for the one address"
        ) from None
    for never in _NEVER_PUBLIC:
        if network.version == never.version and network.subnet_of(never):  # type: ignore[arg-type]
            raise _wrong(
                f"a network of public addresses: {value} is private, and aws:SourceIp never holds a private address (F-07)",
                "give the public addresses that the network goes out with",
            )
    if network.prefixlen == 0:
        raise _wrong(f"a network: {value} is every address of its family", "write `anywhere` where no restriction is meant")
    if network.version == 6 and network.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96")):
        raise _wrong(f"an IPv4 network in IPv4 spelling: {value} is IPv4-mapped, and AWS doesn't say what it matches (C-34)")
    return str(network)


def _address(value: object) -> object:
    try:
        return str(ipaddress.ip_address(str(value) if isinstance(value, str) else ""))
    except ValueError:
        raise _wrong("an IP address, such as 203.0.113.10", "IPv6 addresses go in quotes") from None


def _duration(value: object) -> object:
    """``1h``, ``90m``, ``3600s`` or a number of seconds → seconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d+)([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise _wrong("a duration, such as 1h, 90m or 3600s")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def _session_duration(value: object) -> object:
    seconds = _duration(value)
    if not isinstance(seconds, int) or not 3600 <= seconds <= 43200:
        raise _wrong("a duration from 1h to 12h (D.4)")
    return seconds


def _names(value: object) -> object:
    if value == "anywhere":
        return value
    if isinstance(value, list) and not value:
        raise _wrong("at least one network's name, or `anywhere`", "an empty list would lock everybody out")
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise _wrong("a list of names from `networks`, or `anywhere`")
    return tuple(value)


def _name(pattern: str, most: int, what: str) -> Any:
    def check(value: object) -> object:
        if not isinstance(value, str):
            raise _wrong(f"a {what}", "put it in quotes" if isinstance(value, int | bool) else "")
        if not re.fullmatch(pattern, value, re.ASCII) or len(value) > most:
            raise _wrong(f"a {what}: at most {most} of A-Z a-z 0-9 and + = , . @ - _")
        return value

    return BeforeValidator(check)


def _path(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"/([!-.0-~]+/)*", value) or len(value) > 512:
        raise _wrong("an IAM path, which begins and ends with a slash, such as /platform/")
    return value


def _mfa(value: object) -> object:
    if value in ("required", "optional"):
        return {"required": value == "required"}
    if isinstance(value, Mapping):
        return value
    raise _wrong("required, optional, or {required: true, max_age: 1h}")


def _policy_arn(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(r"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[!-~]+", value):
        raise _wrong("the ARN of a managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess")
    return value


def _texts(what: str) -> Any:
    def check(value: object) -> object:
        if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
            raise _wrong(f"a list of {what}")
        twice = next((v for i, v in enumerate(value) if v in value[:i]), None)
        if twice is not None:
            raise _wrong(f"each of the {what} once; {twice} stands twice")
        return tuple(value)

    return BeforeValidator(check)


_NAME = r"[\w+=,.@-]+"
_TEXT = {"type": "string"}
_NAMES_SCHEMA = {"anyOf": [{"const": "anywhere"}, {"type": "array", "items": _TEXT, "minItems": 1}]}
_DURATION_SCHEMA = {"anyOf": [{"type": "string", "pattern": r"^\d+[smhd]$"}, {"type": "integer"}]}

AccountId = Annotated[str, BeforeValidator(_account_id), WithJsonSchema({"type": "string", "pattern": "^[0-9]{12}$"})]
Cidr = Annotated[str, BeforeValidator(_cidr), WithJsonSchema(_TEXT)]
IpAddress = Annotated[str, BeforeValidator(_address), WithJsonSchema(_TEXT)]
Seconds = Annotated[int, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
SessionSeconds = Annotated[int, BeforeValidator(_session_duration), WithJsonSchema(_DURATION_SCHEMA)]
NetworkNames = Annotated[tuple[str, ...] | Literal["anywhere"], BeforeValidator(_names), WithJsonSchema(_NAMES_SCHEMA)]
UserName = Annotated[str, _name(_NAME, 64, "user name"), WithJsonSchema(_TEXT)]
GroupName = Annotated[str, _name(_NAME, 128, "group name"), WithJsonSchema(_TEXT)]
RoleName = Annotated[str, _name(_NAME, 64, "role name"), WithJsonSchema(_TEXT)]
PolicyName = Annotated[str, _name(_NAME, 128, "policy name"), WithJsonSchema(_TEXT)]
Label = Annotated[str, _name(r"[\w.@-]+", 64, "name"), WithJsonSchema(_TEXT)]
IamPath = Annotated[str, BeforeValidator(_path), WithJsonSchema(_TEXT)]
PolicyArn = Annotated[str, BeforeValidator(_policy_arn), WithJsonSchema(_TEXT)]
UserNames = Annotated[tuple[UserName, ...], _texts("user names"), WithJsonSchema({"type": "array", "items": _TEXT})]
Document = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


# --- the file ------------------------------------------------------------------------------------------------------------


class MfaRule(Model):
    """Whether a second factor is asked for, and how old it may be (seconds)."""

    required: bool = True
    max_age: Seconds | None = None


Mfa = Annotated[MfaRule, BeforeValidator(_mfa), WithJsonSchema({"anyOf": [{"enum": ["required", "optional"]}, MfaRule.model_json_schema()]})]


class PasswordPolicy(Model):
    """The jump account's password policy."""

    minimum_length: Annotated[int, Field(ge=6, le=128)] = 8
    reuse_prevention: Annotated[int, Field(ge=1, le=24)] | None = None
    max_age_days: Annotated[int, Field(ge=1, le=1095)] | None = None
    require_symbols: bool = False
    require_numbers: bool = False
    require_uppercase: bool = False
    require_lowercase: bool = False
    allow_users_to_change: bool = True


class Jump(Model):
    """The jump account: where all users live."""

    account: AccountId
    alias: Annotated[str, Field(pattern=r"^[a-z0-9](-?[a-z0-9])*$", min_length=3, max_length=63)] | None = None
    mfa: Mfa = MfaRule()
    self_service: Literal["article", "current"] = "current"
    """What users may do for themselves: the policy as the article has it, or one that is safe for named devices and a first sign-in."""
    networks: NetworkNames = "anywhere"
    """Method 1: a Deny on every group, outside these networks."""
    sign_in: NetworkNames = "anywhere"
    """Method 3: where the sign-in itself is possible."""
    password_policy: PasswordPolicy | None = None


class Group(Model):
    """A group of users in the jump account. ``networks``: other than the jump account's own; ``anywhere`` is the exception without a Deny."""

    path: IamPath = "/"
    users: UserNames = ()
    networks: NetworkNames | None = None
    policies: tuple[PolicyArn, ...] = Field(default=(), strict=False)
    inline_policies: dict[PolicyName, Document] = {}


class Trusts(Model):
    """Whom a role trusts: groups (their users) and single users of the jump account."""

    groups: Annotated[tuple[str, ...], _texts("group names"), WithJsonSchema({"type": "array", "items": _TEXT})] = ()
    users: UserNames = ()


class Session(Model):
    """Sessions of a role: how long at most, and whether their keys are useless outside the role's networks (F-01)."""

    max_duration: SessionSeconds = 3600
    stay_on_networks: bool = False


class Role(Model):
    """A role in a target account."""

    path: IamPath = "/"
    policies: tuple[PolicyArn, ...] = Field(default=(), strict=False)
    inline_policies: dict[PolicyName, Document] = {}
    boundary: PolicyArn | None = None
    trusts: Trusts
    trusts_as: Literal["users", "paths", "account"] = "users"
    """How the trust policy names them: each user, the path of their groups, or the jump account as a whole."""
    mfa: Mfa | None = None
    """None: as in the jump account."""
    networks: NetworkNames = "anywhere"
    """Method 2: in the trust policy."""
    networks_as: Literal["deny", "allow"] = "deny"
    """The article's two forms: a Deny outside the networks, or an Allow only inside them."""
    session: Session = Session()


class TargetAccount(Model):
    """An account that people switch into."""

    id: AccountId
    roles: dict[RoleName, Role] = {}


class EnvironmentFile(Model):
    """``sekisho.yaml``: a jump account, its groups, and the roles in other accounts that they may switch to."""

    version: Literal[1]
    networks: dict[Label, Annotated[tuple[Cidr, ...], Field(strict=False)]] = {}
    jump: Jump
    groups: dict[GroupName, Group] = {}
    accounts: dict[Label, TargetAccount] = {}
    vantage_points: dict[Label, IpAddress] = {}
    """Where ``sekisho try`` walks from."""
