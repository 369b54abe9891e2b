"""Sign-in, second factor and switch role in the console, and the records they leave (rule book E-20, F-17, G-03 to G-08, H-05, J)."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from .people import CAFE, OFFICE, J, Person, Sandbox, T, allow, refused, trust

MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
INSIDE = {"IpAddress": {"aws:SourceIp": [f"{OFFICE}/32"]}}
G_22 = re.compile(
    r"^User: (\S+) is not authorized to perform: (\S+?)(?: on resource: (.+?))?(?: because no (.+?)(?: policy)? allows the \S+ action"
    r"| with an explicit deny in (?:an?|the) (.+?)(?: policy)?(?:: (arn:\S+))?)?$"
)
H_05 = "Invalid information in one or more fields. Check your information or contact your administrator."


@pytest.fixture
def alice(aws: Sandbox) -> Person:
    person = aws.user("alice", allow("sts:AssumeRole"), allow("iam:ListMFADevices"))
    person.enrol()
    return person


def test_wrong_and_unknown_are_refused_in_the_same_words(aws: Sandbox, alice: Person) -> None:
    answers = [
        alice.sign_in(password="wrong"),
        aws.signin("login", {"account": J, "user": "nobody", "password": "wrong"}),
        aws.signin("login", {"account": "999988887777", "user": "alice", "password": alice.password}),
    ]
    assert {status for status, _ in answers} == {403}
    assert len({answer["message"] for _, answer in answers}) == 1


def test_a_code_is_asked_for_and_is_good_once(aws: Sandbox, alice: Person) -> None:
    assert alice.sign_in()[0] == 401
    code = alice.code()
    status, answer = alice.sign_in(code=code)
    assert (status, answer["mfa"]) == (200, True)
    assert alice.sign_in(code=code)[0] == 403
    assert alice.sign_in(code="000000")[0] == 403


def test_guessing_passwords_is_slowed_down(aws: Sandbox, alice: Person) -> None:
    for _ in range(10):
        assert alice.sign_in(password="wrong")[0] == 403
    assert alice.sign_in(code=alice.code())[0] == 403
    aws.later(60)
    assert alice.sign_in(code=alice.code())[0] == 200


def test_an_alias_names_the_account(aws: Sandbox, alice: Person) -> None:
    aws.client("iam").create_account_alias(AccountAlias="example-jump")
    body = {"account": "example-jump", "user": "alice", "password": alice.password, "mfa_code": alice.code()}
    assert aws.signin("login", body)[0] == 200


def test_first_sign_in_changes_the_password(aws: Sandbox) -> None:
    """Field.md, row 6: the change itself needs iam:ChangePassword, and says so where it is missing."""
    bob = aws.user("bob", allow("iam:ChangePassword"))
    aws.client("iam").update_login_profile(UserName="bob", Password="First-password-1", PasswordResetRequired=True)
    bob.password = "First-password-1"
    status, answer = bob.sign_in()
    assert (status, answer["must_change_password"]) == (200, True)
    token = answer["credentials"]["SessionToken"]
    change = {"password": "First-password-1", "new_password": "Second-password-2"}
    assert aws.signin("change-password", {**change, "password": "not it"}, token=token)[0] != 200
    assert aws.signin("change-password", change, token=token)[0] == 200
    assert bob.sign_in()[0] == 403
    bob.password = "Second-password-2"
    assert bob.sign_in()[1]["must_change_password"] is False
    carol = aws.user("carol")
    status, answer = carol.sign_in()
    change = {"password": carol.password, "new_password": "Second-password-2"}
    status, answer = aws.signin("change-password", change, token=answer["credentials"]["SessionToken"])
    assert (status, answer["code"]) == (403, "AccessDenied")


def test_console_keys_are_those_of_a_console_session(aws: Sandbox, alice: Person) -> None:
    """Table E (a): MFA true with a code; iam:ListMFADevices works with it."""
    keys = alice.console()
    assert aws.client("iam", keys, address=OFFICE).list_mfa_devices(UserName="alice")["MFADevices"][0]["SerialNumber"] == alice.serial


def test_J_1_a_switch_leaves_three_records(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn, **MFA, **INSIDE))
    status, answer = alice.switch(alice.console(), role)
    assert (status, answer["role"]) == (200, role)
    assert aws.client("ec2", answer["credentials"], address=CAFE).describe_instances()["Reservations"] == []
    ours, theirs = aws.events(J, "AssumeRole")[0], aws.events(T, "AssumeRole")[0]
    assert ours["sharedEventID"] == theirs["sharedEventID"] and ours["eventID"] != theirs["eventID"]
    for record in (ours, theirs):
        assert record["sourceIPAddress"] == record["userAgent"] == "AWS Internal"  # G-05
        assert record["requestParameters"]["roleSessionName"] == "alice" and record["readOnly"] is True
        assert record["resources"] == [{"ARN": role, "accountId": T, "type": "AWS::IAM::Role"}]
    assert ours["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true"
    assert ours["userIdentity"]["invokedBy"] == "AWS Internal"
    assert {k: theirs["userIdentity"][k] for k in ("type", "accountId")} == {"type": "AWSAccount", "accountId": J}
    (switch,) = aws.events(T, "SwitchRole")  # G-06: in the role's account alone, with the human's address
    assert aws.events(J, "SwitchRole") == []
    assert (switch["sourceIPAddress"], switch["userAgent"], switch["eventType"]) == (OFFICE, "a browser", "AwsConsoleSignIn")
    assert switch["additionalEventData"]["SwitchFrom"] == alice.arn
    assert switch["userIdentity"]["arn"] == f"arn:aws:sts::{T}:assumed-role/Ops/alice"
    assert switch["eventID"] == answer["event"]
    (called,) = aws.events(T, "DescribeInstances")
    assert called["userIdentity"]["accessKeyId"] == ours["responseElements"]["credentials"]["accessKeyId"]
    assert called["sourceIPAddress"] == CAFE


def test_J_2_and_J_5_a_refused_switch_shows_one_text_and_records_another(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn, **MFA, **INSIDE))
    keys = alice.console(CAFE)
    causes = {
        "outside": (role, CAFE), "no such role": (f"arn:aws:iam::{T}:role/Nothing", OFFICE),
        "no such account": ("arn:aws:iam::999988887777:role/X", OFFICE),
    }  # fmt: skip
    for arn, address in causes.values():
        status, answer = alice.switch(keys, arn, address)
        assert (status, answer["message"]) == (403, H_05)
        record = aws.events(J, "AssumeRole")[0]
        assert record["eventID"] == answer["event"]
        assert record["requestParameters"] is None and record["responseElements"] is None  # G-08
        parsed = G_22.match(record["errorMessage"])
        assert parsed is not None and parsed.groups()[:3] == (alice.arn, "sts:AssumeRole", arn)


def test_J_2_the_layer_is_in_the_text_within_an_account(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn, **INSIDE), account=J)
    alice.switch(alice.console(), role, CAFE)
    assert G_22.match(aws.events(J, "AssumeRole")[0]["errorMessage"]).group(4) == "role trust"  # type: ignore[union-attr]


def test_J_3_one_record_within_an_account(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn), account=J)
    assert alice.switch(alice.console(), role)[0] == 200
    (record,) = aws.events(J, "AssumeRole")
    assert "sharedEventID" not in record


def test_J_6_and_F_17_sign_in_works_from_outside_and_nothing_after_it(aws: Sandbox, alice: Person) -> None:
    deny = {"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": f"{OFFICE}/32"}},
    }}  # fmt: skip
    aws.client("iam").put_user_policy(UserName="alice", PolicyName="outside", PolicyDocument=json.dumps(deny))
    role = aws.role(trust(alice.arn))
    keys = alice.console(CAFE)
    assert refused(aws.client("iam", keys, address=CAFE).list_mfa_devices, UserName="alice")[0] == "AccessDenied"
    assert alice.switch(keys, role, CAFE)[0] == 403
    assert [e["responseElements"]["ConsoleLogin"] for e in aws.events(J, "ConsoleLogin")][0] == "Success"
    assert alice.switch(keys, role, OFFICE)[0] == 200


def test_J_7_policy_errors_are_AWS_s(aws: Sandbox) -> None:
    iam = aws.client("iam")
    iam.create_user(UserName="alice")
    code, message, status = refused(iam.put_user_policy, UserName="alice", PolicyName="p", PolicyDocument='{"Statement": []}')
    assert (code, message, status) == ("MalformedPolicyDocument", "Syntax errors in policy.", 400)
    big = allow("s3:*", [f"arn:aws:s3:::bucket-{i:04}/*" for i in range(100)])
    code, _, status = refused(iam.put_user_policy, UserName="alice", PolicyName="p", PolicyDocument=json.dumps(big))
    assert (code, status) == ("LimitExceeded", 409)


def test_E_20_a_switch_from_inside_a_role_uses_the_sign_in(aws: Sandbox, alice: Person) -> None:
    """The console switches with the original credentials, so a role that trusts only alice can be reached from another role."""
    first, second = aws.role(trust(alice.arn, **MFA), name="First"), aws.role(trust(alice.arn, **MFA), name="Second")
    keys = alice.console()
    assert alice.switch(keys, first)[0] == 200
    assert alice.switch(keys, second)[0] == 200


def test_E_08_console_sessions_hand_their_mfa_on(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn), policy=allow("ec2:DescribeInstances", **MFA))
    _, answer = alice.switch(alice.console(), role)
    assert aws.client("ec2", answer["credentials"]).describe_instances()["Reservations"] == []


def test_D_4_a_console_switch_lasts_no_longer_than_the_sign_in(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn), MaxSessionDuration=43200)
    keys = alice.console()
    aws.later(43200 - 600)
    _, answer = alice.switch(keys, role)
    aws.later(590)
    assert aws.client("sts", answer["credentials"]).get_caller_identity()
    aws.later(60)
    assert refused(aws.client("sts", answer["credentials"]).get_caller_identity)[0] == "ExpiredToken"
    assert alice.switch(keys, role)[0] == 401


def test_G_03_console_login_records(aws: Sandbox, alice: Person) -> None:
    alice.sign_in(password="wrong", address=CAFE)
    aws.signin("login", {"account": J, "user": "typed-my-password-here", "password": "x"}, address=CAFE)
    alice.console()
    good, nobody, wrong = aws.events(J, "ConsoleLogin")
    assert good["additionalEventData"]["MFAUsed"] == "Yes" and good["additionalEventData"]["MFAIdentifier"] == alice.serial
    assert good["sourceIPAddress"] == OFFICE and good["requestParameters"] is None and good["userIdentity"]["arn"] == alice.arn
    assert wrong["errorMessage"] == "Failed authentication" and "arn" not in wrong["userIdentity"] and wrong["userIdentity"]["accessKeyId"] == ""
    assert nobody["errorMessage"] == "No username found in supplied account"
    assert nobody["userIdentity"]["userName"] == "HIDDEN_DUE_TO_SECURITY_REASONS"
    assert aws.events(J, "CheckMfa")[0]["additionalEventData"]["MfaType"] == "Virtual MFA"


def test_the_article_s_event(aws: Sandbox, alice: Person) -> None:
    """The refused switch of the article: the same fields, ids and times aside (../shared/article/cloudtrail-assume-role-denied.json)."""
    golden = json.loads((Path(__file__).parent / "article-assume-role-denied.json").read_text())
    role = aws.role(trust(alice.arn, **MFA, **INSIDE), name="test-role-admin")
    alice.switch(alice.console(CAFE), role, CAFE)
    record = aws.events(J, "AssumeRole")[0]
    free = {"eventTime", "requestID", "eventID", "errorMessage"}
    shape = {k: v for k, v in record.items() if k not in free | {"userIdentity"}}
    assert shape == {k: v for k, v in golden.items() if k not in free | {"userIdentity"}}
    assert record.keys() == golden.keys()
    who, theirs = record["userIdentity"], golden["userIdentity"]
    assert who.keys() == theirs.keys()
    assert who["sessionContext"].keys() == theirs["sessionContext"].keys()
    assert who["sessionContext"]["attributes"].keys() == theirs["sessionContext"]["attributes"].keys()
    assert record["errorMessage"] == golden["errorMessage"].replace("user/test-user", "user/alice").replace("111122223333", J)


def test_no_record_holds_a_secret(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn))
    keys = alice.console()
    _, switched = alice.switch(keys, role)
    minted = alice.assume(role)
    text = json.dumps([aws.events(J), aws.events(T)])
    secrets = [alice.password, alice.seed, alice.key["SecretAccessKey"]]
    secrets += [k[part] for k in (keys, switched["credentials"], minted) for part in ("SecretAccessKey", "SessionToken")]
    assert [s for s in secrets if s in text] == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400), (b"[]", "application/json", 400), (b'{"user": 1}', "application/json", 400),
        (b"account=1", "application/x-www-form-urlencoded", 415), (b"[" * 100_000, "application/json", 400), (b"\xff", "application/json", 400),
    ],
)  # fmt: skip
def test_bad_bodies(aws: Sandbox, body: bytes, content_type: str, status: int) -> None:
    request = urllib.request.Request(f"{aws.endpoint}/signin/login", body, {"content-type": content_type})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == status and b"Traceback" not in caught.value.read()


@pytest.mark.parametrize(("host", "status"), [("evil.example", 421), ("127.0.0.1.evil.example:80", 421), ("localhost", 403), ("LOCALHOST:4566", 403)])
def test_a_name_pointed_at_this_machine_is_not_answered(aws: Sandbox, host: str, status: int) -> None:
    body = json.dumps({"account": J, "user": "nobody", "password": "x"}).encode()
    request = urllib.request.Request(f"{aws.endpoint}/signin/login", body, {"content-type": "application/json", "host": host})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    assert caught.value.code == status
