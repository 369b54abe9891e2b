"""What is wanted: the fields of ``sekisho.yaml`` as immutable values, with their JSON Schema.

``file.py`` reads them, ``compile.py`` turns them into an Estate.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from sekisho.policy.networks import is_never_public


def _wrong(expected: str, remedy: str = "") -> PydanticCustomError:
    return PydanticCustomError("sekisho", "{expected}", {"expected": expected, "remedy": remedy})


class Model(BaseModel):
    """Immutable, strict about types, and no key that isn't known. A field's docstring is its description in the JSON Schema."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True)


# --- single values -------------------------------------------------------------------------------------------------------


def _version(value: object) -> object:
    if value != 1 or not isinstance(value, int) or isinstance(value, bool):
        raise _wrong("1, the one version of this format that there is")
    return value


def _account_id(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        raise _wrong("a string of 12 digits", f'put it in quotes: "{value:012d}"')
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{12}", value):
        raise _wrong('a string of 12 digits, such as "111122223333"')
    return value


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
    if is_never_public(network):
        raise _wrong(
            f"a network of public addresses: {value} is private or reserved, and aws:SourceIp never holds such an address (F-07)",
            "give the public addresses that the network goes out with",
        )
    if network.prefixlen == 0:
        raise _wrong(f"a network: {value} is every address of its family", "write `anywhere` where no restriction is meant")
    if network.version == 6 and network.subnet_of(ipaddress.IPv6Network("::ffff:0:0/96")):
        raise _wrong(f"an IPv4 network in IPv4 spelling: {value} is IPv4-mapped, and AWS doesn't say what it matches (C-34)")
    return str(network)


def _address(value: object) -> object:
    try:
        if not isinstance(value, str) or "%" in value:
            raise ValueError
        found = ipaddress.ip_address(value)
    except ValueError:
        raise _wrong("an IP address, such as 203.0.113.10", "IPv6 addresses go in quotes") from None
    if is_never_public(ipaddress.ip_network(found)):
        raise _wrong(
            f"a public address: {value} is private, and AWS never sees a private address (E-02)",
            "give the public address that the place goes out with",
        )
    return str(found)


def _duration(value: object) -> object:
    """``1h``, ``90m``, ``3600s`` or a number of seconds → seconds."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise _wrong("a duration, such as 1h, 90m or 3600s")
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[match[2]]


def _mfa_age(value: object) -> object:
    """The longest session that carries MFA lasts 36 hours (D.4): a greater age would ask for nothing."""
    seconds = _duration(value)
    if not isinstance(seconds, int) or not 1 <= seconds <= 129600:
        raise _wrong("a duration of at most 36h, and not none at all (D.4)")
    return seconds


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


def _name_pattern(letters: str, most: int) -> str:
    return f"[A-Za-z0-9{re.escape(letters)}]{{1,{most}}}"


def _name(letters: str, most: int, what: str) -> BeforeValidator:
    pattern = _name_pattern(letters, most)

    def check(value: object) -> object:
        if not isinstance(value, str):
            raise _wrong(f"a {what}", "put it in quotes" if isinstance(value, int | float) else "")
        if not re.fullmatch(pattern, value):
            raise _wrong(f"a {what}: 1 to {most} of A-Z a-z 0-9 and {' '.join(letters)}")
        return value

    return BeforeValidator(check)


_PATH = r"/([A-Za-z0-9+=,.@_-]+/)*"


def _path(value: object) -> object:
    """Narrower than AWS: a * or ? in a path would be a wildcard in the trust policies that name it, and $ a variable."""
    if not isinstance(value, str) or not re.fullmatch(_PATH, value) or len(value) > 512:
        raise _wrong("an IAM path: it begins and ends with a slash, such as /platform/, with A-Z a-z 0-9 and + = , . @ - _ between")
    return value


_ALIAS = r"[a-z0-9](-?[a-z0-9])*"


def _alias(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_ALIAS, value) or not 3 <= len(value) <= 63 or re.fullmatch(r"[0-9]{12}", value):
        raise _wrong("an account alias: 3 to 63 of a-z 0-9, single hyphens between, and not 12 digits")
    return value


def _mfa(value: object) -> object:
    if value in ("required", "optional"):
        return {"required": value == "required"}
    if isinstance(value, Mapping):
        return value
    raise _wrong("required, optional, or {required: true, max_age: 1h}")


_POLICY_ARN = r"arn:aws:iam::(aws|[0-9]{12}):policy/[!-~]+"


def _policy_arn(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_POLICY_ARN, value):
        raise _wrong("the ARN of a managed policy, such as arn:aws:iam::aws:policy/ReadOnlyAccess")
    return value


def _texts(what: str) -> Any:
    def check(value: object) -> object:
        if not isinstance(value, list):
            raise _wrong(f"a list of {what}")
        # What is no text is told where it stands, when the items are read.
        texts = [v for v in value if isinstance(v, str)]
        if len(set(texts)) != len(texts):
            twice = next(v for v in texts if texts.count(v) > 1)
            raise _wrong(f"each of the {what} once; {twice} stands twice")
        return tuple(value)

    return BeforeValidator(check)


def _one_line(value: object) -> object:
    if not isinstance(value, str) or not 1 <= len(value) <= 200 or not value.isprintable() or not value.strip():
        raise _wrong("a text of one line, at most 200 characters")
    return value


_ROLE_PATTERN = r"[A-Za-z0-9.@*?_-]+(/[A-Za-z0-9+=,.@*?_-]+)?"
_ACTION = r"(\*|[a-z0-9*?-]+:[A-Za-z0-9*?]+)"
_FINDING = r"[A-Z]{1,3}-[0-9]{1,3}"


def _role_pattern(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_ROLE_PATTERN, value):
        raise _wrong("a role: account/name, or a name, with * for any", "put a lone * in quotes")
    return value


def _action(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_ACTION, value):
        raise _wrong("an action, such as iam:CreateUser or iam:*")
    return value


def _network_list(value: object) -> object:
    if value == "anywhere":
        raise _wrong("a list of names from `networks`", "take the line out where anywhere is meant: it asks for nothing")
    return _names(value)


def _finding(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_FINDING, value):
        raise _wrong("the id of a finding, such as F-01", "`sekisho check` prints the ids")
    return value


def _date(value: object) -> object:
    try:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            raise ValueError
        return datetime.date.fromisoformat(value)
    except ValueError:
        raise _wrong("a day, such as 2027-03-31") from None


_TEXT = {"type": "string"}
_NAMES_SCHEMA = {"anyOf": [{"const": "anywhere"}, {"type": "array", "items": _TEXT, "minItems": 1}]}
_DURATION_SCHEMA = {"anyOf": [{"type": "string", "pattern": "^[0-9]{1,9}[smhd]$"}, {"type": "integer", "minimum": 1}]}
_NEVER_V4 = (
    r"0\.|10\.|127\.|192\.168\.|169\.254\.|172\.(1[6-9]|2[0-9]|3[01])\.|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|22[4-9]\.|2[345][0-9]\."
)
_V4, _V6 = r"([0-9]{1,3}\.){3}[0-9]{1,3}", r"(?=.*:.*:)[0-9A-Fa-f:.]+"
# What a pattern can say; that no host bits are set, only reading can.
_PUBLIC_V4, _PUBLIC_V6 = f"(?!{_NEVER_V4}){_V4}", f"(?!([Ff][CcDdFf]|[Ff][Ee][89ABab]|::1?(/|$))){_V6}"
_CIDR_V4, _CIDR_V6 = f"{_PUBLIC_V4}(/([1-9]|[12][0-9]|3[0-2]))?", f"{_PUBLIC_V6}(/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8]))?"
_ALIAS_SCHEMA = {"type": "string", "pattern": f"^{_ALIAS}$", "minLength": 3, "maxLength": 63}


_IAM = "+=,.@-_"


def _text(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


def _listed(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": f"^{pattern}$"}, "uniqueItems": True})


AccountId = Annotated[str, BeforeValidator(_account_id), _text("[0-9]{12}")]
Alias = Annotated[str, BeforeValidator(_alias), WithJsonSchema(_ALIAS_SCHEMA)]
Cidr = Annotated[str, BeforeValidator(_cidr), _text(f"({_CIDR_V4}|{_CIDR_V6})")]
IpAddress = Annotated[str, BeforeValidator(_address), _text(f"({_PUBLIC_V4}|{_PUBLIC_V6})")]
MfaSeconds = Annotated[int, BeforeValidator(_mfa_age), WithJsonSchema(_DURATION_SCHEMA)]
SessionSeconds = Annotated[int, BeforeValidator(_session_duration), WithJsonSchema(_DURATION_SCHEMA)]
NetworkNames = Annotated[tuple[str, ...] | Literal["anywhere"], BeforeValidator(_names), WithJsonSchema(_NAMES_SCHEMA)]
UserName = Annotated[str, _name(_IAM, 64, "user name"), _text(_name_pattern(_IAM, 64))]
GroupName = Annotated[str, _name(_IAM, 128, "group name"), _text(_name_pattern(_IAM, 128))]
RoleName = Annotated[str, _name(_IAM, 64, "role name"), _text(_name_pattern(_IAM, 64))]
PolicyName = Annotated[str, _name(_IAM, 128, "policy name"), _text(_name_pattern(_IAM, 128))]
Label = Annotated[str, _name(".@-_", 64, "name"), _text(_name_pattern(".@-_", 64))]
IamPath = Annotated[str, BeforeValidator(_path), WithJsonSchema({"type": "string", "pattern": f"^{_PATH}$", "maxLength": 512})]
PolicyArn = Annotated[str, BeforeValidator(_policy_arn), _text(_POLICY_ARN)]
PolicyArns = Annotated[tuple[PolicyArn, ...], _texts("policy ARNs"), _listed(_POLICY_ARN)]
UserNames = Annotated[tuple[UserName, ...], _texts("user names"), _listed(_name_pattern(_IAM, 64))]
GroupNames = Annotated[tuple[str, ...], _texts("group names"), _listed(_name_pattern(_IAM, 128))]
MustName = Annotated[str, BeforeValidator(_one_line), _text("[^\\n]{1,200}")]
Reason = MustName
RolePattern = Annotated[str, BeforeValidator(_role_pattern), _text(_ROLE_PATTERN)]
ActionPattern = Annotated[str, BeforeValidator(_action), _text(_ACTION)]
NetworkList = Annotated[tuple[str, ...], BeforeValidator(_network_list), WithJsonSchema({"type": "array", "items": _TEXT, "minItems": 1})]
FindingId = Annotated[str, BeforeValidator(_finding), _text(_FINDING)]
Date = Annotated[datetime.date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Document = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]


# --- the file ------------------------------------------------------------------------------------------------------------


class MfaRule(Model):
    """Whether a second factor is asked for, and how old it may be."""

    required: bool = True
    """Whether requests without MFA are refused."""
    max_age: MfaSeconds | None = None
    """How long ago the second factor may have been given, at most 36h. None: any time in the session."""

    @model_validator(mode="after")
    def _age_asks_for_mfa(self) -> MfaRule:
        if self.max_age is not None and not self.required:
            raise _wrong("max_age only where MFA is required: who has no MFA has no age of it, and would be refused", "take max_age out")
        return self


Mfa = Annotated[MfaRule, BeforeValidator(_mfa), WithJsonSchema({"anyOf": [{"enum": ["required", "optional"]}, MfaRule.model_json_schema()]})]


class PasswordPolicy(Model):
    """The jump account's password policy."""

    minimum_length: Annotated[int, Field(ge=6, le=128)] = 8
    """The shortest password, 6 to 128 characters."""
    reuse_prevention: Annotated[int, Field(ge=1, le=24)] | None = None
    """How many of the last passwords can't be used again, 1 to 24."""
    max_age_days: Annotated[int, Field(ge=1, le=1095)] | None = None
    """After how many days a password has to be changed."""
    require_symbols: bool = False
    """Whether a password needs one of ! @ # $ % ^ & * ( ) _ + - = [ ] { } | '."""
    require_numbers: bool = False
    """Whether a password needs a digit."""
    require_uppercase: bool = False
    """Whether a password needs one of A to Z."""
    require_lowercase: bool = False
    """Whether a password needs one of a to z."""
    allow_users_to_change: bool = True
    """Whether every user may change the own password, whatever the policies say."""


class Jump(Model):
    """The jump account: where all users live."""

    account: AccountId
    """The account's id: 12 digits, in quotes."""
    alias: Alias | None = None
    """The account's alias, for its sign-in address."""
    mfa: Mfa = MfaRule()
    """Whether users need a second factor: in the jump account, and for every role that says nothing else."""
    self_service: Literal["article", "current", "none"] = "current"
    """What users may do for themselves: the policy as the article has it, one that is safe for named devices and a first sign-in, or none."""
    networks: NetworkNames = "anywhere"
    """Method 1: a Deny on every group, outside these networks."""
    sign_in: NetworkNames = "anywhere"
    """Method 3: where the sign-in itself is possible, by an AWS Sign-In policy."""
    password_policy: PasswordPolicy | None = None
    """The account's password policy. None: AWS's default."""


class Group(Model):
    """A group of users in the jump account."""

    path: IamPath = "/"
    """The path of the group and of its users; a role that `trusts_as: paths` names it."""
    users: UserNames = ()
    """The names of its users. A user may be in several groups, of which at most one path may differ from /."""
    networks: NetworkNames | None = None
    """Method 1 for this group, in place of the jump account's networks; `anywhere` is the exception without a Deny."""
    policies: PolicyArns = ()
    """Managed policies that the group has besides Sekisho's own."""
    inline_policies: dict[PolicyName, Document] = {}
    """Policy documents of the group itself, by name."""


class Trusts(Model):
    """Whom a role trusts: groups (their users) and single users of the jump account."""

    groups: GroupNames = ()
    """Groups whose users may switch to the role."""
    users: UserNames = ()
    """Single users, each of some group."""


class Session(Model):
    """Sessions of a role: how long at most, and whether their keys are useless outside the role's networks (F-01)."""

    max_duration: SessionSeconds = 3600
    """The longest session, 1h to 12h."""
    stay_on_networks: bool = False
    """Whether a Deny in the role's own permissions keeps its sessions on the role's networks: without it they work from anywhere."""


class Role(Model):
    """A role in a target account."""

    path: IamPath = "/"
    """The role's path."""
    policies: PolicyArns = ()
    """Managed policies of the role: AWS's, or the account's own."""
    inline_policies: dict[PolicyName, Document] = {}
    """Policy documents of the role itself, by name."""
    boundary: PolicyArn | None = None
    """The managed policy that is the role's permissions boundary."""
    trusts: Trusts
    """Who may switch to the role."""
    trusts_as: Literal["users", "paths", "account"] = "users"
    """How the trust policy names them: each user, the path of their groups, or the jump account as a whole."""
    mfa: Mfa | None = None
    """Whether switching needs a second factor. None: as in the jump account."""
    networks: NetworkNames = "anywhere"
    """Method 2: from where switching is possible, in the trust policy."""
    networks_as: Literal["deny", "allow"] = "deny"
    """The article's two forms: a Deny outside the networks, or an Allow only inside them."""
    session: Session = Session()
    """The role's sessions."""


class TargetAccount(Model):
    """An account that people switch into."""

    id: AccountId
    """The account's id: 12 digits, in quotes."""
    roles: dict[RoleName, Role] = {}
    """The account's roles, by name."""


class Who(Model):
    """Groups (their users) and single users of the jump account."""

    groups: GroupNames = ()
    """Groups: all their users."""
    users: UserNames = ()
    """Single users, each of some group."""


class RoleMust(Model):
    """What must be so of roles, whatever the rest of the file comes to; `sekisho check` proves it over all requests and hops."""

    name: MustName | None = None
    """What it is called in what `check` prints. None: the sentence that it stands for."""
    role: RolePattern
    """The roles that are meant: account/name or a name alone, with * for any."""
    only_for: Who | None = None
    """Nobody else gets into them, by whatever way."""
    only_from: NetworkList | None = None
    """They can be had from these networks alone."""
    only_with_mfa: Literal[True] | None = None
    """Who gets into them has given a second factor."""
    sessions_only_from: NetworkList | None = None
    """The keys of their sessions are useless outside these networks (F-01)."""
    break_glass: Who | None = None
    """These get into them from anywhere, signed in at the console with MFA."""

    @model_validator(mode="after")
    def _says_something(self) -> RoleMust:
        if all(getattr(self, n) is None for n in type(self).model_fields if n not in ("name", "role")):
            raise _wrong("what must be so of the role: only_for, only_from, only_with_mfa, sessions_only_from or break_glass")
        return self


class ActionMust(Model):
    """Who alone may do something."""

    name: MustName | None = None
    """What it is called in what `check` prints. None: the sentence that it stands for."""
    action: ActionPattern
    """The action, or a pattern with *: no such action on anything."""
    account: str = "jump"
    """The account that it is done in: `jump`, a name from `accounts`, or * for all of them."""
    only_for: Who
    """Nobody else may do it, by themselves or in the session of a role."""


class SignInMust(Model):
    """Who can finish a first sign-in: change the password and enrol a device, and until then do only that."""

    name: MustName | None = None
    """What it is called in what `check` prints. None: the sentence that it stands for."""
    first_sign_in: Literal["everybody"] | Who
    """The users who can; `everybody` is every user of the file."""


def _kind_of_must(value: object) -> str:
    if isinstance(value, ActionMust) or (isinstance(value, Mapping) and "action" in value and "role" not in value):
        return "of an action"
    if isinstance(value, SignInMust) or (isinstance(value, Mapping) and "first_sign_in" in value and "role" not in value):
        return "of a sign-in"
    return "of a role"


Must = Annotated[
    Annotated[RoleMust, Tag("of a role")] | Annotated[ActionMust, Tag("of an action")] | Annotated[SignInMust, Tag("of a sign-in")],
    Discriminator(_kind_of_must),
]


class Accepted(Model):
    """A finding of `sekisho check` that is known and accepted for a while."""

    finding: FindingId
    """The finding's id, such as F-01."""
    subject: str | None = None
    """Whom or what the finding is about: an ARN, a name, or account/name. None: all findings of this id."""
    reason: Reason
    """Why it is accepted."""
    until: Date
    """The last day on which it is."""


class EnvironmentFile(Model):
    """``sekisho.yaml``: a jump account, its groups, and the roles in other accounts that they may switch to."""

    version: Annotated[Literal[1], BeforeValidator(_version)]
    """The version of this format."""
    networks: dict[Label, Annotated[tuple[Cidr, ...], Field(strict=False, json_schema_extra={"minItems": 1})]] = {}
    """Names for networks: the public addresses that people come from."""
    jump: Jump
    """The jump account."""
    groups: dict[GroupName, Group] = {}
    """The jump account's groups, by name, with their users."""
    accounts: dict[Label, TargetAccount] = {}
    """The accounts that people switch into, by a name of your own."""
    exclusive: bool = False
    """Whether `plan` takes what others attached off the principals of this file; otherwise it is shown and kept."""
    vantage_points: dict[Label, IpAddress] = {}
    """Where ``sekisho try`` walks from: a name and an address each."""
    must: Annotated[tuple[Must, ...], Field(strict=False)] = ()
    """Invariants: sentences that must hold of what this file comes to; `sekisho check` proves each, or shows a request that breaks it."""
    accepted: Annotated[tuple[Accepted, ...], Field(strict=False)] = ()
    """Findings of `sekisho check` that are accepted, each with a reason and the day until which."""
