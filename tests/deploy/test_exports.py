"""Each export, read back by a reader of the tests' own, is the estate that the file asks for (issue 5, point 5)."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import hcl2
import pytest
from click.testing import CliRunner

from sekisho import Estate, load
from sekisho.cli import cli
from sekisho.deploy.changes import changes
from sekisho.estate import account_from_json

from .aws import AWS_CLI, PROFILE
from .conftest import Start

EXAMPLES = Path(__file__).parents[2] / "src/sekisho/environment/examples"
COMPANY = EXAMPLES / "company.yaml"


def exported(kind: str, folder: Path, file: Path = COMPANY) -> Path:
    result = CliRunner().invoke(cli, ["export", kind, str(file), "--out", str(folder / kind)])
    assert result.exit_code == 0, result.output
    return folder / kind


def same(read: Estate, file: Path) -> None:
    """No change either way, but for what the form can't say: alias, password policy, sign-in."""
    from dataclasses import replace

    wanted = Estate.of(replace(a, alias=None, password_policy=None, sign_in=None) for a in load(file).accounts)
    assert [c.text for c in changes(read, wanted, exclusive=True)] == []
    assert [c.text for c in changes(wanted, read, exclusive=True)] == []


# --- CloudFormation -------------------------------------------------------------------------------------------------------


def from_template(account: str, resources: dict[str, Any]) -> Any:
    """An account from a template: what CloudFormation's documentation says that Ref and the properties mean."""
    by_type: dict[str, list[dict[str, Any]]] = {}
    refs: dict[str, str] = {}
    for name, resource in resources.items():
        body = resource["Properties"]
        by_type.setdefault(resource["Type"], []).append(body)
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            refs[name] = f"arn:aws:iam::{account}:policy{body['Path']}{body['ManagedPolicyName']}"
        else:
            refs[name] = next(v for k, v in body.items() if k in ("UserName", "GroupName", "RoleName"))

    def arn(kind: str, body: dict[str, Any]) -> str:
        return f"arn:aws:iam::{account}:{kind}{body.get('Path', '/')}{body[kind.capitalize() + 'Name']}"

    def ref(value: Any) -> str:
        return refs[value["Ref"]] if isinstance(value, dict) else value

    def entry(kind: str, body: dict[str, Any]) -> dict[str, Any]:
        title = kind.capitalize()
        found = {
            f"{title}Name": body[f"{title}Name"], "Path": body.get("Path", "/"), "Arn": arn(kind, body),
            f"{title}PolicyList": body.get("Policies", []), "Tags": body.get("Tags", []),
            "AttachedManagedPolicies": [
                {"PolicyName": ref(a).rpartition("/")[2], "PolicyArn": ref(a)} for a in body.get("ManagedPolicyArns", [])
            ],
        }  # fmt: skip
        if "PermissionsBoundary" in body:
            found["PermissionsBoundary"] = {"PermissionsBoundaryArn": body["PermissionsBoundary"]}
        return found

    policies = [
        {"PolicyName": b["ManagedPolicyName"], "Path": b["Path"], "Arn": f"arn:aws:iam::{account}:policy{b['Path']}{b['ManagedPolicyName']}",
         "DefaultVersionId": "v1", "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": b["PolicyDocument"]}]}
        for b in by_type.get("AWS::IAM::ManagedPolicy", [])
    ]  # fmt: skip
    return account_from_json({
        "Policies": policies,
        "GroupDetailList": [entry("group", b) for b in by_type.get("AWS::IAM::Group", [])],
        "UserDetailList": [entry("user", b) | {"GroupList": [ref(g) for g in b.get("Groups", [])]} for b in by_type.get("AWS::IAM::User", [])],
        "RoleDetailList": [
            entry("role", b) | {"AssumeRolePolicyDocument": b["AssumeRolePolicyDocument"], "MaxSessionDuration": b["MaxSessionDuration"]}
            for b in by_type.get("AWS::IAM::Role", [])
        ],
    }, account_id=account)  # fmt: skip


@pytest.mark.parametrize("name", ["article", "company"])
def test_cloudformation_is_the_same_estate(name: str, tmp_path: Path) -> None:
    file = EXAMPLES / f"{name}.yaml"
    folder = exported("cloudformation", tmp_path, file)
    accounts, seen = [], []
    for entry in json.loads((folder / "stack-sets.json").read_text())["StackSets"]:
        template = json.loads((folder / entry["TemplateFile"]).read_text())
        accounts += [from_template(a, template["Resources"]) for a in entry["Accounts"]]
        assert all(after in seen for after in entry["After"]), "a set that comes after one comes later in the file"
        seen.append(entry["StackSetName"])
    same(Estate.of(accounts), file)


def test_cloudformation_passes_cfn_lint(tmp_path: Path) -> None:
    folder = exported("cloudformation", tmp_path)
    templates = sorted(map(str, folder.glob("*.template.json")))
    assert len(templates) == 6
    ran = subprocess.run([str(Path(sys.executable).parent / "cfn-lint"), *templates], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout


def test_cloudformation_deploys_to_the_same_estate(start: Start, tmp_path: Path) -> None:
    """On the embedded AWS, a stack an account in the order of the file: what `collect` then reads is by `diff` what the file asks for."""
    folder = exported("cloudformation", tmp_path)
    sets = json.loads((folder / "stack-sets.json").read_text())["StackSets"]
    accounts = [a for entry in sets for a in entry["Accounts"]]
    aws = start(*accounts)
    for entry in sets:
        for account in entry["Accounts"]:
            client = aws.client("cloudformation", account)
            body = (folder / entry["TemplateFile"]).read_text()
            client.create_stack(StackName=entry["StackSetName"], TemplateBody=body, Capabilities=entry["Capabilities"])
            (stack,) = client.describe_stacks(StackName=entry["StackSetName"])["Stacks"]
            assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    estate = aws.folder / "estate"
    assert aws.sekisho("collect", "--accounts", ",".join(accounts), "--out", str(estate)).status == 0
    equal = aws.sekisho("diff", str(estate), str(COMPANY), profile=None)
    assert equal.status == 0 and "Equal access" in equal.out, equal
    same(load(estate), COMPANY)


@pytest.mark.skipif(AWS_CLI is None, reason="the AWS CLI isn't installed")
def test_cloudformation_by_the_aws_cli(start: Start, tmp_path: Path) -> None:
    """`aws cloudformation deploy`, as the README says: made by a change set; a second time there is nothing to deploy; deleted, nothing is left."""
    folder = exported("cloudformation", tmp_path, EXAMPLES / "article.yaml")
    aws = start("111122223333", "444455556666")
    line = next(line.split() for line in (folder / "README.md").read_text().splitlines() if "--profile 111122223333" in line)
    env = {**os.environ, **aws.environment, "AWS_ENDPOINT_URL": aws.server.endpoint, "HOME": str(aws.folder)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(AWS_CLI), *arguments], env=env, cwd=folder, capture_output=True, text=True, timeout=240)

    deploy = [PROFILE.format(account=a) if a == "111122223333" else a for a in line[1:]]
    first = run(*deploy)
    assert first.returncode == 0 and "Successfully created/updated stack" in first.stdout, first
    assert [u["UserName"] for u in aws.client("iam", "111122223333").list_users()["Users"]] == ["test-user"]
    again = run(*deploy)
    assert again.returncode == 0 and "No changes to deploy" in again.stdout, again
    name = deploy[deploy.index("--stack-name") + 1]
    aws.client("cloudformation", "111122223333").delete_stack(StackName=name)
    assert aws.client("iam", "111122223333").list_users()["Users"] == []


# --- Terraform ------------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """python-hcl2 keeps quotes and marks; take them off."""
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items() if not str(k).startswith("__")}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"':
        return json.loads(value).replace("$${", "${").replace("%%{", "%{")
    return value


_JSON = re.compile(r"^\s*([\w\"]+)\s*= jsonencode\(\{$")


def from_module(account: str, text: str) -> Any:
    """An account from a module: references followed, jsonencode read with python-hcl2 as an object of its own."""
    documents: list[Any] = []

    def lifted(match: re.Match[str]) -> str:
        documents.append(plain(hcl2.loads(f"x = {match['body']}")["x"]))
        return f'"@{len(documents) - 1}"'

    text = re.sub(r"jsonencode\((?P<body>\{\n.*?\n  \})\)", lifted, text, flags=re.S)
    resources: dict[str, dict[str, dict[str, Any]]] = {}
    for block in hcl2.loads(text)["resource"]:
        for kind, named in plain(block).items():
            for name, body in named.items():
                resources.setdefault(kind, {})[name] = body

    def document(body: dict[str, Any], key: str) -> Any:
        return documents[int(body[key].removeprefix("@"))]

    def of(reference: str) -> dict[str, Any]:
        kind, name, _ = reference.removeprefix("${").removesuffix("}").split(".")
        return resources[kind][name]

    def name_of(reference: str) -> str:
        return str(of(reference)["name"])

    def policy_arn(value: str) -> str:
        if value.startswith("arn:"):
            return value
        return f"arn:aws:iam::{account}:policy{of(value)['path']}{of(value)['name']}"

    entries: dict[str, list[dict[str, Any]]] = {}
    for kind in ("user", "group", "role"):
        title = kind.capitalize()
        for body in resources.get(f"aws_iam_{kind}", {}).values():
            attached = [
                policy_arn(a["policy_arn"]) for a in resources.get(f"aws_iam_{kind}_policy_attachment", {}).values()
                if name_of(a[kind]) == body["name"]
            ]  # fmt: skip
            entry: dict[str, Any] = {
                f"{title}Name": body["name"], "Path": body["path"], "Arn": f"arn:aws:iam::{account}:{kind}{body['path']}{body['name']}",
                "AttachedManagedPolicies": [{"PolicyName": a.rpartition("/")[2], "PolicyArn": a} for a in attached],
                f"{title}PolicyList": [
                    {"PolicyName": p["name"], "PolicyDocument": document(p, "policy")}
                    for p in resources.get(f"aws_iam_{kind}_policy", {}).values() if name_of(p[kind]) == body["name"]
                ],
                "Tags": [{"Key": k, "Value": v} for k, v in body.get("tags", {}).items()],
            }  # fmt: skip
            if kind == "role":
                entry |= {"AssumeRolePolicyDocument": document(body, "assume_role_policy"), "MaxSessionDuration": int(body["max_session_duration"])}
            if kind == "user":
                memberships = resources.get("aws_iam_user_group_membership", {}).values()
                entry["GroupList"] = [name_of(g) for m in memberships if name_of(m["user"]) == body["name"] for g in m["groups"]]
            entries.setdefault(f"{title}DetailList", []).append(entry)
    policies = [
        {"PolicyName": p["name"], "Path": p["path"], "Arn": f"arn:aws:iam::{account}:policy{p['path']}{p['name']}", "DefaultVersionId": "v1",
         "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": True, "Document": document(p, "policy")}]}
        for p in resources.get("aws_iam_policy", {}).values()
    ]  # fmt: skip
    return account_from_json({"Policies": policies, **entries}, account_id=account)


@pytest.mark.parametrize("name", ["article", "company"])
def test_terraform_is_the_same_estate(name: str, tmp_path: Path) -> None:
    file = EXAMPLES / f"{name}.yaml"
    folder = exported("terraform", tmp_path, file)
    root = hcl2.loads((folder / "main.tf").read_text())
    accounts = {}
    for block in root["provider"]:
        body = plain(block)["aws"]
        accounts[body["alias"]] = body["allowed_account_ids"][0]
    read = [from_module(account, (folder / alias / "main.tf").read_text()) for alias, account in accounts.items()]
    same(Estate.of(read), file)


def test_terraform_is_laid_out_as_fmt_does(tmp_path: Path) -> None:
    """Neighbouring one-line attributes have their = in one column; no tabs, no blanks at the end, two spaces a level."""
    for file in exported("terraform", tmp_path).rglob("*.tf"):
        run: list[int] = []
        depth = 0
        for line in file.read_text().splitlines():
            assert line == line.rstrip() and "\t" not in line
            bare = line.strip()
            depth -= bare[:1] in "})]" and bool(bare)
            if bare:
                assert len(line) - len(line.lstrip()) == 2 * depth, line
            one_line = re.match(r'^\s*("(?:[^"\\]|\\.)*"|[\w-]+)\s+= (?!.*[\{\[\(]$)', line)
            if one_line:
                run.append(line.index(" = "))
                assert run[0] == run[-1], line
            else:
                run = []
            depth += sum(bare.count(c) for c in "{[(") > sum(bare.count(c) for c in "}])")
            depth -= bare[:1] not in "})]" and sum(bare.count(c) for c in "}])") > sum(bare.count(c) for c in "{[(")


# --- for the people -------------------------------------------------------------------------------------------------------


def test_aws_config_profiles(tmp_path: Path) -> None:
    """botocore reads them as the AWS CLI does: each role by its ARN, from the jump profile, with the user's device."""
    folder = exported("aws-config", tmp_path)
    assert {p.name for p in folder.iterdir()} >= {"sato.config", "break-glass-1.config"}
    code = (
        "import botocore.session, json\n"
        "print(json.dumps(botocore.session.Session().full_config['profiles']))"
    )  # fmt: skip
    env = {**os.environ, "AWS_CONFIG_FILE": str(folder / "yamamoto.config"), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60)
    profiles = json.loads(ran.stdout)
    assert set(profiles) == {"jump", "production-auditor", "log-archive-auditor"}
    auditor = profiles["production-auditor"]
    assert auditor["role_arn"] == "arn:aws:iam::555566667777:role/auditor" and auditor["source_profile"] == "jump"
    assert auditor["mfa_serial"] == "arn:aws:iam::111122223333:mfa/yamamoto"


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [v for k, v in attrs if tag == "a" and k == "href" and v]


def test_switch_links(tmp_path: Path) -> None:
    """H-02 the link and its parameters, H-01 the sign-in by alias; only roles that the user reaches."""
    folder = exported("switch-links", tmp_path)
    page = Links()
    page.feed((folder / "noc-1.html").read_text())
    sign_in, switch = page.found
    assert sign_in == "https://example-jump.signin.aws.amazon.com/console"
    assert switch.startswith("https://signin.aws.amazon.com/switchrole?")
    assert parse_qs(urlsplit(switch).query) == {"account": ["555566667777"], "roleName": ["operator"], "displayName": ["production/operator"]}


def test_switch_links_with_a_path(tmp_path: Path) -> None:
    """H-02: path/name without the leading slash."""
    file = tmp_path / "company.yaml"
    file.write_text(COMPANY.read_text().replace("      operator:\n", "      operator:\n        path: /ops/\n"))
    page = Links()
    page.feed((exported("switch-links", tmp_path, file) / "noc-1.html").read_text())
    assert parse_qs(urlsplit(page.found[1]).query)["roleName"] == ["ops/operator"]


def test_extension_ini(tmp_path: Path) -> None:
    """AWS Extend Switch Roles: a base account has aws_account_id alone (the alias where there is one), a role source_profile and role_arn."""
    folder = exported("switch-links", tmp_path)
    ini = configparser.RawConfigParser()
    ini.read(folder / "sato.ini")
    assert dict(ini["jump"]) == {"aws_account_id": "example-jump"}
    for name in ini.sections()[1:]:
        assert set(ini[name]) == {"role_arn", "source_profile", "color"} and ini[name]["source_profile"] == "jump"
        assert re.fullmatch("[0-9a-f]{6}", ini[name]["color"])
    assert "production-operator" in ini.sections() and "production-auditor" not in ini.sections()
