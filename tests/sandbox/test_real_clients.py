"""Real clients that aren't boto3: the AWS CLI, the SDK for JavaScript, rclone (the SDK for Go) and s3cmd, inside and outside the networks.

Forty operations and more over sixteen services, each once from the office and once from the cafe: what they do and what they are told is what
``decide`` says, with AWS's code, text and status. With SEKISHO_EXAMPLES the AWS CLI, which takes a second to start, does all that change nothing.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from sekisho import Request, decide
from sekisho.sandbox.server import serve

from .people import CAFE, OFFICE, J, Person, Sandbox, T, trust
from .test_aws_cli import AWS, cli
from .test_services import NO, R, World, cases

SDK_JS = Path(sys.prefix) / "sdk-js"
SCRIPT = Path(__file__).parent / "clients" / "call.mjs"
NODE, RCLONE, S3CMD = shutil.which("node"), shutil.which("rclone"), shutil.which("s3cmd")
INSIDE = {"IpAddress": {"aws:SourceIp": f"{OFFICE}/32"}}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
POLICIES = {
    "implicit": [{**EVERYTHING, "Condition": INSIDE}],
    "explicit": [EVERYTHING, {**EVERYTHING, "Effect": "Deny", "Condition": {"NotIpAddress": INSIDE["IpAddress"], "Bool": {"aws:ViaAWSService": "false"}}}],
}  # fmt: skip
"""The article's two ways to say it, on everything: an Allow with a condition, and a Deny beside the Allow."""
_MAKES = re.compile("^(create|put|run|delete|copy|transact|start|stop|send|publish|subscribe|receive|get_function)")
"""What changes something, or asks for what only another case makes."""
Case = tuple[str, str, dict[str, Any], tuple[str, str]]


class Ground:
    """Something of each service, and two users who may do all from the office and nothing from the cafe, each said in its way."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws
        table = cases(World(aws))
        self.people = {name: aws.user(name) for name in POLICIES}
        for name, statements in POLICIES.items():
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            aws.client("iam").put_user_policy(UserName=name, PolicyName=f"{name}-networks", PolicyDocument=document)
        role = aws.role(trust(f"arn:aws:iam::{J}:root"), account=J)
        self.cases: list[Case] = [(service, operation, params, pairs[0]) for service, operation, params, pairs in table.values()] + [
            ("iam", "get_role", {"RoleName": "Ops"}, ("iam:GetRole", role)),
            ("iam", "list_users", {}, ("iam:ListUsers", f"arn:aws:iam::{J}:user/")),
            ("sts", "assume_role", {"RoleArn": role, "RoleSessionName": "session"}, ("sts:AssumeRole", role)),
            ("cloudtrail", "lookup_events", {"MaxResults": 1}, ("cloudtrail:LookupEvents", "*")),
        ]

    def person(self, number: int) -> tuple[str, Person]:
        """Who asks the case of this number: the two ways take turns."""
        name = list(POLICIES)[number % 2]
        return name, self.people[name]

    def expected(self, number: int) -> tuple[str, int, str]:
        """(code, status, text) of the case's refusal at the cafe: the text is decide's own."""
        service, _, _, (action, resource) = self.cases[number]
        code, status, before = NO[model_of(service).protocol]
        shown = "arn:aws:s3:::*" if action == "s3:ListAllMyBuckets" else resource
        asked = Request(self.person(number)[1].arn, action, shown, {"aws:SourceIp": CAFE, "aws:ViaAWSService": "false"})
        decision = decide(asked, self.aws.server.aws.store.estate)
        assert decision.outcome == f"{self.person(number)[0]}_deny"
        return code, status, before + decision.message


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    with serve([J, T], port=0) as server:
        yield Ground(Sandbox(server))


@cache
def model_of(service: str) -> Any:
    return botocore.session.get_session().get_service_model(service)


@cache
def api_name(service: str, operation: str) -> str:
    """The API's name of what boto3 calls ``operation``."""
    found: str = next(name for name in model_of(service).operation_names if xform_name(name) == operation)
    return found


# --- the SDK for JavaScript ---------------------------------------------------------------------------------------------------


def node(aws: Sandbox, calls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if NODE is None or not (SDK_JS / "node_modules").exists():
        pytest.skip("the SDK for JavaScript isn't installed (tools/sdk_js.py)")
    text = json.dumps(calls, default=lambda v: {"$bytes": base64.b64encode(v).decode()} if isinstance(v, bytes) else str(v))
    ran = subprocess.run([NODE, str(SCRIPT), str(SDK_JS), str(aws.server.port)], input=text, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def test_javascript_is_let_in_from_the_office_and_told_no_at_the_cafe(ground: Ground) -> None:
    assert len(ground.cases) >= 40
    assert len({service for service, *_ in ground.cases}) >= 12
    calls = [
        {"service": service, "operation": api_name(service, operation), "params": params, "path": f"/from/{place}", "keys": ground.person(n)[1].key}
        for place in (CAFE, OFFICE) for n, (service, operation, params, _) in enumerate(ground.cases)
    ]  # fmt: skip
    came = node(ground.aws, calls)
    refused, let_in = came[: len(ground.cases)], came[len(ground.cases) :]
    wrong = []
    for n, (service, operation, _, _) in enumerate(ground.cases):
        code, status, text = ground.expected(n)
        got = (refused[n].get("code"), refused[n]["status"], refused[n].get("message"))
        if operation.startswith("head_"):
            got = (code, got[1], text)  # no body, no code
        if got != (code, status, text):
            wrong.append(f"{service} {operation} at the cafe: {got}, not {(code, status, text)}")
        if "code" in let_in[n] or not 200 <= let_in[n]["status"] < 300:
            wrong.append(f"{service} {operation} from the office: {let_in[n]}")
    assert not wrong, "\n".join(wrong)


def test_javascript_switches_role_and_its_session_is_bound_by_place_too(ground: Ground) -> None:
    role = ground.aws.role(trust(f"arn:aws:iam::{J}:root"), name="Bound", account=J, policy={"Version": "2012-10-17", "Statement": POLICIES["implicit"]})
    switch = {"service": "sts", "operation": "AssumeRole", "params": {"RoleArn": role, "RoleSessionName": "js"}, "keys": ground.people["implicit"].key}
    at_cafe, session = node(ground.aws, [{**switch, "path": f"/from/{place}"} for place in (CAFE, OFFICE)])
    assert (at_cafe["code"], at_cafe["status"]) == ("AccessDenied", 403)
    buckets = {"service": "s3", "operation": "ListBuckets", "params": {}, "keys": session["credentials"]}
    out, inside = node(ground.aws, [{**buckets, "path": f"/from/{place}"} for place in (CAFE, OFFICE)])
    assert (out["status"], inside["status"]) == (403, 200)
    assert "assumed-role/Bound/js" in out["message"]


def test_javascript_finds_a_bucket_by_virtual_host_and_by_path(ground: Ground) -> None:
    read = {"service": "s3", "operation": "GetObject", "params": {"Bucket": "shop", "Key": "a"}, "keys": ground.people["explicit"].key}
    came = node(ground.aws, [{**read, "path": f"/from/{place}", "virtual": virtual} for virtual in (True, False) for place in (OFFICE, CAFE)])
    assert [c["status"] for c in came] == [200, 403, 200, 403]
    assert came[0]["body"] == came[2]["body"] == "x"
    assert came[1]["message"] == came[3]["message"]


# --- the AWS CLI ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI v2 could not be installed (tools/aws_cli.py)")
def test_the_aws_cli_is_let_in_from_the_office_and_told_no_at_the_cafe(ground: Ground) -> None:
    """One read of each protocol; of the whole table with SEKISHO_EXAMPLES."""
    chosen, seen = [], set()
    for n, (service, operation, _, _) in enumerate(ground.cases):
        protocol = model_of(service).protocol
        if not _MAKES.match(operation) and (os.environ.get("SEKISHO_EXAMPLES") or protocol not in seen):
            chosen.append(n)
            seen.add(protocol)
    assert seen == {"rest-xml", "query", "json", "rest-json", "ec2"}
    wrong = []
    for n in chosen:
        service, operation, params, _ = ground.cases[n]
        code, _, text = ground.expected(n)
        written = json.dumps(params, default=lambda b: base64.b64encode(b).decode())
        name = api_name(service, operation)
        arguments = ["s3api" if service == "s3" else service, xform_name(name, "-"), "--cli-input-json", written]
        ran = cli(ground.aws, ground.person(n)[1].key, *arguments, address=CAFE)
        said = f"An error occurred ({code}) when calling the {name} operation: {text}"
        if ran.returncode != 254 or ("(403)" if operation.startswith("head_") else said) not in ran.stderr:
            wrong.append(f"{arguments[:2]} at the cafe: {ran.returncode} {ran.stderr.strip()}, not {said}")
        ran = cli(ground.aws, ground.person(n)[1].key, *arguments, address=OFFICE)
        if ran.returncode != 0:
            wrong.append(f"{arguments[:2]} from the office: {ran.returncode} {ran.stderr.strip()}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI v2 could not be installed (tools/aws_cli.py)")
def test_the_aws_clis_own_s3_commands(ground: Ground, tmp_path: Path) -> None:
    """aws s3 sync, cp and ls: many calls each, of a path-style endpoint."""
    keys = ground.people["explicit"].key
    (tmp_path / "up").mkdir()
    for name in ("one", "two"):
        (tmp_path / "up" / name).write_text(name)
    assert cli(ground.aws, keys, "s3", "sync", str(tmp_path / "up"), "s3://shop/sync", address=OFFICE).returncode == 0
    assert cli(ground.aws, keys, "s3", "cp", "s3://shop/sync/two", str(tmp_path / "back"), address=OFFICE).returncode == 0
    assert (tmp_path / "back").read_text() == "two"
    ran = cli(ground.aws, keys, "s3", "ls", "s3://shop/sync/", address=CAFE)
    assert ran.returncode == 254
    assert "(AccessDenied) when calling the ListObjectsV2 operation" in ran.stderr
    assert "with an explicit deny in an identity-based policy" in ran.stderr


# --- clients with signatures of their own ----------------------------------------------------------------------------------------


@pytest.mark.skipif(RCLONE is None, reason="there is no rclone: apt-get install rclone")
def test_rclone_and_its_sdk_for_go(ground: Ground, tmp_path: Path) -> None:
    """It uploads by a presigned request and looks at the size by a HEAD."""
    (tmp_path / "file").write_text("by rclone")

    def rclone(place: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        keys = ground.people["explicit"].key
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "RCLONE_CONFIG": str(tmp_path / "none"), "RCLONE_CONFIG_AWS_TYPE": "s3",
            "RCLONE_CONFIG_AWS_PROVIDER": "Other", "RCLONE_CONFIG_AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "RCLONE_CONFIG_AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"], "RCLONE_CONFIG_AWS_REGION": R,
            "RCLONE_CONFIG_AWS_ENDPOINT": f"{ground.aws.endpoint}/from/{place}", "RCLONE_CONFIG_AWS_FORCE_PATH_STYLE": "true",
        }  # fmt: skip
        flags = ["--retries", "1", "--low-level-retries", "1", "--s3-no-check-bucket"]
        return subprocess.run([str(RCLONE), *arguments, *flags], env=environment, capture_output=True, text=True, timeout=120)

    ran = rclone(OFFICE, "copyto", str(tmp_path / "file"), "aws:shop/rclone/file")
    assert ran.returncode == 0, ran.stderr
    assert rclone(OFFICE, "cat", "aws:shop/rclone/file").stdout == "by rclone"
    assert rclone(OFFICE, "lsf", "--format", "sp", "aws:shop/rclone").stdout.split() == ["9;file"]
    ran = rclone(CAFE, "lsf", "aws:shop/rclone")
    assert ran.returncode != 0
    assert "AccessDenied: User: " in ran.stderr
    assert "status code: 403" in ran.stderr


@pytest.mark.skipif(S3CMD is None, reason="there is no s3cmd: apt-get install s3cmd")
def test_s3cmd(ground: Ground, tmp_path: Path) -> None:
    """It takes no path in its endpoint, so it comes from this machine, where only who is bound by nothing is let in."""
    root = ground.aws.server.aws.store.root_key(J)
    (tmp_path / "file").write_text("by s3cmd")

    def s3cmd(key: str, secret: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        host = f"127.0.0.1:{ground.aws.server.port}"
        flags = ["--config", "/dev/null", "--access_key", key, "--secret_key", secret, "--host", host, "--host-bucket", host, "--no-ssl", "--region", R]
        return subprocess.run([str(S3CMD), *flags, *arguments], capture_output=True, text=True, timeout=120)

    ran = s3cmd(root.id, root.secret, "put", str(tmp_path / "file"), "s3://shop/s3cmd")
    assert ran.returncode == 0, ran.stderr
    assert "shop/s3cmd" in s3cmd(root.id, root.secret, "ls", "s3://shop/").stdout
    keys = ground.people["implicit"].key
    ran = s3cmd(keys["AccessKeyId"], keys["SecretAccessKey"], "ls", "s3://shop/")
    assert ran.returncode == 77
    assert "is not authorized to perform: s3:ListBucket" in ran.stderr
