"""What the embedded AWS doesn't let in: signatures, tokens, clocks, bodies and addresses that aren't what they say."""

from __future__ import annotations

import http.client
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .people import CAFE, OFFICE, J, Person, Sandbox, T, allow, refused, trust

BODY = b"Action=GetCallerIdentity&Version=2011-06-15"


def signed(
    aws: Sandbox, keys: dict[str, str], path: str = "/", body: bytes = BODY, service: str = "sts", at: datetime | None = None
) -> dict[str, str]:
    """The headers of a request as botocore signs it, at another time where one is given."""
    request = AWSRequest("POST", f"{aws.endpoint}{path}", data=body, headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"})
    auth = SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken")), service, "us-east-1")
    if at is None:
        auth.add_auth(request)
    else:
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        request.context["timestamp"] = stamp
        request.headers["X-Amz-Date"] = stamp
        if keys.get("SessionToken"):
            request.headers["X-Amz-Security-Token"] = keys["SessionToken"]
        signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
        auth._inject_signature_to_request(request, signature)
    return dict(request.headers.items())


def send(aws: Sandbox, headers: dict[str, str], path: str = "/", body: bytes = BODY, method: str = "POST") -> tuple[int, str]:
    host = urlsplit(aws.endpoint)
    connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def alice(aws: Sandbox) -> Person:
    return aws.user("alice", allow("*"))


def code_of(text: str) -> str:
    return text.partition("<Code>")[2].partition("</Code>")[0]


def test_signed_as_it_should_be(aws: Sandbox, alice: Person) -> None:
    status, text = send(aws, signed(aws, alice.key))
    assert status == 200 and alice.arn in text


@pytest.mark.parametrize("minutes", [-20, -16, 16, 20])
def test_a_clock_that_is_off(aws: Sandbox, alice: Person, minutes: int) -> None:
    status, text = send(aws, signed(aws, alice.key, at=datetime.now(UTC) + timedelta(minutes=minutes)))
    assert (status, code_of(text)) == (403, "SignatureDoesNotMatch")
    assert ("Signature expired" if minutes < 0 else "Signature not yet current") in text


@pytest.mark.parametrize("minutes", [-14, 14])
def test_a_clock_within_the_window(aws: Sandbox, alice: Person, minutes: int) -> None:
    assert send(aws, signed(aws, alice.key, at=datetime.now(UTC) + timedelta(minutes=minutes)))[0] == 200


def test_a_body_that_is_not_what_was_signed(aws: Sandbox, alice: Person) -> None:
    other = BODY.replace(b"GetCallerIdentity", b"GetSessionToken&X")
    status, text = send(aws, signed(aws, alice.key), body=other)
    assert (status, code_of(text)) == (403, "SignatureDoesNotMatch")


def test_a_body_whose_hash_is_lied_about(aws: Sandbox, alice: Person) -> None:
    headers = signed(aws, alice.key)
    status, text = send(aws, {**headers, "X-Amz-Content-SHA256": "0" * 64})
    assert (status, code_of(text)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("what", ["signature", "key", "path", "address", "host", "query"])
def test_what_was_changed_on_the_way(aws: Sandbox, alice: Person, what: str) -> None:
    headers, path = signed(aws, alice.key, f"/from/{CAFE}/"), f"/from/{CAFE}/"
    if what == "signature":
        headers["Authorization"] = headers["Authorization"][:-4] + "0000"
    elif what == "key":
        headers["Authorization"] = headers["Authorization"].replace(alice.key["AccessKeyId"], aws.server.aws.store.root_key(J).id)
    elif what == "path":
        path = f"/from/{CAFE}/else"
    elif what == "address":
        path = f"/from/{OFFICE}/"
    elif what == "host":
        headers["Host"] = "sts.amazonaws.com"
    else:
        path += "?Action=GetSessionToken"
    status, text = send(aws, headers, path)
    assert (status, code_of(text)) == (403, "SignatureDoesNotMatch")


def test_no_signature_and_half_of_one(aws: Sandbox, alice: Person) -> None:
    assert code_of(send(aws, {})[1]) == "MissingAuthenticationToken"
    half = "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=0"
    for header in ("AWS4-HMAC-SHA256", "Basic YTpi", half, "AWS4-HMAC-SHA256 " + "x" * 9000):
        status, text = send(aws, {"Authorization": header})
        assert status in (400, 403) and code_of(text) in ("IncompleteSignature", "MissingAuthenticationToken"), text
    headers = signed(aws, alice.key)
    headers["Authorization"] = headers["Authorization"].replace("SignedHeaders=content-type;host;x-amz-date", "SignedHeaders=x-amz-date")
    assert send(aws, headers)[0] == 403


def test_keys_that_are_unknown_switched_off_or_gone(aws: Sandbox, alice: Person) -> None:
    assert refused(aws.client("sts", {**alice.key, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"}).get_caller_identity)[0] == "InvalidClientTokenId"
    aws.client("iam").update_access_key(UserName="alice", AccessKeyId=alice.key["AccessKeyId"], Status="Inactive")
    assert refused(aws.client("sts", alice.key).get_caller_identity)[0] == "InvalidClientTokenId"
    aws.client("iam").delete_access_key(UserName="alice", AccessKeyId=alice.key["AccessKeyId"])
    assert refused(aws.client("sts", alice.key).get_caller_identity)[0] == "InvalidClientTokenId"


def test_tokens_forged_cut_swapped_and_missing(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn))
    one, two = alice.assume(role), alice.assume(role)
    bob = aws.user("bob")
    tampered: list[dict[str, Any]] = [
        {**one, "SessionToken": one["SessionToken"][:-1]}, {**one, "SessionToken": two["SessionToken"]}, {**one, "SessionToken": "forged"},
        {**one, "SecretAccessKey": two["SecretAccessKey"]}, {**bob.key, "SessionToken": one["SessionToken"]},
        {"AccessKeyId": one["AccessKeyId"], "SecretAccessKey": one["SecretAccessKey"]},
    ]  # fmt: skip
    for keys in tampered:
        code, _, status = refused(aws.client("sts", keys).get_caller_identity)
        assert status == 403 and code in ("InvalidClientTokenId", "SignatureDoesNotMatch")
    assert aws.client("sts", one).get_caller_identity()["Account"] == T


def test_headers_do_not_choose_the_account_or_the_address(aws: Sandbox, alice: Person) -> None:
    inside = allow("ec2:DescribeInstances", IpAddress={"aws:SourceIp": f"{OFFICE}/32"})
    iam = aws.client("iam")
    iam.put_user_policy(UserName="alice", PolicyName="p0", PolicyDocument=json.dumps(inside))
    body = b"Action=DescribeInstances&Version=2016-11-15"
    for extra in ({}, {"X-Forwarded-For": OFFICE}, {"Forwarded": f"for={OFFICE}"}, {"x-moto-account-id": T}, {"X-Real-IP": OFFICE}):
        headers = {**signed(aws, alice.key, f"/from/{CAFE}/", body, "ec2"), **extra}
        assert send(aws, headers, f"/from/{CAFE}/", body)[0] == 403
    # Moto's state is that of the signer's account, whatever a header says.
    vpcs = aws.client("ec2", account=T).describe_vpcs()["Vpcs"]
    root = aws.server.aws.store.root_key(J)
    keys = {"AccessKeyId": root.id, "SecretAccessKey": root.secret}
    ask = b"Action=DescribeVpcs&Version=2016-11-15"
    status, text = send(aws, {**signed(aws, keys, "/", ask, "ec2"), "x-moto-account-id": T}, "/", ask)
    assert status == 200 and vpcs and vpcs[0]["VpcId"] not in text


NO_ADDRESS = ["/from/nowhere/", "/from//", "/from/1.2.3/", "/from/203.0.113.10%2f..%2f192.0.2.44/", "/from/::ffff:1.2.3.4.5/", "/from/"]


@pytest.mark.parametrize("path", NO_ADDRESS)
def test_addresses_that_are_none(aws: Sandbox, alice: Person, path: str) -> None:
    status, text = send(aws, signed(aws, alice.key, path), path)
    assert status == 400 and "is no IP address" in text


def test_a_network_is_nowhere_to_come_from(aws: Sandbox, alice: Person) -> None:
    status, text = send(aws, signed(aws, alice.key, "/from/203.0.113.0/24/"), "/from/203.0.113.0/24/")
    assert (status, code_of(text)) == (404, "InvalidEndpoint")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "fd00::1", "169.254.0.1"])
def test_E_02_a_private_address_is_never_seen(aws: Sandbox, alice: Person, address: str) -> None:
    status, text = send(aws, signed(aws, alice.key, f"/from/{address}/"), f"/from/{address}/")
    assert status == 400 and "is private" in text and "/via/" in text


@pytest.mark.parametrize("path", ["//from/203.0.113.10/", "/%66rom/203.0.113.10/", f"/from/{CAFE}/../{OFFICE}/", f"/from/{CAFE}/from/{OFFICE}/"])
def test_tricks_with_the_path_do_not_move_anybody(aws: Sandbox, alice: Person, path: str) -> None:
    inside = allow("iam:ListUsers", IpAddress={"aws:SourceIp": f"{OFFICE}/32"})
    aws.client("iam").put_user_policy(UserName="alice", PolicyName="p0", PolicyDocument=json.dumps(inside))
    body = b"Action=ListUsers&Version=2010-05-08"
    status, text = send(aws, signed(aws, alice.key, path, body, "iam"), path, body)
    assert status in (400, 403, 404) and "<UserName>" not in text


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"), (b"Action=Nonsense&Version=2011-06-15", "InvalidAction"), (b"\xff\xfe", "MalformedInput"),
        (b"&".join(b"a%d=1" % i for i in range(6000)), "MalformedInput"), (b"Action=AssumeRole&DurationSeconds=many", "MalformedInput"),
    ],
)  # fmt: skip
def test_bodies_that_ask_nothing(aws: Sandbox, alice: Person, body: bytes, code: str) -> None:
    status, text = send(aws, signed(aws, alice.key, "/", body), "/", body)
    assert (status, code_of(text)) == (400, code)


def test_a_body_that_is_too_large(aws: Sandbox, alice: Person) -> None:
    host = urlsplit(aws.endpoint)
    connection = http.client.HTTPConnection(str(host.hostname), host.port, timeout=30)
    connection.putrequest("POST", "/")
    connection.putheader("content-length", str(17 * 1024 * 1024))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_errors_have_the_form_of_the_protocol(aws: Sandbox) -> None:
    bob = aws.user("bob")
    assert refused(aws.client("iam", bob.key).list_users)[0] == "AccessDenied"
    assert refused(aws.client("ec2", bob.key).describe_instances)[0] == "UnauthorizedOperation"
    assert refused(aws.client("cloudtrail", bob.key).lookup_events)[0] == "AccessDeniedException"


def test_what_has_no_reference_is_refused(aws: Sandbox) -> None:
    """Fail closed: an operation whose resource can't be told is refused where a policy names resources, and says so."""
    bob = aws.user("bob", allow("*", "arn:aws:ec2:*:*:*"))
    template = {"LaunchTemplateName": "web"}
    code, message, _ = refused(aws.client("ec2", bob.key).run_instances, LaunchTemplate=template, MinCount=1, MaxCount=1)
    assert code == "UnauthorizedOperation" and "can't tell what the launch template holds" in message
