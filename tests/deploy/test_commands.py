"""The commands against an embedded AWS of the company's accounts: planned, applied, looked at, changed by others, taken away."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyotp
import pytest

from sekisho import load
from sekisho.deploy.changes import changes, shape
from sekisho.proof import difference
from sekisho.sandbox.access import write_access
from sekisho.sandbox.server import serve

from .aws import AWS_CLI, PROFILE, Aws
from .conftest import ARTICLE, Start

EXAMPLES = Path(__file__).parents[2] / "src/sekisho/environment/examples"
COMPANY = (EXAMPLES / "company.yaml").read_text(encoding="utf-8")
ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666", "555566667777", "666677778888")
J, T = "111122223333", "444455556666"


def test_company_from_nothing_to_nothing(start: Start) -> None:
    """Issue 5, points 1 and 2: apply; nothing to do; what collect reads is what compile writes; edits; drift; destroy."""
    aws = start(*ACCOUNTS)
    aws.write(COMPANY)
    first = aws.sekisho("apply", str(aws.file), "--yes")
    made = len(aws.faults.seen)
    assert first.status == 0 and f"Plan: {made} to add, 0 to change, 0 to remove; {made} calls." in first.out, first
    assert "sato, suzuki: gains production/admin from tokyo-office" in first.out, "the access difference comes in sentences"
    assert aws.sekisho("plan", str(aws.file)).status == 0

    estate = aws.folder / "estate"
    collected = aws.sekisho("collect", "--accounts", ",".join(ACCOUNTS), "--out", str(estate))
    assert collected.status == 0, collected
    read, wanted = load(estate), load(aws.file)
    assert changes(read, wanted, exclusive=True) == () and shape(read, wanted) == shape(wanted, wanted)
    assert difference(read, wanted).is_empty, "proved: equal in access"
    adopted = aws.folder / "adopted.yaml"
    back = aws.sekisho("init", "--from", str(estate), str(adopted), profile=None)
    assert back.status == 0 and back.err == "" and "# Not in it" not in adopted.read_text(), back
    assert aws.sekisho("diff", str(estate), str(adopted), profile=None).status == 0, "adopted: equal, proved"
    assert aws.sekisho("plan", str(adopted)).status == 0, "and nothing to do"

    for old, new in (
        ("users: [takahashi, tanaka", "users: [tanaka"), ("[sato, suzuki]", "[sato, suzuki, takahashi]"),
        ("      operator:", "      on-call:"), ("path: /auditors/", "path: /audit/"), ("policy/PowerUserAccess", "policy/ReadOnlyAccess"),
    ):  # fmt: skip
        assert old in aws.file.read_text()
        aws.write(aws.file.read_text().replace(old, new))
    applied = aws.sekisho("apply", str(aws.file), "--yes")
    assert applied.status == 0 and "Looked at again: what exists is what is wanted." in applied.out, applied
    assert aws.sekisho("drift", str(aws.file)).status == 0

    gone = aws.sekisho("destroy", str(aws.file), "--yes")
    assert gone.status == 2 and "would lock out" in gone.err and "--give-up" in gone.err
    given_up = [f"{a}/administrators" for a in ACCOUNTS[1:5]] + ["break-glass"]
    gone = aws.sekisho("destroy", str(aws.file), "--yes", *(x for k in given_up for x in ("--give-up", k)))
    assert gone.status == 0, gone
    left = aws.client("iam", J).get_account_authorization_details(Filter=["User", "Group", "Role", "LocalManagedPolicy"])
    assert not left["UserDetailList"] and not left["GroupDetailList"] and not left["Policies"]


def test_equal_documents_in_another_spelling_are_no_change(article: Aws) -> None:
    iam = article.client("iam", T)
    trust = iam.get_role(RoleName="test-role-admin")["Role"]["AssumeRolePolicyDocument"]
    statements = [dict(reversed(s.items())) for s in reversed(trust["Statement"])]
    for s in statements:
        s["Action"] = [s["Action"]]
    document = json.dumps({"Statement": statements, "Version": trust["Version"]}, indent=4)
    iam.update_assume_role_policy(RoleName="test-role-admin", PolicyDocument=document)
    assert article.sekisho("plan", str(article.file)).status == 0


def test_foreign_things_are_shown_and_kept_unless_exclusive(article: Aws) -> None:
    iam, jump = article.client("iam", T), article.client("iam", J)
    iam.attach_role_policy(RoleName="test-role-admin", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
    iam.create_role(RoleName="somebody-elses", AssumeRolePolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": J}, "Action": "sts:AssumeRole"}}))  # fmt: skip
    jump.create_user(UserName="stranger")
    jump.add_user_to_group(GroupName="test-group", UserName="stranger")
    kept = article.sekisho("plan", str(article.file))
    assert kept.status == 0 and "ReadOnlyAccess is attached to role test-role-admin" in kept.out and "stranger" in kept.out
    article.write(ARTICLE + "exclusive: true\n")
    taken = article.sekisho("plan", str(article.file))
    assert taken.status == 1
    assert "- policy ReadOnlyAccess detached from role test-role-admin" in taken.out and "- user stranger leaves group test-group" in taken.out
    assert "role somebody-elses" not in taken.out and "2 to remove" in taken.out, "only what the file manages is touched"


READ = {
    "GetCallerIdentity", "GetAccountAuthorizationDetails", "ListRoles", "GetAccountSummary", "ListAccountAliases", "GetAccountPasswordPolicy",
    "list-resource-permission-statements", "get-console-authorization-configuration", "DescribeOrganization", "ListVirtualMFADevices",
}  # fmt: skip
"""What `collect` asks of an account: each of these once. None can be left out: no other call of AWS's answers what it is asked for."""


def test_calls_an_account(article: Aws) -> None:
    """Issue 5, point 7: counted. Reading and planning cost the same whatever is in the account; an apply looks twice more, without what it can't change."""
    estate = article.folder / "estate"
    article.faults.reset()
    assert article.sekisho("collect", "--accounts", f"{J},{T}", "--out", str(estate)).status == 0
    counted = Counter(article.faults.asked)
    assert set(counted) == READ and counted.pop("ListVirtualMFADevices") == counted.pop("ListRoles") == 1, "only where there are users, and roles"
    assert set(counted.values()) == {2} and len(article.faults.asked) == 18, counted
    article.faults.reset()
    assert article.sekisho("plan", str(article.file)).status == 0
    assert len(article.faults.asked) == 18
    article.write(ARTICLE.replace("[test-user]", "[test-user, kato]"))
    article.faults.reset()
    assert article.sekisho("apply", str(article.file), "--yes").status == 0
    assert len(article.faults.asked) - len(article.faults.seen) == 18 + 2 * 11, Counter(article.faults.asked)


def test_drift_says_who(article: Aws) -> None:
    iam = article.client("iam", T)
    iam.update_role(RoleName="test-role-admin", MaxSessionDuration=7200)
    moved = article.sekisho("drift", str(article.file), "--format", "json")
    assert moved.status == 1
    body = json.loads(moved.out)
    assert body["schema"] == "sekisho/drift/v1"
    (row,) = body["moved"]
    assert "7,200" in row["to_do"] and "UpdateRole by arn:aws:iam::444455556666:root" in row["by"]


def test_drift_tells_what_others_opened(article: Aws) -> None:
    """A trust that names somebody else, and a stranger in our group: who can now get where comes first."""
    jump, iam = article.client("iam", J), article.client("iam", T)
    jump.create_user(UserName="bob")
    jump.add_user_to_group(GroupName="test-group", UserName="bob")
    trust = iam.get_role(RoleName="test-role-admin")["Role"]["AssumeRolePolicyDocument"]
    allow = next(s for s in trust["Statement"] if s["Effect"] == "Allow")
    allow["Principal"] = {"AWS": [f"arn:aws:iam::{J}:user/test-user", f"arn:aws:iam::{J}:user/bob"]}
    iam.update_assume_role_policy(RoleName="test-role-admin", PolicyDocument=json.dumps(trust))
    moved = article.sekisho("drift", str(article.file))
    assert moved.status == 1 and moved.out.startswith("bob: gains workload/test-role-admin"), moved
    assert "UpdateAssumeRolePolicy by" in moved.out and "user bob leaves group test-group [AddUserToGroup by" in moved.out, moved.out


def test_users_come_and_go(article: Aws) -> None:
    before = article.file.read_text()
    password = article.folder / "kato.json"
    added = article.sekisho("users", "add", "kato", "--group", "test-group", "--file", str(article.file), "--yes", "--password-file", str(password))
    assert added.status == 0, added
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    secret = json.loads(password.read_text())["kato"]
    assert len(secret) == 32 and secret not in added.out + added.err
    iam = article.client("iam", J)
    assert iam.get_login_profile(UserName="kato")["LoginProfile"]["PasswordResetRequired"] is True
    listed = json.loads(article.sekisho("users", "list", "--file", str(article.file), "--format", "json", profile=None).out)
    assert [u["user"] for u in listed["users"]] == ["test-user", "kato"]
    key = iam.create_access_key(UserName="kato")["AccessKey"]
    ssh = iam.upload_ssh_public_key(UserName="kato", SSHPublicKeyBody="ssh-rsa AAAA")["SSHPublicKey"]["SSHPublicKeyId"]
    iam.upload_signing_certificate(UserName="kato", CertificateBody="-----BEGIN CERTIFICATE-----")
    iam.create_service_specific_credential(UserName="kato", ServiceName="codecommit.amazonaws.com")
    with pytest.raises(iam.exceptions.DeleteConflictException):
        iam.delete_user(UserName="kato")
    removed = article.sekisho("users", "remove", "kato", "--file", str(article.file), "--yes")
    assert removed.status == 0 and f"access key {key['AccessKeyId']}" in removed.out and "may live until" in removed.out, removed.err
    assert f"- SSH key {ssh} of user kato" in removed.out and "- signing certificate " in removed.out and "- credential for a service " in removed.out
    assert article.file.read_text() == before
    assert article.sekisho("plan", str(article.file)).status == 0


def test_a_declined_edit_leaves_the_file(article: Aws) -> None:
    before = article.file.read_text()
    said = article.sekisho("users", "add", "kato", "--group", "test-group", "--file", str(article.file))  # no answer to the question: no
    assert said.status != 0 and article.file.read_text() == before
    assert article.sekisho("plan", str(article.file)).status == 0


def test_sessions_revoked(article: Aws) -> None:
    """D-41: the inline policy of the console's button; the plan doesn't take it away."""
    said = article.sekisho("sessions", "revoke", "workload/test-role-admin", "--file", str(article.file), "--yes")
    assert said.status == 0, said
    document = article.client("iam", T).get_role_policy(RoleName="test-role-admin", PolicyName="AWSRevokeOlderSessions")["PolicyDocument"]
    (statement,) = document["Statement"]
    assert statement["Effect"] == "Deny" and "aws:TokenIssueTime" in statement["Condition"]["DateLessThan"]
    article.write(ARTICLE + "exclusive: true\n")
    assert article.sekisho("plan", str(article.file)).status == 0


def test_no_secret_is_written_anywhere(article: Aws) -> None:
    """Issue 5, point 8: not in plan, journal, estate, export, output, error, records or process list; all files 0600."""
    there = article.folder
    article.write(ARTICLE.replace("[test-user]", "[test-user, kato]"))
    plan, passwords = there / "p.plan", there / "passwords.json"
    outputs = [article.sekisho("plan", str(article.file), "--out", str(plan), "--differences")]
    outputs.append(article.sekisho("apply", "--plan", str(plan), "--yes"))
    assert outputs[1].status == 0, outputs[1]
    seed = article.enable_device("kato")
    key = article.client("iam", J).create_access_key(UserName="kato")["AccessKey"]["SecretAccessKey"]
    # A real process that hands out a password, seen from outside at each of its calls; then the same refused half-way.
    listed: set[str] = set()

    def look() -> None:
        listed.update(p.read_text(errors="replace") for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists())

    article.faults.reset()
    article.faults.after = look
    adding = ["users", "add", "mori", "--group", "test-group", "--file", str(article.file), "--yes", "--password-file", str(passwords)]
    command = [sys.executable, "-m", "sekisho.cli", *adding, "--profile", PROFILE]
    ran = subprocess.run(command, env={**os.environ, **article.environment}, capture_output=True, text=True, timeout=120)
    article.faults.after = lambda: None
    assert ran.returncode == 0 and any("\0users\0add\0mori" in line for line in listed), ran
    texts = [ran.stdout, ran.stderr, *listed]
    article.faults.reset(at=2, kind="access denied")
    outputs.append(article.sekisho("users", "add", "abe", *adding[3:]))
    assert outputs[-1].status == 3
    article.faults.reset()
    outputs += [article.sekisho("users", "add", "goto", *adding[3:]), article.sekisho("users", "remove", "kato", "--file", str(article.file), "--yes")]
    outputs.append(article.sekisho("collect", "--accounts", f"{J},{T}", "--out", str(there / "estate")))
    for kind in ("cloudformation", "terraform", "aws-config", "switch-links"):
        outputs.append(article.sekisho("export", kind, str(article.file), "--out", str(there / kind), profile=None))
    outputs += [article.sekisho("drift", str(article.file)), article.sekisho("plan", str(article.file), profile="nobody")]
    texts += [o.out + o.err for o in outputs]
    pages = article.client("cloudtrail", J).get_paginator("lookup_events").paginate()
    texts += [e["CloudTrailEvent"] for page in pages for e in page["Events"]]

    store = article.server.aws.store
    given = json.loads(passwords.read_text())
    assert {"mori", "goto"} <= set(given)
    secrets = [seed, key, *given.values(), *(k.secret for k in store.keys.values()), *(s.id for s in store.sessions.values())]
    written = [p for p in there.rglob("*") if p.is_file() and p != article.file]
    assert len(written) > 15
    for path in written:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        if path not in (passwords, there / "credentials"):
            texts.append(path.read_text())
    assert len(secrets) > 5 and [t[:200] for t in texts for s in secrets if s in t] == []


def test_what_a_sandbox_keeps_is_its_owners(tmp_path: Path) -> None:
    """Issue 5, point 8: the state folder's files, with the database's own beside it."""
    with serve([J], port=0, state=tmp_path) as server:
        write_access(server, tmp_path)
        assert {p.name for p in tmp_path.iterdir()} >= {"sandbox.sqlite", "config", "credentials"}
        assert {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()} == {p.name: 0o600 for p in tmp_path.iterdir()}


def test_profiles_of_export_switch_role(article: Aws) -> None:
    """Issue 5, point 5: the real AWS CLI (botocore, where it isn't installed) asks for the code and assumes the role, and does so from the office."""
    assert article.sekisho("export", "aws-config", str(article.file), "--out", str(article.folder / "x"), profile=None).status == 0
    iam = article.client("iam", J)
    key = iam.create_access_key(UserName="test-user")["AccessKey"]
    seed = iam.create_virtual_mfa_device(VirtualMFADeviceName="test-user")["VirtualMFADevice"]["Base32StringSeed"].decode()
    serial = f"arn:aws:iam::{J}:mfa/test-user"
    now = int(article.server.aws.store.clock.now().timestamp()) // 30
    first, second, third = (pyotp.TOTP(seed).generate_otp(now + i) for i in (-1, 0, 1))
    iam.enable_mfa_device(UserName="test-user", SerialNumber=serial, AuthenticationCode1=first, AuthenticationCode2=second)
    credentials = article.folder / "own-credentials"
    credentials.write_text(f"[jump]\naws_access_key_id={key['AccessKeyId']}\naws_secret_access_key={key['SecretAccessKey']}\n")
    config = article.folder / "x" / "test-user.config"
    profile = next(line[9:-1] for line in config.read_text().splitlines() if line.startswith("[profile ") and "jump" not in line)
    code = f"import boto3; print(boto3.Session(profile_name={profile!r}).client('sts').get_caller_identity()['Arn'])"
    command = [sys.executable, "-c", code]
    if AWS_CLI is not None:
        command = [str(AWS_CLI), "sts", "get-caller-identity", "--profile", profile, "--query", "Arn", "--output", "text"]
    env = {**os.environ, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}

    def ask(address: str, token: str) -> subprocess.CompletedProcess[str]:
        # Without a terminal of its own it reads the code from its input.
        there = {**env, "AWS_ENDPOINT_URL": f"{article.server.endpoint}/from/{address}", "HOME": str(article.folder / address)}
        return subprocess.run(command, input=f"{token}\n", env=there, capture_output=True, text=True, timeout=60, start_new_session=True)

    cafe = ask("192.0.2.44", third)
    assert cafe.returncode != 0 and "is not authorized to perform: sts:AssumeRole" in cafe.stderr, cafe
    article.server.aws.store.clock.advance(60)  # a code works once
    office = ask("203.0.113.10", pyotp.TOTP(seed).generate_otp(now + 2))
    assert office.stdout.splitlines()[-1:] == [f"arn:aws:sts::{T}:assumed-role/test-role-admin/test-user"], office.stderr[-600:]


# --- what can't be used ---------------------------------------------------------------------------------------------------


def test_no_credentials(article: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    said = article.sekisho("plan", str(article.file), profile="nobody-{account}")
    assert said.status == 2 and "there is no profile nobody-" in said.err and "to do:" in said.err
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    said = article.sekisho("plan", str(article.file), profile=None)
    assert said.status == 3 and "credentials" in said.err.lower() and "--profile" in said.err


def test_wrong_account_behind_a_profile(article: Aws) -> None:
    said = article.sekisho("plan", str(article.file), profile=PROFILE.format(account=T))
    assert said.status == 2 and f"leads to account {T}, not {J}" in said.err


def test_a_plan_that_was_tampered_with(article: Aws) -> None:
    article.write(ARTICLE.replace("[test-user]", "[test-user, kato]"))
    plan = article.folder / "p.plan"
    assert article.sekisho("plan", str(article.file), "--out", str(plan)).status == 1
    whole = json.loads(plan.read_text())
    for key, value, message in (
        ("schema", "sekisho/plan/v9", "not a plan of this version"), ("changes", [], "changed after it was made"), ("digest", "0", "changed after"),
    ):  # fmt: skip
        plan.write_text(json.dumps({**whole, key: value}))
        said = article.sekisho("apply", "--plan", str(plan), "--yes")
        assert said.status == 2 and message in said.err and "to do:" in said.err
    plan.write_text(json.dumps(whole)[:-500])
    assert article.sekisho("apply", "--plan", str(plan), "--yes").status == 2
    assert article.faults.seen == [], "nothing was called"


def test_partial_permission_is_unknown_never_empty(article: Aws) -> None:
    """A reader without leave for the details: the account is unread, collect says so with status 1, and plan refuses."""
    iam = article.client("iam", T)
    iam.create_user(UserName="reader")
    iam.put_user_policy(UserName="reader", PolicyName="few", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:GetAccountPasswordPolicy", "Resource": "*"}}))  # fmt: skip
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    credentials = Path(article.environment["AWS_SHARED_CREDENTIALS_FILE"])
    config = Path(article.environment["AWS_CONFIG_FILE"])
    keys = f"aws_access_key_id={key['AccessKeyId']}\naws_secret_access_key={key['SecretAccessKey']}\n"
    credentials.write_text(credentials.read_text() + f"\n[r-{T}]\n{keys}")
    config.write_text(config.read_text() + f"\n[profile r-{T}]\nregion=us-east-1\n")
    estate = article.folder / "estate"
    said = article.sekisho("collect", "--accounts", T, "--out", str(estate), profile="r-{account}")
    assert said.status == 1 and "not read: account of" in said.out
    account = load(estate).account(T)
    assert account is not None and "account" in dict(account.unread)


def test_collect_goes_on_where_it_stopped(article: Aws) -> None:
    estate = article.folder / "estate"
    broken = article.sekisho("collect", "--accounts", f"{J},999988887777", "--out", str(estate))
    assert broken.status == 2 and (estate / f"{J}.json").exists()
    again = article.sekisho("collect", "--accounts", f"{J},999988887777", "--out", str(estate))
    assert f"{J}: read already by the run before" in again.err
    whole = article.sekisho("collect", "--accounts", f"{J},{T}", "--out", str(estate))
    assert whole.status == 0 and not (estate / ".collect.json").exists()


def test_the_lock_names_its_holder(article: Aws) -> None:
    from sekisho.deploy.journal import locked

    with locked(article.folder / ".sekisho"):
        said = article.sekisho("apply", str(article.file), "--yes")
    assert said.status == 3 and "another apply is running" in said.err and f"process {os.getpid()}" in said.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder(article: Aws) -> None:
    state = article.folder / "state"
    state.mkdir(mode=0o500)
    said = article.sekisho("apply", str(article.file), "--yes", "--state", str(state))
    assert said.status == 3 and "can't be written" in said.err


def test_a_full_disk(article: Aws) -> None:
    """Nothing is done that isn't in the journal first. (A limit on file sizes is what a full disk looks like to the command.)"""
    article.write(ARTICLE.replace("[test-user]", "[test-user, kato]"))
    seen = len(article.faults.seen)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        said = article.sekisho("apply", str(article.file), "--yes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert said.status == 3 and "can't be written" in said.err and "make room" in said.err and len(article.faults.seen) == seen, said
    assert article.sekisho("apply", str(article.file), "--yes").status == 0


def test_users_over_the_trust_quota_offers_the_other_forms(article: Aws) -> None:
    """Issue 5, point 6 (F-09): with its line, before anything is asked of AWS."""
    many = ", ".join(f"somebody-{i:03}" for i in range(60))
    article.write(ARTICLE.replace("[test-user]", f"[test-user, {many}]"))
    said = article.sekisho("plan", str(article.file))
    assert said.status == 2 and "characters" in said.err and "trusts_as:" in said.err and "sekisho.yaml:" in said.err


def test_method_3_the_sign_in_itself(start: Start) -> None:
    """M-01, M-02: statements first, the switch last; read back; wider by a statement; when it goes, the switch first."""
    aws = start(J, T)
    glass = ARTICLE.replace("    users: [test-user]\n", "    users: [test-user]\n  break-glass: {users: [glass], networks: anywhere}\n")
    with_sign_in = glass.replace("sign_in: anywhere ", "sign_in: [office, vpn] ")
    assert with_sign_in != glass
    aws.write(with_sign_in)
    first = aws.sekisho("apply", str(aws.file), "--yes")
    assert first.status == 0 and "Unverified:" in first.out and "M-06" in first.out, first
    signin = [a for a in aws.faults.seen if "permission" in a or "authorization" in a]
    assert signin[-1] == "put-console-authorization-configuration" and aws.faults.seen[-1] == signin[-1]
    assert aws.sekisho("plan", str(aws.file)).status == 0
    estate = aws.folder / "estate"
    assert aws.sekisho("collect", "--accounts", f"{J},{T}", "--out", str(estate)).status == 0
    assert difference(load(estate), load(aws.file)).is_empty

    aws.write(with_sign_in.replace("sign_in: [office, vpn]", "sign_in: [office]"))
    assert aws.sekisho("apply", str(aws.file), "--yes").status == 0
    assert aws.sekisho("plan", str(aws.file)).status == 0
    aws.write(glass)
    kept = aws.sekisho("plan", str(aws.file))
    assert kept.status == 0 and "the sign-in is limited by a policy that the file doesn't ask for" in kept.out
    aws.write(glass + "exclusive: true\n")
    aws.faults.reset()
    assert aws.sekisho("apply", str(aws.file), "--yes").status == 0
    assert aws.faults.seen[0] == "delete-console-authorization-configuration"
    assert aws.sekisho("plan", str(aws.file)).status == 0
