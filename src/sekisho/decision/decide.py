"""One request, one answer: the layers of policies put together as AWS does (rule book D).

The order, for each account that is asked (D.1, D-05)::

    1  any Deny in any layer that applies                                 -> explicit deny
    2  RCP of the resource's account, SCP of the principal's: a level without an Allow  -> implicit deny
    3  resource policy (a trust policy for AssumeRole): whom its Allow names, and how directly (D.2)
    4  identity, boundary, session, endpoint: each set layer without an Allow -> implicit deny, unless 3 bypasses it
       (same account only; across accounts both sides must allow)

Steps 2 to 4 are a list of clauses (``Question.clauses``): each names the Allows of which one must hold, and the layer that fails
otherwise. ``decide`` asks them of one context, ``prove`` of all contexts at once; nothing else says who may.

A layer whose documents are not all known may allow or deny: the answer is then worked out both ways, and if they differ it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sekisho.decision.layers import Layers, layers_of
from sekisho.decision.outcome import Because, Decision, Miss, Outcome
from sekisho.decision.request import CredentialKind, Request, Subject, derived_context
from sekisho.estate.model import Estate
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.condition import Context, Test, Value
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.principals import Caller, Grant, caller

_ASSUME = frozenset(("sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity"))
_BESIDE_ASSUME = frozenset(("sts:tagsession", "sts:setsourceidentity"))
_TRUST_CALLS = _ASSUME | _BESIDE_ASSUME

COMPANIONS = ((("aws:requesttag/", "aws:tagkeys", "sts:transitivetagkeys"), "sts:TagSession"), (("sts:sourceidentity",), "sts:SetSourceIdentity"))
"""D-26: keys (lower case) with which an AssumeRole needs a second permission, and which; without it the whole call fails."""

_IAM_NEEDS_MFA = Policy.parse(
    {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "iam:*", "Resource": "*", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}},
    },
    name="GetSessionToken credentials call IAM only with MFA (D-24)",
)

RCP_SERVICES = frozenset(("sts", "s3", "kms", "sqs", "secretsmanager", "signin", "ecr", "aoss", "dynamodb", "logs", "cognito-idp"))
"""Services whose resources an RCP reaches (D-03 names the first six)."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A statement that is about a question's action, resource and caller; ``when`` says whether its conditions hold."""

    layer: str
    level: int
    ready: ReadyStatement
    grant: Grant
    when: Callable[[Context], bool | None]


@dataclass(frozen=True, slots=True)
class Clause:
    """One of ``matched`` must hold, or ``layer`` denies. ``unknown``: a document of a layer that could satisfy it isn't known."""

    layer: str
    matched: tuple[Matched, ...]
    unknown: bool = False


@dataclass(frozen=True, slots=True)
class _Tests:
    """What is asked of a context where every document and condition is known: any Deny, then each clause; or the answer to all contexts."""

    settled: tuple[Outcome, str | None] | None
    denies: tuple[tuple[Test, str], ...]
    clauses: tuple[tuple[Test, str], ...]


def _any_of(tests: Sequence[Test]) -> Test:
    return lambda context: any(test(context) for test in tests)


class Question:
    """All requests by one caller for one action on one resource: what is left to ask is the context.

    ``allows`` and ``denies`` are the statements of each layer that are about the question; both ``decide`` and ``prove`` start here.
    """

    def __init__(self, request: Request, layers: Layers, settings: Settings) -> None:
        self.asked = request
        self.layers = layers
        self.settings = settings
        self.action = request.action
        self.resource = request.resource
        self.principal = request.principal
        self.credentials = request.credentials
        self.caller = _with_estate_facts(request.caller, layers)
        self.resource_account = resource_account_of(request) or layers.resource_account
        self.same_account = not self.resource_account or self.resource_account == self.caller.account
        lower = request.action.lower()
        self._lower = lower
        self.is_assume = lower in _ASSUME
        self.needs_trust = lower in _TRUST_CALLS and ":role/" in request.resource
        self.facts: dict[str, Value] = derived_context(self.caller)
        if self.resource_account:
            self.facts["aws:resourceaccount"] = self.resource_account
        if lower.startswith("iam:") and self.caller.partition in _HOME_REGIONS:
            self.facts["aws:requestedregion"] = _HOME_REGIONS[self.caller.partition]  # E-05
        self.facts.update(layers.facts)
        self.refusal = self._refused_outright()
        self.refused_by = "credentials"
        if self.refusal is None and self._partitions_differ():
            self.refusal, self.refused_by = self._denied, "partition"
        # D-25: GetCallerIdentity can't be denied; GetSessionToken asks no policy when an IAM user calls it.
        self.always = lower == "sts:getcalleridentity" or (lower == "sts:getsessiontoken" and self.caller.kind == "user" and self.refusal is None)
        self.allows: dict[tuple[str, int], list[Matched]] = {}
        self.denies: list[Matched] = []
        read = self._collect()
        self._facts_read = {key: value for key, value in self.facts.items() if key in read}
        self.unknown = {layer: why for layer, why in layers.unknown if layer not in _CONTROLS or self._controlled_by(layer)}
        self.clauses = tuple(self._clauses())
        varied = [m for c in self.clauses for m in c.matched] + self.denies
        self.may_be_unknown = bool(self.unknown) or any(m.ready.unknown for m in varied)
        self._companion_questions: dict[str, Question] = {}
        self._companions_by_facts = {action for key in self.facts for prefixes, action in COMPANIONS if key.startswith(prefixes)}
        self._plain_keys: set[str] = set()
        self._keep_nothing()

    def __copy__(self) -> Question:
        """The same question, for one who will give it other denies or clauses: nothing that was worked out of the old ones goes along."""
        other = Question.__new__(Question)
        other.__dict__.update(self.__dict__)
        other._keep_nothing()
        return other

    def _keep_nothing(self) -> None:
        """What is worked out once, when first needed, and kept from one request to the next: contexts change, these don't."""
        self._tests: _Tests | None = None
        self._reasons: tuple[tuple[tuple[Test, Because], ...], ...] | None = None
        self._missing: tuple[tuple[tuple[Miss, ...], Callable[[Context], Miss | None] | None], ...] | None = None
        self._names_denials: bool | None = None
        self._messages: dict[tuple[Outcome, str | None, str | None], str] = {}

    # Collecting -----------------------------------------------------------------------------------------------------

    def layer_policies(self) -> list[tuple[str, int, tuple[Policy, ...]]]:
        """(layer, level, policies) of every layer that is set and reaches this question."""
        layers, who = self.layers, self.caller
        listed: list[tuple[str, int, tuple[Policy, ...]]] = []
        has_identity = who.kind in _SIGNED
        if self._controlled_by("service_control"):
            listed += [("service_control", i, level) for i, level in enumerate(layers.service_control or ())]
        if self.resource_control_applies:
            listed += [("resource_control", i, level) for i, level in enumerate(layers.resource_control or ())]
        if layers.vpc_endpoint is not None:
            listed.append(("vpc_endpoint", 0, layers.vpc_endpoint))
        if has_identity and who.kind != "root":
            listed.append(("identity", 0, layers.identity))
            if layers.boundary is not None:
                listed.append(("boundary", 0, layers.boundary))
            if layers.session is not None:
                listed.append(("session", 0, layers.session))
        listed.append(("resource", 0, layers.resource))
        return listed

    @property
    def _needs_key_policy(self) -> bool:
        """A key of KMS is open to identity policies only as far as its own policy says so, in its own account too; where that policy is known."""
        known = bool(self.layers.resource) or "resource" in self.unknown
        return known and self._lower.startswith("kms:") and ":key/" in self.resource

    @property
    def resource_control_applies(self) -> bool:
        return self._controlled_by("resource_control")

    def _controlled_by(self, layer: str) -> bool:
        """D-03: SCPs bind signed callers but service-linked roles; RCPs the resources of some services, whoever calls."""
        linked = ":role/aws-service-role/" in self.caller.entity
        if layer == "service_control":
            return self.caller.kind in _SIGNED and not linked
        return self._lower.partition(":")[0] in RCP_SERVICES and (not linked or self.settings.rcp_applies_to_service_linked_roles)

    def _partitions_differ(self) -> bool:
        """D-05, D-46: nothing is ever allowed from one partition into another."""
        parts = self.resource.split(":", 2)
        return self.caller.kind in _SIGNED and parts[0] == "arn" and parts[1] not in (self.caller.partition, "*")

    def _collect(self) -> set[str]:
        """Sort the statements into ``allows`` and ``denies``; the context keys that any policy reads."""
        read = set(ready_policy(_IAM_NEEDS_MFA, self.settings).reads)
        for layer, level, policies in self.layer_policies():
            allows = self.allows.setdefault((layer, level), [])
            for policy in policies:
                compiled = ready_policy(policy, self.settings)
                read |= compiled.reads
                for ready in compiled.statements:
                    if not ready.about_action(self._lower):
                        continue
                    if ready.resource_verdict(self.resource) is False:
                        continue
                    grant = ready.names(self.caller)
                    if grant is Grant.NONE:
                        continue
                    matched = Matched(layer, level, ready, grant, ready.applies_when(self.resource))
                    (self.denies if ready.denies else allows).append(matched)
        # The layer that AWS's message names comes first (G-21: only one is named).
        self.denies.sort(key=lambda m: _DENY_ORDER.index(m.layer))
        return read

    def _refused_outright(self) -> str | None:
        """D-24: what STS and IAM refuse to a kind of credential whatever the policies say; AWS's text."""
        kind, lower = self.credentials, self._lower
        if self.caller.kind == "root" and self.is_assume:
            return "Roles may not be assumed by root accounts."
        if lower == "sts:getcalleridentity":
            return None
        session_only = ("sts:getsessiontoken", "sts:getfederationtoken")
        is_sts, is_iam = lower.startswith("sts:"), lower.startswith("iam:")
        if (kind is CredentialKind.FEDERATED or self.caller.kind == "federated-user") and (is_sts or is_iam):
            name = self.action.partition(":")[2]
            return f"Cannot call {name} with session credentials" if is_sts else "The security token included in the request is invalid"
        if self.caller.kind in ("role-session", "role") and lower in session_only:
            return f"Cannot call {self.action.partition(':')[2]} with session credentials"
        if kind in (CredentialKind.SESSION_TOKEN, CredentialKind.CONSOLE) and is_sts and lower in session_only:
            return f"Cannot call {self.action.partition(':')[2]} with session credentials"
        if kind is CredentialKind.SESSION_TOKEN and is_sts and not self.is_assume and not lower.startswith(("sts:tag", "sts:setsource")):
            return f"Cannot call {self.action.partition(':')[2]} with session credentials"
        return None

    # Answering ------------------------------------------------------------------------------------------------------

    def context(self, given: Context) -> dict[str, Value]:
        """The request's own keys over those that follow from the principal and the estate."""
        return {**self.facts, **given}

    def answer(self, request: Request) -> Decision:
        """The decision for a request of this question."""
        given = context = request._context
        for key in self._facts_read:
            if key not in given:
                context = {**self._facts_read, **given}
                break
        tests = self._tests or self._tests_of()
        if tests.settled is not None:
            return Decision(self, request, context, *tests.settled)
        outcome: Outcome = "allow"
        layer: str | None = None
        if self.may_be_unknown:
            outcome, layer = self._both_ways(context)
        else:
            for holds, layer in tests.denies:
                if holds(context):
                    return Decision(self, request, context, "explicit_deny", layer)
            for holds, layer in tests.clauses:
                if not holds(context):
                    return Decision(self, request, context, "implicit_deny", layer)
            layer = None
        if outcome == "allow" and self.is_assume and (self._companions_by_facts or not given.keys() <= self._plain_keys):
            for companion in self._companions_of(given):
                answer = companion.answer(request.replace(action=companion.action))
                if not answer.allowed:
                    return answer
        return Decision(self, request, context, outcome, layer)

    def _companions_of(self, given: Context) -> list[Question]:
        """What an AssumeRole with these context keys asks besides (D-26); keys that ask for nothing are remembered."""
        asking = {key: action for key in given for prefixes, action in COMPANIONS if key.startswith(prefixes)}
        if len(self._plain_keys) < 1000:
            self._plain_keys.update(given.keys() - asking.keys())
        return [self.companion(action) for _, action in COMPANIONS if action in asking.values() or action in self._companions_by_facts]

    def companion(self, action: str) -> Question:
        """The question that an AssumeRole with tags or a source identity asks as well (D-26)."""
        question = self._companion_questions.get(action)
        if question is None:
            asked = self.asked.replace(action=action)
            question = self._companion_questions[action] = Question(asked, self.layers, self.settings)
        return question

    def _tests_of(self) -> _Tests:
        settled: tuple[Outcome, str | None] | None = None
        if self.refusal is not None:
            settled = "implicit_deny", self.refused_by
        elif self.always:
            settled = "allow", None
        clauses = []
        for clause in self.clauses:
            # An Allow without a condition always holds, and so does its clause.
            if all(m.ready.conditions or m.when is not m.ready.test for m in clause.matched):
                alternatives = tuple(m.when for m in clause.matched)
                clauses.append((alternatives[0] if len(alternatives) == 1 else _any_of(alternatives), clause.layer))
        self._tests = _Tests(settled, tuple((m.when, m.layer) for m in self.denies), tuple(clauses))
        return self._tests

    def _both_ways(self, context: Context) -> tuple[Outcome, str | None]:
        """The answer where something isn't known: worked out as if it all allowed, and as if it all denied."""
        sure = next((m.layer for m in self.denies if m.when(context) is True), None)
        if sure is not None:
            return "explicit_deny", sure
        unsure = next(iter(self.unknown), None) or next((m.layer for m in self.denies if m.when(context) is None), None)
        for clause in self.clauses:
            holds = {m.when(context) for m in clause.matched}
            if True not in holds:
                if not clause.unknown and None not in holds:
                    return "implicit_deny", clause.layer
                unsure = unsure or clause.layer
        return ("unknown", unsure) if unsure else ("allow", None)

    def _clauses(self) -> Iterator[Clause]:
        """What must be allowed, in the order in which AWS's message names what is missing (D.1, D.2, D-03 to D-05, D.3)."""
        who, layers = self.caller, self.layers
        resource = self.allows["resource", 0]
        has_identity = who.kind in _SIGNED
        if self._controlled_by("service_control"):
            for level in range(len(layers.service_control or ())):
                yield self._clause("service_control", level)
        if self.resource_control_applies:
            for level, policies in enumerate(layers.resource_control or ()):
                # RCPFullAWSAccess, the only RCP with an Allow, can't be detached: a level given without it has it all the same (D.1, step 2).
                if any(not s.denies for p in policies for s in p.statements):
                    yield self._clause("resource_control", level)
        if ("vpc_endpoint", 0) in self.allows:
            yield self._clause("vpc_endpoint")
        if has_identity and who.kind != "root":
            named = resource if self.same_account else []
            directly = [m for m in named if m.grant is Grant.DIRECT]
            if who.kind == "user" and self.needs_trust and not self.settings.trust_user_grant_bypasses_boundary:
                directly = []  # D-22, the cautious reading
            # D-26: in one account tags and a source identity need the trust policy's consent alone, however it names the caller.
            least = Grant.ACCOUNT if self._lower in _BESIDE_ASSUME and self.needs_trust else Grant.ROLE
            yield self._clause("identity", bypass=[m for m in named if m.grant >= least])
            if ("boundary", 0) in self.allows:
                yield self._clause("boundary", bypass=directly)
            if ("session", 0) in self.allows:
                yield self._clause("session", bypass=directly)
            elif who.kind == "federated-user":
                # D-04: GetFederationToken without a session policy has no identity-side permission.
                yield Clause("session", tuple(directly), self.same_account and "resource" in self.unknown)
        if not has_identity or self.needs_trust or not self.same_account or self._needs_key_policy:
            yield self._clause("resource")
        if self.credentials is CredentialKind.SESSION_TOKEN and self._lower.startswith("iam:"):
            ready = ready_policy(_IAM_NEEDS_MFA, self.settings).statements[0]
            yield Clause("credentials", (Matched("credentials", 0, ready, Grant.DIRECT, ready.test),))

    def _clause(self, layer: str, level: int = 0, bypass: Sequence[Matched] = ()) -> Clause:
        unknown = layer in self.unknown or (self.same_account and layer in ("identity", "boundary", "session") and "resource" in self.unknown)
        return Clause(layer, (*self.allows[layer, level], *bypass), unknown)

    # Explaining -----------------------------------------------------------------------------------------------------

    def because(self, outcome: Outcome, layer: str | None, context: Context) -> tuple[Because, ...]:
        """The statements that decided: all Denies that hold, or the Allows of each layer; for an implicit deny the layer alone."""
        if outcome not in ("explicit_deny", "allow"):
            return (Because(layer),) if layer else ()
        if self._reasons is None:
            matched = (self.denies, [m for group in self.allows.values() for m in group])
            self._reasons = tuple(tuple((m.when, _because(m)) for m in those) for those in matched)
        return tuple([why for holds, why in self._reasons[outcome == "allow"] if holds(context)])

    def misses(self, context: Context) -> tuple[Miss, ...]:
        """Why each Allow of the layers did not match: the element, the key, what it had and what it wanted."""
        if self._missing is None:
            self._missing = tuple(self._possible_misses())
        found: tuple[Miss, ...] = ()
        for always, ask in self._missing:
            found += always
            miss = ask(context) if ask is not None else None
            if miss is not None:
                found += (miss,)
        return found

    def _possible_misses(self) -> Iterator[tuple[tuple[Miss, ...], Callable[[Context], Miss | None] | None]]:
        """For each Allow the miss where it is the same for every context, gathered up to one whose miss takes asking a context."""
        always: list[Miss] = []
        for layer, _, policies in self.layer_policies():
            for policy in policies:
                for ready in ready_policy(policy, self.settings).statements:
                    if ready.denies:
                        continue
                    depends = ready.about_action(self._lower) and ready.resource_verdict(self.resource) is None
                    miss = None if depends else self._element_miss(layer, ready, {})
                    if miss is not None:
                        always.append(miss)
                    elif depends or ready.conditions:
                        yield tuple(always), partial(self._miss if depends else _condition_miss, layer, ready)
                        always = []
        yield tuple(always), None

    def _miss(self, layer: str, ready: ReadyStatement, context: Context) -> Miss | None:
        return self._element_miss(layer, ready, context) or _condition_miss(layer, ready, context)

    def _element_miss(self, layer: str, ready: ReadyStatement, context: Context) -> Miss | None:
        statement = ready.statement
        if not ready.about_action(self._lower):
            wanted = statement.actions or statement.not_actions or ()
            return Miss(layer, ready, "Action" if statement.actions is not None else "NotAction", "", self.action, wanted)
        if not ready.about_resource(self.resource, context):
            wanted = statement.resources or statement.not_resources or ()
            return Miss(layer, ready, "Resource" if statement.resources is not None else "NotResource", "", self.resource, wanted)
        if ready.names(self.caller) is Grant.NONE:
            element = statement.principal or statement.not_principal
            named = (*element.aws, *element.service, *element.federated, *element.canonical) if element else ()
            if element is not None and element.anyone and not named:
                named = ("*",)
            return Miss(layer, ready, "Principal" if statement.principal else "NotPrincipal", "", self.principal, named)
        return None

    @property
    def _denied(self) -> str:
        """AWS's text without a reason: all that another account gets to read (G-21)."""
        where = f" on resource: {self.resource}" if self.resource != "*" else ""
        return f"User: {self.principal} is not authorized to perform: {self.action}{where}"

    def message(self, outcome: Outcome, layer: str | None, context: Context) -> str:
        """AWS's own denial text (G-20, G-21); empty on allow."""
        arn = None
        if self._names_denials is None:
            self._names_denials = self.settings.denial_names_policy_arn and any(_arn_of(m) for m in self.denies)
        if self._names_denials and outcome == "explicit_deny" and layer not in ("resource", "vpc_endpoint"):
            arn = next((_arn_of(m) for m in self.denies if m.layer == layer and m.when(context)), None) or None
        text = self._messages.get((outcome, layer, arn))
        if text is None:
            text = self._messages[outcome, layer, arn] = self._message(outcome, layer, arn)
        return text

    def _message(self, outcome: Outcome, layer: str | None, arn: str | None) -> str:
        if outcome == "allow":
            return ""
        if self.refusal is not None:
            return self.refusal
        if layer == "credentials":
            return "The security token included in the request is invalid"
        text = self._denied
        if not self.same_account or self.caller.kind in ("anonymous", "service", "federated") or outcome == "unknown" or layer is None:
            return text
        name = _MESSAGE_NAME[layer]
        if layer == "resource" and self.needs_trust:
            name = "role trust policy"
        if outcome == "implicit_deny":
            return f"{text} because no {name} allows the {self.action} action"
        article = "the" if name == "role trust policy" else "an" if name[0] in "aeiou" else "a"
        return f"{text} with an explicit deny in {article} {name}" + (f": {arn}" if arn else "")


_SIGNED = ("user", "role-session", "role", "federated-user", "root")
_CONTROLS = ("service_control", "resource_control")
_HOME_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""E-05: IAM is global; the Region that its requests carry, by partition."""

_DENY_ORDER = ("service_control", "resource_control", "vpc_endpoint", "identity", "boundary", "session", "resource")
_MESSAGE_NAME: Mapping[str, str] = {
    "identity": "identity-based policy", "boundary": "permissions boundary", "session": "session policy",
    "resource": "resource-based policy", "service_control": "service control policy",
    "resource_control": "resource control policy", "vpc_endpoint": "VPC endpoint policy",
}  # fmt: skip


def _condition_miss(layer: str, ready: ReadyStatement, context: Context) -> Miss | None:
    for tested in ready.conditions:
        if tested.test(context) is not True:
            condition = tested.condition
            return Miss(layer, ready, "Condition", f"{condition.operator} {condition.key}", context.get(tested.key), condition.values)
    return None


def _arn_of(matched: Matched) -> str:
    """The ARN of a statement's policy; an inline policy has none, though we call it ``…#inline/name`` among ourselves (G-20)."""
    arn = matched.ready.policy.arn or ""
    return "" if "#" in arn else arn


def _because(matched: Matched) -> Because:
    ready = matched.ready
    policy, statement = ready.policy, ready.statement
    return Because(matched.layer, policy.name, statement.index, statement.sid or None, policy, statement)


def _with_estate_facts(who: Caller, layers: Layers) -> Caller:
    if not layers.role and not layers.unique_id:
        return who
    entity = layers.role or ("" if who.path_unknown or who.kind == "user" else who.entity)
    return caller(who.arn, entity=entity, unique_id=layers.unique_id or who.unique_id) or who


def resource_account_of(request: Request) -> str:
    """The account that owns the resource: as given, else from its ARN or aws:ResourceAccount; empty where none tells (then the caller's own)."""
    if request.resource_account:
        return request.resource_account
    parts = request.resource.split(":", 5)
    if len(parts) == 6 and parts[4].isdigit():
        return parts[4]
    given = request.context.get("aws:resourceaccount")
    return given if isinstance(given, str) else ""


class Authorizer:
    """Decides requests against one estate, or one set of layers, and keeps what it has worked out.

    >>> Authorizer(Estate()).decide(Request("arn:aws:iam::111122223333:user/a", "sts:GetCallerIdentity")).allowed
    True
    """

    _MOST_KEPT = 100_000

    def __init__(self, policies: Estate | Layers, settings: Settings = DEFAULT) -> None:
        self.policies = policies
        self.settings = settings
        self._questions: dict[Subject, Question] = {}
        self._decisions: dict[frozenset[object], tuple[frozenset[object], Decision]] = {}

    def decide(self, request: Request) -> Decision:
        """The decision, from memory when the same request was asked before."""
        key = request._key or request.key
        kept = self._decisions.get(key)
        if kept is None:
            decision = self.decide_anew(request)
            if len(self._decisions) >= self._MOST_KEPT:
                self._decisions.clear()
            self._decisions[key] = key, decision
            return decision
        if kept[0] is not key:
            # Equal, but another object: from now on this request is found by identity, without comparing.
            request._key = kept[0]
        return kept[1]

    def decide_anew(self, request: Request) -> Decision:
        """The decision, worked out from the policies; nothing is remembered of the context."""
        question = self._questions.get(request._subject)
        if question is None:
            question = self.question(request)
        return question.answer(request)

    def question(self, request: Request) -> Question:
        """What the policies say about a request's caller, action and resource, whatever its context."""
        found = self._questions.get(request.question)
        if found is None:
            if len(self._questions) >= self._MOST_KEPT:
                self._questions.clear()
            found = self._questions[request.question] = Question(request, self._layers(request), self.settings)
        return found

    def _layers(self, request: Request) -> Layers:
        if isinstance(self.policies, Layers):
            if request.session_policies is None:
                return self.policies
            return replace(self.policies, session=(*(self.policies.session or ()), *request.session_policies))
        return layers_of(self.policies, request, resource_account_of(request))


def decide(request: Request, policies: Estate | Layers, settings: Settings = DEFAULT) -> Decision:
    """Decide one request against an estate or explicit layers of policies.

    Asked often with the same policies, an ``Authorizer`` is faster: it compiles them once.
    """
    return Authorizer(policies, settings).decide_anew(request)
