"""`sekisho init --from`: what exists becomes a file that means the same, proved; what a file can't say is listed and left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.running import Runner, check_error
from sekisho import Estate, load
from sekisho.deploy.changes import changes, in_calls
from sekisho.deploy.effect import outcome
from sekisho.environment.adopt import Adopted, adopt, with_documents_of
from sekisho.estate import write_estate
from sekisho.proof import difference

from .reading import changed, estate_of

EXAMPLES = Path(__file__).parents[2] / "examples"
J, T, P = "111122223333", "444455556666", "555566667777"
OFFICE = ["203.0.113.0/25", "2001:db8:10::/48"]
VERSION = "2012-10-17"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(monkeypatch, capsys)


@pytest.mark.parametrize("example", ["article", "company"])
def test_what_we_compiled(example: str, run: Runner, tmp_path: Path) -> None:
    """Issue 5, point 2: compile, init --from, diff: equal, proved; and the documents are the same ones, in the same words of the file."""
    estate, file = tmp_path / "estate", tmp_path / "sekisho.yaml"
    assert run("compile", EXAMPLES / f"{example}.yaml", "--out", estate).status == 0
    ran = run("init", "--from", estate, file)
    assert ran.status == 0 and ran.err == "" and "Proved" in ran.out, ran
    equal = run("diff", estate, file)
    assert equal.status == 0 and "Equal access" in equal.out, equal
    exists = load(estate)
    again = tmp_path / "again"
    write_estate(load(file), again)
    assert changes(exists, load(again), exclusive=True) == (), "to the letter: nothing would be changed, and no policy is foreign"
    check_error(run("init", "--from", estate, file), "is there already")


FORMS: list[tuple[str, str, Any]] = [
    ("jump/mfa", "article", "optional"),
    ("jump/mfa", "article", {"max_age": "90m"}),
    ("jump/mfa", "company", {"max_age": "8h"}),
    ("jump/sign_in", "company", ["tokyo-office", "vpn"]),
    ("jump/networks", "company", "anywhere"),
    ("jump/self_service", "company", "none"),
    ("jump/self_service", "company", "article"),
    ("accounts/production/roles/operator/mfa", "company", "optional"),
    ("accounts/production/roles/operator/networks_as", "company", "allow"),
    ("accounts/production/roles/operator/trusts_as", "company", "account"),
    ("accounts/production/roles/operator/trusts_as", "company", "users"),
    ("accounts/production/roles/operator/trusts", "company", {"groups": ["auditors", "platform"], "users": ["noc-1"]}),
    ("accounts/production/roles/operator/path", "company", "/on/call/"),
    ("accounts/production/roles/operator/boundary", "company", "arn:aws:iam::aws:policy/PowerUserAccess"),
    ("accounts/staging/roles/developer/trusts_as", "company", "paths"),
    ("groups/partner/inline_policies", "company", {"look": {"Version": VERSION, "Statement": {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "example", "value"), FORMS, ids=[f"{f} {json.dumps(v)[:40]}" for f, _, v in FORMS])
def test_every_form_comes_back(field: str, example: str, value: Any) -> None:
    estate = estate_of(changed(example, field, value))
    adopted = adopt(estate)
    assert adopted.left == ()
    assert [c.text for c in changes(estate, adopted.wanted, exclusive=True) if not c.text.startswith("sign-in: ")] == []


def test_a_sign_in_policy_as_aws_keeps_it() -> None:
    """M-06: one statement an address and excluded principal comes back as one list; a condition more than that, and it is left."""
    estate = estate_of(changed("company", "jump/sign_in", ["tokyo-office", "vpn"]))
    account = estate.account(J)
    assert account is not None and account.sign_in is not None
    parts = tuple(replace(p, id=str(i)) for i, p in enumerate(p for s in account.sign_in.statements for p in in_calls(s)))
    kept = replace(account, sign_in=replace(account.sign_in, statements=parts))
    adopted = adopt(estate.with_account(kept))
    assert len(parts) > 1 and adopted.left == () and "sign_in: [net-" in adopted.text
    assert changes(estate.with_account(kept), adopted.wanted, exclusive=True) == ()

    for others in ([replace(parts[0], requested_region=("ap-northeast-1",)), *parts[1:]], [replace(p, excluded_principals=()) for p in parts]):
        there = replace(account, sign_in=replace(account.sign_in, statements=tuple(others)))
        adopted = adopt(estate.with_account(there))
        assert [x.what for x in adopted.left] == ["sign-in policy"] and "sign_in" not in adopted.text


# --- an estate that we didn't make ---------------------------------------------------------------------------------------


def policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def trust(principal: Any, condition: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **({"Condition": condition} if condition else {}), **more}


MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
OUTSIDE = {"NotIpAddress": {"aws:SourceIp": OFFICE}, "Bool": {"aws:ViaAWSService": "false"}}


def user(name: str, *groups: str, path: str = "/", **more: Any) -> dict[str, Any]:
    return {
        "UserName": name, "Path": path, "Arn": f"arn:aws:iam::{J}:user{path}{name}", "UserId": f"AIDA{name.upper():0<17}"[:21],
        "CreateDate": "2024-01-01T00:00:00+00:00", "GroupList": list(groups), "AttachedManagedPolicies": [], **more,
    }  # fmt: skip


def group(name: str, attached: list[str], inline: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "GroupName": name, "Path": "/", "Arn": f"arn:aws:iam::{J}:group/{name}", "GroupId": f"AGPA{name.upper():0<17}"[:21],
        "CreateDate": "2024-01-01T00:00:00+00:00", "GroupPolicyList": [{"PolicyName": n, "PolicyDocument": d} for n, d in (inline or {}).items()],
        "AttachedManagedPolicies": [{"PolicyArn": a, "PolicyName": a.rpartition("/")[2]} for a in attached],
    }  # fmt: skip


def role(account: str, name: str, trusts: dict[str, Any], attached: list[str], inline: dict[str, Any] | None = None, path: str = "/") -> dict[str, Any]:
    return {
        "RoleName": name, "Path": path, "Arn": f"arn:aws:iam::{account}:role{path}{name}", "RoleId": f"AROA{name.upper():0<17}"[:21],
        "CreateDate": "2024-01-01T00:00:00+00:00", "AssumeRolePolicyDocument": trusts, "InstanceProfileList": [],
        "RolePolicyList": [{"PolicyName": n, "PolicyDocument": d} for n, d in (inline or {}).items()],
        "AttachedManagedPolicies": [{"PolicyArn": a, "PolicyName": a.rpartition("/")[2]} for a in attached],
    }  # fmt: skip


def managed(account: str, name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "PolicyName": name, "PolicyId": f"ANPA{name.upper():0<17}"[:21], "Arn": f"arn:aws:iam::{account}:policy/{name}", "Path": "/",
        "DefaultVersionId": "v3", "AttachmentCount": 1, "IsAttachable": True, "CreateDate": "2024-01-01T00:00:00+00:00",
        "PolicyVersionList": [{"VersionId": "v3", "IsDefaultVersion": True, "CreateDate": "2024-01-01T00:00:00+00:00", "Document": document}],
    }  # fmt: skip


ARN = "arn:aws:iam::aws:policy/"
OPS, DEV, DEPLOY = (f"arn:aws:iam::{a}:role/{n}" for a, n in ((T, "OpsAdmin"), (T, "Developer"), (P, "Deploy")))


def foreign_estate(folder: Path) -> Estate:
    """A jump account as people paste it together: own names, own spellings, a Deny in an inline policy, things that no file has."""
    jump = {
        "UserDetailList": [
            user("ann", "ops"), user("bea", "ops", "dev"), user("cid", "dev"),
            user("bot", UserPolicyList=[{"PolicyName": "deploy", "PolicyDocument": policy(allow("sts:AssumeRole", DEPLOY))}]),
            user("dan", "dev", UserPolicyList=[{"PolicyName": "read-logs", "PolicyDocument": policy(allow("logs:Get*"))}],
                 AttachedManagedPolicies=[{"PolicyArn": f"{ARN}IAMReadOnlyAccess", "PolicyName": "IAMReadOnlyAccess"}],
                 Tags=[{"Key": "team", "Value": "blue"}]),
            user("eve", "dev", path="/contractors/"),
        ],
        "GroupDetailList": [
            group("ops", [f"arn:aws:iam::{J}:policy/switch-anywhere"], {"only-office": policy({"Sid": "Office", "Effect": "Deny", "Action": ["*"],
                  "Resource": "*", "Condition": OUTSIDE})}),
            group("dev", [f"{ARN}IAMUserChangePassword"], {"to-dev": policy(allow(["sts:AssumeRole"], [DEV]))}),
        ],
        "RoleDetailList": [role(J, "lambda", policy(trust({"Service": "lambda.amazonaws.com"})), [])],
        "Policies": [managed(J, "switch-anywhere", policy(allow("sts:AssumeRole", "arn:aws:iam::*:role/*"), allow("iam:List*")))],
    }  # fmt: skip
    ann, bea, cid, dan, eve, bot = (f"arn:aws:iam::{J}:user/{n}" for n in ("ann", "bea", "cid", "dan", "contractors/eve", "bot"))
    target = {
        "UserDetailList": [], "GroupDetailList": [],
        "RoleDetailList": [
            role(T, "OpsAdmin", policy(
                {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {"NotIpAddress": {"aws:SourceIp": OFFICE[::-1]}}},
                trust({"AWS": bea}, MFA, Sid="Bea"), trust({"AWS": [ann]}, MFA)), [f"{ARN}AdministratorAccess"]),
            role(T, "Developer", policy(trust({"AWS": f"arn:aws:iam::{J}:root"}, {**MFA, "StringEquals": {"aws:PrincipalArn": [bea, cid, dan]}})),
                 [f"arn:aws:iam::{T}:policy/build"]),
            role(T, "WithEve", policy(trust({"AWS": [cid, eve]})), [f"{ARN}ReadOnlyAccess"]),
            role(T, "Partner", policy(trust({"AWS": "arn:aws:iam::999988887777:root"}, {"StringEquals": {"sts:ExternalId": "x"}})), []),
            role(T, "Tagged", policy(trust({"AWS": bea}, {**MFA, "StringEquals": {"aws:PrincipalTag/team": "blue"}})), []),
            role(T, "Unreachable", policy(trust({"AWS": [cid]}, MFA)), [f"{ARN}AdministratorAccess"]),
            role(T, "AWSServiceRoleForSupport", policy(trust({"Service": "support.amazonaws.com"})), [], path="/aws-service-role/support.amazonaws.com/"),
        ],
        "Policies": [managed(T, "build", policy(allow("codebuild:*")))],
    }  # fmt: skip
    prod = {
        "UserDetailList": [], "GroupDetailList": [], "Policies": [],
        "RoleDetailList": [role(P, "Deploy", policy(trust({"AWS": bot})), [f"{ARN}PowerUserAccess"])],
    }  # fmt: skip
    folder.mkdir()
    for account, body in ((J, jump), (T, target), (P, prod)):
        (folder / f"{account}.json").write_text(json.dumps(body), encoding="utf-8")
    return load(folder)


LEFT = {
    (f"arn:aws:iam::{J}:user/bot", "user", "in no group"),
    (f"arn:aws:iam::{J}:user/contractors/eve", "user", "path /contractors/"),
    (f"arn:aws:iam::{J}:user/dan", "inline policy read-logs", "no policies of their own"),
    (f"arn:aws:iam::{J}:user/dan", f"policy {ARN}IAMReadOnlyAccess", "no policies of their own"),
    (f"arn:aws:iam::{J}:user/dan", "tags team", "no tags"),
    (f"arn:aws:iam::{J}:group/ops", "policy only-office", "the file says the same"),
    (f"arn:aws:iam::{J}:role/lambda", "role", "other accounts than the jump account"),
    (f"arn:aws:iam::{T}:role/WithEve", "role", "contractors/eve, who is not in the file"),
    (f"arn:aws:iam::{T}:role/Partner", "role", "trusts arn:aws:iam::999988887777:root"),
    (f"arn:aws:iam::{T}:role/Tagged", "role", "aws:principaltag/team"),
    (f"arn:aws:iam::{T}:role/Unreachable", "role", "gains"),
    (f"arn:aws:iam::{T}:root", "1 service-linked roles", "AWS's own"),
    (DEPLOY, "role", "bot, who is not in the file"),
}


def test_what_others_made(run: Runner, tmp_path: Path) -> None:
    exists = foreign_estate(tmp_path / "estate")
    file = tmp_path / "sekisho.yaml"
    ran = run("init", "--from", tmp_path / "estate", "--format", "json", file)
    body = json.loads(ran.out)
    assert ran.status == 0 and body["schema"] == "sekisho/init/v1" and body["jump"] == J and body["equal"] is True
    assert body["adopted"] == {"users": 4, "groups": 2, "roles": 2, "accounts": 1}
    text = file.read_text(encoding="utf-8")
    for subject, what, why in LEFT:
        assert any(x["subject"] == subject and x["what"] == what and why in x["why"] for x in body["left"]), (subject, what, body["left"])
        assert f"# - {subject}: {what}: " in text
    assert len(body["left"]) == len(LEFT)

    # What the file says is in its words, and what the groups had of their own is kept by name.
    wanted = load(file)
    ops, dev = wanted.role(OPS), wanted.role(DEV)
    assert ops is not None and dev is not None
    assert "networks: [net-1]" in text and "self_service: none" in text and f"arn:aws:iam::{J}:policy/switch-anywhere" in text

    # The part that is adopted, by its own measure and by ours: the estate without what is left, taken from the files by hand.
    adopted = adopt(exists)
    assert difference(adopted.part, with_documents_of(wanted, exists)).is_empty
    assert {u.name for a in adopted.part.accounts for u in a.users} == {"ann", "bea", "cid", "dan"}
    assert {r.arn for a in adopted.part.accounts for r in a.roles} == {OPS, DEV}
    assert all(not u.inline and not u.attached for a in adopted.part.accounts for u in a.users)

    write_estate(adopted.part, tmp_path / "part")
    assert run("diff", tmp_path / "part", file).status == 0, "the documents that the file only names are the account's"

    # And the file carried out on all that exists, foreign things among it, changes nobody's access.
    after = outcome(exists, changes(exists, wanted))
    assert after != exists and difference(exists, after).sentences == ()


NAMES = ["null", "007", "1e3", "a,b", "=x", "+1", "@z", "-", "yes", "2026-01-01", "0x1F", ".5", "on", "12_3"]


def test_names_that_yaml_would_take_for_something_else() -> None:
    data = changed("company", "groups/partner/users", NAMES)
    data["groups"] |= {name: {"users": [f"of-{i}"]} for i, name in enumerate(NAMES)}
    data["accounts"]["production"]["roles"]["operator"]["trusts"] = {"groups": ["null", "007"], "users": ["yes", "1e3"]}
    estate = estate_of(data)
    adopted = adopt(estate)
    assert adopted.left == () and changes(estate, adopted.wanted, exclusive=True) == ()


TRUSTS: dict[str, tuple[dict[str, Any], str]] = {
    "a service": (trust({"Service": "ec2.amazonaws.com"}), "trusts Service ec2"),
    "everybody": (trust("*", MFA), "trusts *"),
    "another action": (trust({"AWS": J}, MFA, Action=["sts:AssumeRole", "sts:TagSession"]), "allows sts:AssumeRole, sts:TagSession"),
    "an exception": ({"Effect": "Allow", "NotPrincipal": {"AWS": J}, "Action": "sts:AssumeRole"}, "could not be read"),
    "an unknown condition": (trust({"AWS": J}, {"StringLike": {"sts:RoleSessionName": "${aws:username}"}}), "sts:rolesessionname"),
    "a user who is gone": (trust({"AWS": "AIDAJQABLZS4A3QDU576Q"}, MFA), "trusts AIDA"),
    "the jump account and one of it": (trust({"AWS": [J, f"arn:aws:iam::{J}:user/ann"]}, MFA), "as a whole and"),
    "a network with host bits": (trust({"AWS": J}, {"IpAddress": {"aws:SourceIp": "203.0.113.7/24"}}), "none that a file can have"),
    "nobody's path": (trust({"AWS": J}, {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{J}:user/gone/*"}}), "no group's path"),
}


@pytest.mark.parametrize("case", TRUSTS)
def test_a_trust_that_no_file_says(case: str, tmp_path: Path) -> None:
    """Each is named with what it says; nothing of it is rounded to the nearest form."""
    statement, why = TRUSTS[case]
    foreign_estate(tmp_path / "estate")
    file = tmp_path / "estate" / f"{T}.json"
    body = json.loads(file.read_text())
    body["RoleDetailList"].append(role(T, "Strange", policy(statement), []))
    file.write_text(json.dumps(body))
    (left,) = [x for x in adopt(load(tmp_path / "estate"), J).left if x.subject.endswith("role/Strange")]
    assert why in left.why, left


def test_a_deny_for_some_is_not_made_one_for_all(tmp_path: Path) -> None:
    """`bot` isn't in the file, and may switch from anywhere: a file that denied the whole account would take that."""
    foreign_estate(tmp_path / "estate")
    file = tmp_path / "estate" / f"{T}.json"
    body = json.loads(file.read_text())
    some = [f"arn:aws:iam::{J}:user/{n}" for n in ("ann", "bea", "cid", "dan", "contractors/eve")]
    deny = {"Effect": "Deny", "Principal": {"AWS": some}, "Action": "sts:AssumeRole", "Condition": {"NotIpAddress": {"aws:SourceIp": OFFICE}}}
    body["RoleDetailList"].append(role(T, "Some", policy(trust({"AWS": f"arn:aws:iam::{J}:root"}), deny), []))
    file.write_text(json.dumps(body))
    (left,) = [x for x in adopt(load(tmp_path / "estate")).left if x.subject.endswith("role/Some")]
    assert "denies only some" in left.why


def test_a_change_behind_the_file_is_seen(tmp_path: Path) -> None:
    """The proof is no formality: the same comparison with one network more, or one user less, finds it."""
    exists = foreign_estate(tmp_path / "estate")
    adopted: Adopted = adopt(exists)
    for old, new in (("203.0.113.0/25", "203.0.113.0/24"), ("users: [ann, bea]", "users: [bea]"), ("networks: anywhere", "networks: [net-1]")):
        assert old in adopted.text
        other = tmp_path / f"{len(new)}.yaml"
        other.write_text(adopted.text.replace(old, new), encoding="utf-8")
        assert not difference(adopted.part, with_documents_of(load(other), exists)).is_empty, old


def test_which_account_is_the_jump_account(run: Runner, tmp_path: Path) -> None:
    estate = tmp_path / "estate"
    foreign_estate(estate)
    assert run("init", "--from", estate, "--jump", J, tmp_path / "a.yaml").status == 0
    check_error(run("init", "--from", estate, "--jump", "999988887777", tmp_path / "b.yaml"), "no account 999988887777", T)
    for account in (T, P):
        (estate / f"{account}.json").unlink()
    check_error(run("init", "--from", estate, tmp_path / "c.yaml"), "can't be told", "--jump ID")
    check_error(run("init", "--from", tmp_path / "nowhere", tmp_path / "d.yaml"), "no such file")
    assert run("init", "--jump", J, tmp_path / "e.yaml").status == 2
    assert run("init", "--from", estate, "--example", "company", tmp_path / "f.yaml").status == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.yaml", "estate"]


def test_what_no_file_can_hold_is_left(tmp_path: Path) -> None:
    """A policy that AWS no longer has takes its group out of the file; a private network only itself."""
    foreign_estate(tmp_path / "estate")
    body = json.loads((tmp_path / "estate" / f"{J}.json").read_text())
    body["GroupDetailList"][1]["AttachedManagedPolicies"].append({"PolicyArn": f"{ARN}GoneForGood", "PolicyName": "GoneForGood"})
    (tmp_path / "estate" / f"{J}.json").write_text(json.dumps(body))
    target = json.loads((tmp_path / "estate" / f"{T}.json").read_text())
    target["RoleDetailList"][0]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]["NotIpAddress"]["aws:SourceIp"].append("10.0.0.0/8")
    (tmp_path / "estate" / f"{T}.json").write_text(json.dumps(target))
    adopted = adopt(load(tmp_path / "estate"))
    whys = {x.subject: x.why for x in adopted.left}
    assert "GoneForGood" in whys[f"arn:aws:iam::{J}:group/dev"]
    assert OPS not in whys and "10.0.0.0" not in adopted.text, "a private network matches nothing, and may be missing"
    assert difference(adopted.part, adopted.wanted).is_empty
