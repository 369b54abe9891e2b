"""Policy documents that AWS refuses, with AWS's own texts and the place (A-01 to A-33), and those that it takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sekisho import Policy, PolicyKind, Settings
from sekisho.errors import PolicyError
from sekisho.policy import check_policy

SYNTAX = "Syntax errors in policy."
LEGACY = "The policy failed legacy parsing"
VERSION = "Policy document must be version 2012-10-17 or greater."
NO_ACTIONS = "Policy statement must contain actions."
NO_RESOURCES = "Policy statement must contain resources."
NO_PRINCIPAL = "Policy document should not specify a principal."
TRUST_ACTIONS = "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity"
IAM_PATHS = (
    'IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, '
    "server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."
)

IDENTITY, TRUST, RESOURCE = PolicyKind.IDENTITY, PolicyKind.TRUST, PolicyKind.RESOURCE
SCP, RCP, BOUNDARY, SESSION = PolicyKind.SERVICE_CONTROL, PolicyKind.RESOURCE_CONTROL, PolicyKind.BOUNDARY, PolicyKind.SESSION
VPCE = PolicyKind.VPC_ENDPOINT

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
SWITCH = {"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}


def document(*statements: object, **more: object) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


def but(base: dict[str, Any], **changes: object) -> dict[str, Any]:
    """A statement with elements changed; an element whose value is None is left out."""
    return {k: v for k, v in {**base, **changes}.items() if v is not None}


def with_action(action: object) -> dict[str, Any]:
    return document(but(ALLOW, Action=action))


def with_resource(resource: object) -> dict[str, Any]:
    return document(but(ALLOW, Resource=resource))


def trusting(principal: object) -> dict[str, Any]:
    return document(but(SWITCH, Principal=principal))


# rule and case, document (an object, or text), kind, AWS's text, pointer (None: anywhere)
REFUSED: tuple[tuple[str, Any, PolicyKind, str, str | None], ...] = (
    ("A-01 not JSON", "{", IDENTITY, SYNTAX, None),
    ("A-01 empty text", "", IDENTITY, SYNTAX, None),
    ("A-01 a list", "[]", IDENTITY, SYNTAX, None),
    ("A-01 a string", '"Allow"', IDENTITY, SYNTAX, None),
    ("A-01 null", "null", IDENTITY, SYNTAX, None),
    ("A-01 text after the end", json.dumps(document(ALLOW)) + "x", IDENTITY, SYNTAX, None),
    ("A-01 a trailing comma", '{"Version":"2012-10-17","Statement":[],}', IDENTITY, SYNTAX, None),
    ("A-01 an unknown key", document(ALLOW, Comment="x"), IDENTITY, SYNTAX, "/Comment"),
    ("A-01 a key in another letter case", {"Version": "2012-10-17", "statement": [ALLOW]}, IDENTITY, SYNTAX, "/statement"),
    ("A-01 an element in another letter case", document(but(ALLOW, effect="Allow")), IDENTITY, SYNTAX, "/Statement/0/effect"),
    ("A-01 an unknown element", document(but(ALLOW, Comment="x")), IDENTITY, SYNTAX, "/Statement/0/Comment"),
    ("A-02 an unknown version", document(ALLOW, Version="2012-10-18"), IDENTITY, SYNTAX, "/Version"),
    ("A-02 a version that is no text", document(ALLOW, Version=20121017), IDENTITY, SYNTAX, "/Version"),
    ("A-02 an empty version", document(ALLOW, Version=""), IDENTITY, SYNTAX, "/Version"),
    ("A-03 no version", {"Statement": [ALLOW]}, IDENTITY, VERSION, None),
    ("A-03 the version of 2008", document(ALLOW, Version="2008-10-17"), IDENTITY, VERSION, "/Version"),
    ("A-04 no Statement", {"Version": "2012-10-17"}, IDENTITY, SYNTAX, None),
    ("A-04 an empty list", document(), IDENTITY, SYNTAX, "/Statement"),
    ("A-04 a text", {"Version": "2012-10-17", "Statement": "Allow"}, IDENTITY, SYNTAX, "/Statement"),
    ("A-04 a list of texts", document("Allow"), IDENTITY, SYNTAX, "/Statement/0"),
    ("A-05 Statement twice", '{"Version":"2012-10-17","Statement":[],"Statement":[]}', IDENTITY, SYNTAX, "/Statement"),
    (
        "A-05 Effect twice", '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}',
        IDENTITY, SYNTAX, "/Statement/Effect",
    ),
    (
        "A-05 a condition key twice",
        '{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"k":"true","k":"false"}}}}',
        IDENTITY, SYNTAX, "/Statement/Condition/Bool/k",
    ),
    ("A-06 a smart quote", with_resource("arn:aws:s3:::b/\u201cx\u201d"), IDENTITY, SYNTAX, "/Statement/0/Resource"),
    ("A-06 Japanese", document(but(ALLOW, Sid="関所")), IDENTITY, SYNTAX, "/Statement/0/Sid"),
    ("A-06 a control character", with_resource("arn:aws:s3:::b/\x07"), IDENTITY, SYNTAX, "/Statement/0/Resource"),
    ("A-06 in a key", document(but(ALLOW, Condition={"StringEquals": {"aws:PrincipalTag/所": "x"}})), IDENTITY, SYNTAX, None),
    ("A-06 as an escape", '{"Version":"2012-10-17","Statement":[{"Sid":"\\u6240"}]}', IDENTITY, SYNTAX, "/Statement/0/Sid"),
    ("A-10 a Sid twice", document(but(ALLOW, Sid="A"), but(ALLOW, Sid="A")), IDENTITY, "Statement IDs (SID) in a single policy must be unique.",
     "/Statement/1/Sid"),
    ("A-10 a Sid with a space", document(but(ALLOW, Sid="A B")), IDENTITY,
     "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*", "/Statement/0/Sid"),
    ("A-10 a Sid that is no text", document(but(ALLOW, Sid=7)), IDENTITY, SYNTAX, "/Statement/0/Sid"),
    ("A-11 no Effect", document(but(ALLOW, Effect=None)), IDENTITY, SYNTAX, "/Statement/0"),
    ("A-11 an unknown word", document(but(ALLOW, Effect="Permit")), IDENTITY, SYNTAX, "/Statement/0/Effect"),
    ("A-11 a list", document(but(ALLOW, Effect=["Allow"])), IDENTITY, SYNTAX, "/Statement/0/Effect"),
    ("A-11 the right word in the wrong letter case", document(but(ALLOW, Effect="denY")), IDENTITY, LEGACY, "/Statement/0/Effect"),
    ("A-12 no action", document(but(ALLOW, Action=None)), IDENTITY, NO_ACTIONS, "/Statement/0"),
    ("A-12 an empty list", with_action([]), IDENTITY, NO_ACTIONS, "/Statement/0"),
    ("A-12 an empty NotAction", document(but(ALLOW, Action=None, NotAction=[])), IDENTITY, NO_ACTIONS, "/Statement/0"),
    ("A-12 both", document(but(ALLOW, NotAction="s3:*")), IDENTITY, SYNTAX, "/Statement/0/NotAction"),
    ("A-13 no colon", with_action("GetObject"), IDENTITY, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
     "/Statement/0/Action"),
    ("A-13 an empty text", with_action(["s3:*", ""]), IDENTITY, "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
     "/Statement/0/Action"),
    ("A-13 two colons", with_action("s3:Get:Object"), IDENTITY, "Actions/Condition can contain only one colon.", "/Statement/0/Action"),
    ("A-13 a vendor with a wildcard", with_action("s*:GetObject"), IDENTITY, "Vendor s* is not valid", "/Statement/0/Action"),
    ("A-13 a vendor that is a wildcard", with_action("*:GetObject"), IDENTITY, "Vendor * is not valid", "/Statement/0/Action"),
    ("A-13 nothing but wildcards", with_action("*:*"), IDENTITY, "Vendor * is not valid", "/Statement/0/Action"),
    ("A-13 a vendor with a slash", document(but(ALLOW, Action=None, NotAction="a/b:c")), IDENTITY, "Vendor a/b is not valid",
     "/Statement/0/NotAction"),
    ("A-14 no resource", document(but(ALLOW, Resource=None)), IDENTITY, NO_RESOURCES, "/Statement/0"),
    ("A-14 no resource in a boundary", document(but(ALLOW, Resource=None)), BOUNDARY, NO_RESOURCES, "/Statement/0"),
    ("A-14 no resource in a session policy", document(but(ALLOW, Resource=[])), SESSION, NO_RESOURCES, "/Statement/0"),
    ("A-14 both", document(but(ALLOW, NotResource="*")), IDENTITY, SYNTAX, "/Statement/0/NotResource"),
    ("A-14 a resource in a trust policy", document(but(SWITCH, Resource="*")), TRUST, "Has prohibited field Resource", "/Statement/0/Resource"),
    ("A-14 a NotResource in a trust policy", document(but(SWITCH, NotResource="arn:aws:s3:::b")), TRUST, "Has prohibited field Resource",
     "/Statement/0/NotResource"),
    ("A-15 no ARN", with_resource("bucket"), IDENTITY, 'Resource bucket must be in ARN format or "*".', "/Statement/0/Resource"),
    ("A-15 no ARN, with colons", with_resource("urn:aws:s3:::b"), IDENTITY, 'Resource urn:aws:s3:::b must be in ARN format or "*".', None),
    ("A-15 a partition", with_resource("arn:gcp:s3:::b"), IDENTITY, 'Partition "gcp" is not valid for resource "arn:gcp:s3:::b".', None),
    ("A-15 a partition, short", with_resource("arn:gcp:s3"), IDENTITY, 'Partition "gcp" is not valid for resource "arn:gcp:s3:*:*:*".', None),
    ("A-15 a vendor with a wildcard", with_resource("arn:aws:s*:::b"), IDENTITY,
     "Resource vendor must be fully qualified and cannot contain regexes.", "/Statement/0/Resource"),
    ("A-15 any vendor", with_resource("arn:aws:*:::b"), IDENTITY, "Resource vendor must be fully qualified and cannot contain regexes.", None),
    ("A-15 no vendor", with_resource("arn:aws"), IDENTITY, "Resource vendor must be fully qualified and cannot contain regexes.", None),
    ("A-15 IAM has no Regions", with_resource("arn:aws:iam:us-east-1:111111111111:user/a"), IDENTITY,
     "IAM resource arn:aws:iam:us-east-1:111111111111:user/a cannot contain region information.", None),
    ("A-15 an IAM path", with_resource("arn:aws:iam::111111111111:people/a"), IDENTITY, IAM_PATHS, "/Statement/0/Resource"),
    ("A-16 a principal in an identity policy", document(but(ALLOW, Principal="*")), IDENTITY, NO_PRINCIPAL, "/Statement/0"),
    ("A-16 a NotPrincipal in a boundary", document(but(ALLOW, NotPrincipal={"AWS": "111111111111"})), BOUNDARY, NO_PRINCIPAL, "/Statement/0"),
    ("A-16 a principal in a session policy", document(but(ALLOW, Principal="*")), SESSION, NO_PRINCIPAL, "/Statement/0"),
    ("A-16 a principal in an SCP", document(but(ALLOW, Principal="*")), SCP, NO_PRINCIPAL, "/Statement/0"),
    ("A-16 both", document(but(SWITCH, NotPrincipal="*")), TRUST, SYNTAX, "/Statement/0/NotPrincipal"),
    ("A-16 NotPrincipal in a trust policy", document(but(SWITCH, Principal=None, NotPrincipal={"AWS": "111111111111"})), TRUST,
     "Has prohibited field NotPrincipal", "/Statement/0/NotPrincipal"),
    ("A-16 an RCP for one principal", document(but(ALLOW, Effect="Deny", Principal={"AWS": "111111111111"})), RCP, SYNTAX,
     "/Statement/0/Principal"),
    ("A-16 an RCP that allows", document(but(ALLOW, Principal="*")), RCP, SYNTAX, "/Statement/0/Effect"),
    ("A-17 another service", document(but(SWITCH, Action="s3:GetObject")), TRUST, TRUST_ACTIONS, "/Statement/0/Action"),
    ("A-17 everything", document(but(SWITCH, Action="*")), TRUST, TRUST_ACTIONS, "/Statement/0/Action"),
    ("A-17 one of two", document(but(SWITCH, Action=["sts:AssumeRole", "iam:PassRole"])), TRUST, TRUST_ACTIONS, "/Statement/0/Action"),
    ("A-18 an unknown operator", document(but(ALLOW, Condition={"StringMatches": {"k": "v"}})), IDENTITY, SYNTAX,
     "/Statement/0/Condition/StringMatches"),
    ("A-18 no object", document(but(ALLOW, Condition=[])), IDENTITY, SYNTAX, "/Statement/0/Condition"),
    ("A-18 a bad date", document(but(ALLOW, Condition={"DateLessThan": {"aws:CurrentTime": "soon"}})), IDENTITY, LEGACY,
     "/Statement/0/Condition/DateLessThan/aws:CurrentTime"),
    ("A-19 an action that is no text", with_action(7), IDENTITY, SYNTAX, "/Statement/0/Action"),
    ("A-19 a list of lists", with_resource([["*"]]), IDENTITY, SYNTAX, "/Statement/0/Resource"),
    ("A-19 a nested condition value", document(but(ALLOW, Condition={"Bool": {"k": {"a": "b"}}})), IDENTITY, SYNTAX,
     "/Statement/0/Condition/Bool/k"),
    ("A-20 syntax before version", {"Statement": [but(ALLOW, Effect="Permit")]}, IDENTITY, SYNTAX, None),
    ("A-20 version before legacy", {"Statement": [but(ALLOW, Effect="denY")]}, IDENTITY, VERSION, None),
    ("A-20 legacy before Sids", document(but(ALLOW, Sid="A", Effect="allow"), but(ALLOW, Sid="A")), IDENTITY, LEGACY, None),
    ("A-20 Sids before actions", document(but(ALLOW, Sid="A", Action=[]), but(ALLOW, Sid="A")), IDENTITY,
     "Statement IDs (SID) in a single policy must be unique.", None),
    ("A-20 actions before resource format", document(but(ALLOW, Resource="x"), but(ALLOW, Action=[])), IDENTITY, NO_ACTIONS, "/Statement/1"),
    ("A-20 resource format before action prefix", document(but(ALLOW, Action="x"), but(ALLOW, Resource="x")), IDENTITY,
     'Resource x must be in ARN format or "*".', "/Statement/1/Resource"),
    ("A-20 action prefix before resources", document(but(ALLOW, Resource=None), but(ALLOW, Action="x")), IDENTITY,
     "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", "/Statement/1/Action"),
    ("A-20 action prefix before what is only for trust", document(but(SWITCH, Action=["s3:GetObject", "x"])), TRUST,
     "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", None),
    ("A-30 a wildcard inside a user", trusting({"AWS": "arn:aws:iam::111111111111:user/*"}), TRUST,
     'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:user/*"', "/Statement/0/Principal"),
    ("A-30 a wildcard session", trusting({"AWS": "arn:aws:sts::111111111111:assumed-role/R/*"}), TRUST,
     'Invalid principal in policy: "AWS":"arn:aws:sts::111111111111:assumed-role/R/*"', None),
    ("A-30 a group", trusting({"AWS": ["111111111111", "arn:aws:iam::111111111111:group/g"]}), TRUST,
     'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:group/g"', None),
    ("A-30 a short account", trusting({"AWS": "1111"}), TRUST, 'Invalid principal in policy: "AWS":"1111"', None),
    ("A-30 a wildcard service", document(but(SWITCH, Principal={"Service": "*.amazonaws.com"})), TRUST,
     'Invalid principal in policy: "Service":"*.amazonaws.com"', None),
    ("A-30 in a resource policy too", document(but(ALLOW, Principal={"AWS": "arn:aws:iam::111111111111:role/a*"})), RESOURCE,
     'Invalid principal in policy: "AWS":"arn:aws:iam::111111111111:role/a*"', None),
    ("A.3 an unknown type", trusting({"IAM": "111111111111"}), TRUST, SYNTAX, "/Statement/0/Principal"),
    ("A.3 a list", trusting(["*"]), TRUST, SYNTAX, "/Statement/0/Principal"),
    ("A-33 no principal in a trust policy", document(but(SWITCH, Principal=None)), TRUST, "Missing required field Principal", "/Statement/0"),
    ("A-33 no principal in a resource policy", document(ALLOW), RESOURCE, "Missing required field Principal", "/Statement/0"),
)  # fmt: skip


@pytest.mark.parametrize(("source", "kind", "message", "pointer"), [c[1:] for c in REFUSED], ids=[c[0] for c in REFUSED])
def test_refused(source: Any, kind: PolicyKind, message: str, pointer: str | None) -> None:
    """Both as text and as an object: AWS's code, AWS's text, and where it stands."""
    texts = [source] if isinstance(source, str) else [json.dumps(source), json.dumps(source, indent=2), json.dumps(source).encode(), source]
    for text in texts:
        with pytest.raises(PolicyError) as caught:
            check_policy(text, kind)
        assert (caught.value.code, caught.value.message) == ("MalformedPolicyDocument", message)
        place = caught.value.place
        assert place is not None
        if pointer is not None:
            assert place.pointer == pointer
        if not isinstance(text, dict):
            assert place.line is not None and place.column is not None
        assert caught.value.exit_status == 2


ACCEPTED: tuple[tuple[str, Any, PolicyKind], ...] = (
    ("A-01 every top-level key", document(but(ALLOW, Principal="*"), Id="x"), RESOURCE),
    ("A-04 a bare statement", {"Version": "2012-10-17", "Statement": ALLOW}, IDENTITY),
    ("A-04 an Id in an identity policy", document(ALLOW, Id="x"), IDENTITY),
    ("A-06 the whole of Latin-1", document(but(ALLOW, Condition={"StringEquals": {"k": "\t\n\r ~\u00a0\u00ff"}})), IDENTITY),
    ("A-10 empty Sids don't clash", document(but(ALLOW, Sid=""), but(ALLOW, Sid="")), IDENTITY),
    ("A-10 Sids differ in letter case", document(but(ALLOW, Sid="a"), but(ALLOW, Sid="A")), IDENTITY),
    ("A-10 other services allow more in a Sid", document(but(ALLOW, Sid="A B-c", Principal="*")), RESOURCE),
    ("A-13 everything", with_action("*"), IDENTITY),
    ("A-13 a vendor with dots and hyphens", with_action(["a4b:*", "execute-api:Invoke", "AWS.x:y"]), IDENTITY),
    ("A-14 NotResource", document(but(ALLOW, Resource=None, NotResource="arn:aws:s3:::b")), IDENTITY),
    ("A-15 partitions", with_resource(["arn:aws:s3:::b", "arn:aws-cn:s3:::b", "arn:aws-us-gov:s3:::b"]), IDENTITY),
    ("A-15 IAM paths", with_resource(["arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::*:*", "arn:aws:iam::1:role/a/*", "arn:aws:iam::*"]),
     IDENTITY),
    ("A-15 an account's virtual MFA devices", with_resource("arn:aws:iam::111122223333:mfa/*"), IDENTITY),
    ("A-16 RCP", document(but(ALLOW, Effect="Deny", Principal="*")), RCP),
    ("A-16 NotPrincipal in a resource policy", document(but(ALLOW, Effect="Deny", NotPrincipal={"AWS": "111111111111"})), RESOURCE),
    ("A-17 every trust action", document(but(SWITCH, Action=[
        "sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"])), TRUST),
    ("A-18 unknown keys", document(but(ALLOW, Condition={"StringEquals": {"nonsense": "v"}})), IDENTITY),
    ("A-18 an unknown operator that asks nothing", document(but(ALLOW, Condition={"StringMatches": {}})), IDENTITY),
    ("A-19 lists and scalars", document(but(ALLOW, Action=["s3:*"], Condition={"Bool": {"k": [True, "x", 1, 1.5]}})), IDENTITY),
    ("A-32 * in a trust policy", trusting("*"), TRUST),
    ("A.3 every form", trusting({
        "AWS": ["111111111111", "arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:user/path/name",
                "arn:aws:iam::111111111111:role/path/name", "arn:aws:sts::111111111111:assumed-role/R/s",
                "arn:aws:sts::111111111111:federated-user/n", "AIDAEXAMPLEEXAMPLE11", "AROAEXAMPLEEXAMPLE11", "*"],
        "Service": ["ec2.amazonaws.com"], "Federated": ["arn:aws:iam::111111111111:saml-provider/n", "accounts.google.com"]}), TRUST),
    ("A.3 canonical users", document(but(ALLOW, Principal={"CanonicalUser": "79a5"})), RESOURCE),
    ("A.3 a partition", trusting({"AWS": "arn:aws-cn:iam::111111111111:root"}), TRUST),
)  # fmt: skip


@pytest.mark.parametrize(("source", "kind"), [c[1:] for c in ACCEPTED], ids=[c[0] for c in ACCEPTED])
def test_accepted(source: dict[str, Any], kind: PolicyKind) -> None:
    assert check_policy(json.dumps(source), kind) == check_policy(source, kind)


def test_stored_documents_are_read_in_every_version() -> None:
    """A-02, A-03: what writing refuses is read where it stands, and an absent version is that of 2008."""
    for source in ({"Statement": [ALLOW]}, document(ALLOW, Version="2008-10-17")):
        policy = Policy.parse(source)
        assert policy.version == "2008-10-17"
        assert not policy.expands_variables
    assert Policy.parse(document(ALLOW)).expands_variables


def test_trust_policy_of_2008_follows_the_setting() -> None:
    """A-03: open, and so a setting."""
    source = document(SWITCH, Version="2008-10-17")
    assert check_policy(source, TRUST).version == "2008-10-17"
    with pytest.raises(PolicyError, match="2012-10-17 or greater"):
        check_policy(source, TRUST, Settings(stored_2008_trust_is_accepted=False))


def test_existing_documents_that_writing_would_refuse() -> None:
    """A-13, A-17: a stored document may be wider than what AWS takes today."""
    assert Policy.parse(with_action("*:*")).statements[0].actions == ("*:*",)
    assert Policy.parse(document(but(SWITCH, Action="*")), kind=TRUST).statements[0].actions == ("*",)
    with pytest.raises(PolicyError):
        Policy.parse(with_action("*:Get*"))


def test_scalars_and_lists_are_one() -> None:
    """A-19: everywhere a list can stand, one value is a list of one, and JSON's kinds are texts."""
    one = document(but(SWITCH, Condition={"Bool": {"k": True}, "NumericEquals": {"n": 10}}))
    many = document({
        "Effect": "Allow", "Principal": {"AWS": ["111111111111"]}, "Action": ["sts:AssumeRole"],
        "Condition": {"Bool": {"k": ["true"]}, "NumericEquals": {"n": ["10"]}},
    })  # fmt: skip
    assert Policy.parse(one, kind=TRUST).statements == Policy.parse(many, kind=TRUST).statements
    assert Policy.parse(one, kind=TRUST).same_as(Policy.parse(many, kind=TRUST))


def test_a_bare_statement_is_a_list_of_one() -> None:
    """A-04."""
    bare, listed = Policy.parse({"Version": "2012-10-17", "Statement": ALLOW}), Policy.parse(document(ALLOW))
    assert bare.same_as(listed)
    assert (bare.statements[0].pointer, listed.statements[0].pointer) == ("/Statement", "/Statement/0")


@pytest.mark.parametrize("kind", [IDENTITY, BOUNDARY, SESSION, SCP], ids=lambda kind: f"A-16 {kind.value}")
def test_kinds_without_principals(kind: PolicyKind) -> None:
    assert check_policy(document(ALLOW), kind).statements[0].principal is None


@pytest.mark.parametrize("kind", [TRUST, RESOURCE, RCP, VPCE], ids=lambda kind: f"A-16 {kind.value}")
def test_kinds_with_principals(kind: PolicyKind) -> None:
    statement = SWITCH if kind is TRUST else but(ALLOW, Effect="Deny", Principal="*")
    assert check_policy(document(statement), kind).statements[0].principal is not None
