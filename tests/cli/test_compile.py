"""`sekisho compile`: the estate as AWS's own JSON, which loads back as the same estate; the gauges; nothing half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sekisho import Authorizer, Estate, Request, compile_environment, load, load_environment
from sekisho.decision import CredentialKind, request_context
from sekisho.estate import account_to_json, load_estate

from .running import Runner, check_error

EXAMPLES = Path(__file__).parents[2] / "examples"


def as_json(estate: Estate) -> dict[str, object]:
    return {account.id: account_to_json(account) for account in estate.accounts}


@pytest.mark.parametrize("example", ["article", "company"])
def test_what_is_written_loads_back_as_the_same_estate(example: str, run: Runner, tmp_path: Path) -> None:
    file, out = EXAMPLES / f"{example}.yaml", tmp_path / "estate"
    ran = run("compile", file, "--out", out)
    assert ran.status == 0 and ran.err == ""
    wanted = compile_environment(load_environment(file))
    assert sorted(p.name for p in out.iterdir()) == [f"{a.id}.json" for a in wanted.accounts]
    loaded = load_estate(out)
    assert as_json(loaded) == as_json(wanted) == as_json(load(out)) == as_json(load(file))
    assert [a.unread for a in loaded.accounts] == [()] * len(wanted.accounts)
    for account, other in zip(wanted.accounts, loaded.accounts, strict=True):
        assert (account.name, account.alias, account.sign_in, account.password_policy) == (
            other.name, other.alias, other.sign_in, other.password_policy)  # fmt: skip
        assert [(r.arn, r.max_session_s, r.boundary) for r in account.roles] == [(r.arn, r.max_session_s, r.boundary) for r in other.roles]
    asked, read = Authorizer(wanted), Authorizer(loaded)
    for user in next(a for a in wanted.accounts if a.users).users:
        for role in (r for a in wanted.accounts for r in a.roles):
            for address in load_environment(file).vantage_points.values():
                for mfa in (True, False):
                    context = request_context(CredentialKind.CONSOLE, source_ip=address, mfa=mfa, mfa_age_s=5)
                    request = Request(user.arn, "sts:AssumeRole", role.arn, context)
                    assert asked.decide(request).outcome == read.decide(request).outcome


def test_the_same_file_gives_the_same_bytes(run: Runner, tmp_path: Path) -> None:
    for name in ("a", "b", "a"):
        assert run("compile", EXAMPLES / "company.yaml", "--out", tmp_path / name).status == 0
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == {p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()}
    assert all(p.stat().st_mode & 0o077 == 0 for p in (tmp_path / "a").iterdir())


def test_the_files_are_of_aws_s_form(run: Runner, tmp_path: Path) -> None:
    """The keys of `aws iam get-account-authorization-details`, and one of our own for what that doesn't hold."""
    run("compile", EXAMPLES / "company.yaml", "--out", tmp_path)
    body = json.loads((tmp_path / "111122223333.json").read_text(encoding="utf-8"))
    assert set(body) == {"UserDetailList", "GroupDetailList", "RoleDetailList", "Policies", "Sekisho"}
    user = next(u for u in body["UserDetailList"] if u["UserName"] == "sato")
    assert user["Arn"] == "arn:aws:iam::111122223333:user/platform/sato" and user["GroupList"] == ["platform"]
    assert user["UserId"].startswith("AIDA") and len(user["UserId"]) == 21


def test_gauges(run: Runner, tmp_path: Path) -> None:
    ran = run("compile", EXAMPLES / "company.yaml", "--out", tmp_path, "--format", "json")
    body = json.loads(ran.out)
    assert body["schema"] == "sekisho/compile/v1" and all(Path(f).exists() for f in body["files"])
    operator = next(g for g in body["trust_policies"] if g["role"].endswith(":role/operator"))
    document = json.loads((tmp_path / "555566667777.json").read_text(encoding="utf-8"))
    trust = next(r["AssumeRolePolicyDocument"] for r in document["RoleDetailList"] if r["RoleName"] == "operator")
    assert operator["size"] == len(json.dumps(trust, separators=(",", ":"))) and operator["quota"] == 2048 and operator["users"] == 3
    text = run("compile", EXAMPLES / "company.yaml", "--out", tmp_path).out
    assert f"{operator['more_users_fit']} more users fit (names of {operator['name_length']})" in text
    assert {g["group"] for g in body["groups"]} == {"platform", "developers", "auditors", "partner", "break-glass"}
    partner = next(g for g in body["groups"] if g["group"] == "partner")
    assert partner["limited_by"] == operator["role"]


@pytest.mark.parametrize("more", [0, 1])
def test_the_gauge_is_exact(more: int, run: Runner, tmp_path: Path) -> None:
    """As many users as the gauge says fit the group; one more is an error that says which forms would fit."""
    gauge = json.loads(run("compile", EXAMPLES / "company.yaml", "--out", tmp_path, "--format", "json").out)
    partner = next(g for g in gauge["groups"] if g["group"] == "partner")
    names = [f"{i:0{partner['name_length']}}" for i in range(partner["more_users_fit"] + more)]
    quoted = ", ".join(f'"{n}"' for n in names)
    file = tmp_path / "more.yaml"
    text = (EXAMPLES / "company.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("users: [noc-1, noc-2]", f"users: [noc-1, noc-2, {quoted}]"), encoding="utf-8")
    ran = run("compile", file, "--out", tmp_path / "more")
    if more:
        check_error(ran, "the trust policy of operator has 2,", "at most 2,048", "`trusts_as: paths` would have", "`trusts_as: account` would have")
        assert not (tmp_path / "more").exists()
    else:
        assert ran.status == 0


def test_files_of_other_accounts_in_the_folder_are_pointed_out(run: Runner, tmp_path: Path) -> None:
    run("compile", EXAMPLES / "company.yaml", "--out", tmp_path)
    ran = run("compile", EXAMPLES / "article.yaml", "--out", tmp_path)
    assert ran.status == 0 and "222233334444.json" in ran.err and "444455556666.json" not in ran.err


def test_out_that_is_a_file(run: Runner, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.write_text("mine", encoding="utf-8")
    check_error(run("compile", EXAMPLES / "article.yaml", "--out", out), f"{out} is no folder")
    assert out.read_text(encoding="utf-8") == "mine"


def test_anchors_merge_keys_and_dates(run: Runner, tmp_path: Path) -> None:
    """YAML's own means work: a merged block with one field changed, an anchored boolean, a date that stays as it is written."""
    file, out = tmp_path / "sekisho.yaml", tmp_path / "out"
    text = (EXAMPLES / "article.yaml").read_text(encoding="utf-8")
    text = text.replace("      test-role-admin:\n", "      test-role-admin: &admin\n").replace("networks_as: deny ", "networks_as: &form deny ")
    text = text.replace("# Where `sekisho", """\
      other:
        <<: *admin
        networks_as: allow
        session: {stay_on_networks: &yes true}
        inline_policies:
          until:
            Version: 2012-10-17
            Statement:
              Effect: Deny
              Action: "*"
              Resource: "*"
              Condition: {DateGreaterThan: {"aws:CurrentTime": 2026-12-31T23:59:59Z}}
# Where `sekisho""")  # fmt: skip
    file.write_text(text, encoding="utf-8")
    assert run("compile", file, "--out", out).status == 0
    estate = load_estate(out)
    first, other = (estate.role(f"arn:aws:iam::444455556666:role/{n}") for n in ("test-role-admin", "other"))
    assert first and other and first.attached == other.attached and len(first.trust.statements) == 2 and len(other.trust.statements) == 1
    assert {p.name for p in other.inline} == {"until", "stay-on-networks"}
    until = next(p for p in other.inline if p.name == "until")
    assert until.document["Statement"]["Condition"] == {"DateGreaterThan": {"aws:CurrentTime": "2026-12-31T23:59:59Z"}}


@pytest.mark.parametrize("form", ["BOM", "CRLF"])
def test_files_from_windows(form: str, run: Runner, tmp_path: Path) -> None:
    raw = (EXAMPLES / "article.yaml").read_bytes()
    file = tmp_path / "sekisho.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + raw if form == "BOM" else raw.replace(b"\n", b"\r\n"))
    assert run("compile", file, "--out", tmp_path / "out").status == 0
    assert as_json(load_estate(tmp_path / "out")) == as_json(load(EXAMPLES / "article.yaml"))


def test_statements_know_their_line() -> None:
    """What `check` points at: the line of the file that a statement came from."""
    file = EXAMPLES / "company.yaml"
    lines = file.read_text(encoding="utf-8").splitlines()
    estate = load(file)
    operator = estate.role("arn:aws:iam::555566667777:role/operator")
    assert operator
    by_name = {p.name: p for p in operator.inline}

    def line(policy: str) -> str:
        [statement] = by_name[policy].statements
        assert statement.origin and statement.origin.file == str(file) and statement.origin.line
        return lines[statement.origin.line - 1]

    assert "ec2:RebootInstances" in line("restart") and "stay_on_networks: true" in line("stay-on-networks")
    allow, deny = operator.trust.statements
    assert allow.origin and "trusts: {groups: [partner], users: [sato]}" in lines[(allow.origin.line or 0) - 1]
    assert deny.origin and "networks: [partner-noc, tokyo-office]" in lines[(deny.origin.line or 0) - 1]


def test_a_pipe_is_a_file(run: Runner, tmp_path: Path) -> None:
    """`sekisho compile <(…) --out x`: read once, of no size."""
    import os
    import threading

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes((EXAMPLES / "article.yaml").read_bytes()))
    writer.start()
    ran = run("compile", pipe, "--out", tmp_path / "out")
    writer.join()
    assert ran.status == 0, ran.err
