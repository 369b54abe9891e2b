"""AWS's own JSON of an account in and out: nothing lost, every document known or listed as unread, every error with its place."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sekisho import Estate, SekishoError
from sekisho.environment import compile_environment, load_environment
from sekisho.estate import account_from_json, account_to_json, aws_managed_policy, load_estate, write_estate

ID = "111111111111"
EXAMPLES = Path(__file__).parents[2] / "examples"


def document(**more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*", **more}]}


TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": ID}, "Action": "sts:AssumeRole"}]}

# As `aws iam get-account-authorization-details` prints it, with things that the model doesn't have, and that AWS may add one day.
DETAILS: dict[str, Any] = {
    "UserDetailList": [
        {
            "Path": "/team/", "UserName": "alice", "UserId": "AIDAEXAMPLEEXAMPLE", "Arn": f"arn:aws:iam::{ID}:user/team/alice",
            "CreateDate": "2023-01-01T00:00:00+00:00", "Tomorrow": {"x": [1, None]},
            "UserPolicyList": [
                {"PolicyName": "b", "PolicyDocument": document(Sid="B"), "Tomorrow": 1},
                {"PolicyName": "a", "PolicyDocument": {"Version": "2012-10-17", "Statement": document()["Statement"][0]}},
            ],
            "GroupList": ["Engineers"], "Tags": [{"Key": "Team", "Value": "a", "Tomorrow": True}],
            "AttachedManagedPolicies": [{"PolicyName": "Own", "PolicyArn": f"arn:aws:iam::{ID}:policy/Own", "Tomorrow": "x"}],
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": f"arn:aws:iam::{ID}:policy/Own", "Tomorrow": 1},
        },
        {"Path": "/", "UserName": "bare", "UserId": "AIDAEXAMPLEEXAMPL2", "Arn": f"arn:aws:iam::{ID}:user/bare", "GroupList": []},
    ],
    "GroupDetailList": [
        {
            "Path": "/", "GroupName": "Engineers", "GroupId": "AGPAEXAMPLEEXAMPLE", "Arn": f"arn:aws:iam::{ID}:group/Engineers",
            "CreateDate": "2023-01-01T00:00:00+00:00", "GroupPolicyList": [], "AttachedManagedPolicies": [],
        },
    ],
    "RoleDetailList": [
        {
            "Path": "/", "RoleName": "Ops", "RoleId": "AROAEXAMPLEEXAMPLE", "Arn": f"arn:aws:iam::{ID}:role/Ops", "AssumeRolePolicyDocument": TRUST,
            "InstanceProfileList": [{"InstanceProfileName": "Ops", "Roles": []}], "RolePolicyList": [], "AttachedManagedPolicies": [],
            "RoleLastUsed": {"LastUsedDate": "2023-01-01T00:00:00+00:00", "Region": "eu-west-1"}, "Tags": [],
        },
    ],
    "Policies": [
        {
            "PolicyName": "Own", "PolicyId": "ANPAEXAMPLEEXAMPLE", "Arn": f"arn:aws:iam::{ID}:policy/Own", "Path": "/", "DefaultVersionId": "v2",
            "AttachmentCount": 1, "PermissionsBoundaryUsageCount": 1, "IsAttachable": True, "CreateDate": "2023-01-01T00:00:00+00:00",
            "PolicyVersionList": [
                {"VersionId": "v2", "IsDefaultVersion": True, "Document": document(), "CreateDate": "2023-01-02T00:00:00+00:00"},
                {"VersionId": "v1", "IsDefaultVersion": False, "Document": document(Action="ec2:*"), "CreateDate": "2023-01-01T00:00:00+00:00"},
            ],
        },
    ],
    "Tomorrow": ["kept"],
}  # fmt: skip


def copy(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(DETAILS)), **changes}


def loaded(tmp_path: Path, body: Any, name: str = f"{ID}.json") -> Estate:
    (tmp_path / name).write_text(body if isinstance(body, str) else json.dumps(body, indent=1))
    return load_estate(tmp_path)


def encoded(body: dict[str, Any]) -> dict[str, Any]:
    """The same as the API itself answers: documents as URL-encoded text."""

    def inside(value: Any) -> Any:
        if isinstance(value, list):
            return [inside(v) for v in value]
        if isinstance(value, dict):
            return {k: quote(json.dumps(v)) if k.endswith("Document") else inside(v) for k, v in value.items()}
        return value

    result: dict[str, Any] = inside(body)
    return result


# Nothing lost --------------------------------------------------------------------------------------------------------------


def test_what_came_in_comes_out(tmp_path: Path) -> None:
    estate = loaded(tmp_path, DETAILS)
    out = tmp_path / "out"
    assert write_estate(estate, out) == [out / f"{ID}.json"]
    assert json.loads((out / f"{ID}.json").read_text()) == DETAILS


def test_documents_in_url_encoding_are_the_same_documents(tmp_path: Path) -> None:
    (account,) = loaded(tmp_path, encoded(copy())).accounts
    assert account_to_json(account) == DETAILS
    assert [s.sid for p in account.users[0].inline for s in p.statements] == ["B", ""]


def test_a_document_as_plain_text_keeps_its_percent_signs() -> None:
    resource = "arn:aws:s3:::b/a%2Fb"
    text = json.dumps(document(Resource=resource))
    user = {"UserName": "a", "Arn": f"arn:aws:iam::{ID}:user/a", "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": text}]}
    assert account_from_json({"UserDetailList": [user]}).users[0].inline[0].statements[0].resources == (resource,)


@pytest.mark.parametrize("name", ["article.yaml", "company.yaml"])
def test_a_compiled_estate_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    estate = compile_environment(load_environment(EXAMPLES / name))
    write_estate(estate, tmp_path / "a")
    again = load_estate(tmp_path / "a")
    write_estate(again, tmp_path / "b")
    first, second = ({f.name: f.read_text() for f in (tmp_path / d).iterdir()} for d in "ab")
    assert first == second
    assert [account_to_json(a) for a in again.accounts] == [account_to_json(a) for a in estate.accounts]


BESIDE: dict[str, Any] = {
    "version": 1, "id": ID, "name": "jump", "alias": "example", "organization": "o-exampleorgid", "is_management": True,
    "users": {"alice": {"mfa_devices": [{"serial": f"arn:aws:iam::{ID}:mfa/alice", "kind": "virtual", "enabled": "2023-01-01T00:00:00Z"}],
                        "has_password": True, "access_keys": ["AKIAEXAMPLEEXAMPLE"]},
              "bare": {"mfa_devices": [], "has_password": False, "access_keys": []}},
    "roles": {"Ops": {"max_session_s": 7200}},
    "resource_policies": [{"arn": f"arn:aws:sqs:eu-west-1:{ID}:q", "document": document(Principal="*")}],
    "service_control": [[{"name": "Full", "arn": None, "document": document(Action="*")}], []],
    "resource_control": [[{"name": "R", "arn": "arn:aws:organizations::x", "document": document(Principal="*", Effect="Deny")}]],
    "sign_in": {"enforced": True, "statements": [{"id": "s1", "source_ip": ["203.0.113.0/24"], "excluded_principals": [f"arn:aws:iam::{ID}:root"]}]},
    "password_policy": {"MinimumPasswordLength": 14}, "unread": [["users", "AccessDenied: no"]],
}  # fmt: skip


def test_what_aws_has_no_field_for_comes_back_too(tmp_path: Path) -> None:
    body = copy(Sekisho=BESIDE)
    (account,) = loaded(tmp_path, body).accounts
    assert account_to_json(account) == body
    assert (account.users[0].mfa_devices or ())[0].kind == "virtual"
    assert account.users[1].mfa_devices == (), "none is not the same as not known"
    assert account_from_json(copy()).users[1].mfa_devices is None
    assert account.roles[0].max_session_s == 7200
    assert account.service_control is not None and account.service_control[1] == ()


def test_what_can_not_be_read_is_kept_and_listed(tmp_path: Path) -> None:
    body = copy()
    body["UserDetailList"][0]["UserPolicyList"][0]["PolicyDocument"] = {"Statement": "no"}
    body["RoleDetailList"][0]["AssumeRolePolicyDocument"] = "%7Bnot"
    body["Policies"][0]["PolicyVersionList"][0]["Document"] = "not"
    body["Sekisho"] = {"id": ID, "resource_policies": [{"arn": "arn:aws:s3:::b", "document": {}}]}
    (account,) = loaded(tmp_path, body).accounts
    assert [what for what, _ in account.unread] == [
        f"arn:aws:iam::{ID}:policy/Own#v2", f"arn:aws:iam::{ID}:user/team/alice#inline/b", f"arn:aws:iam::{ID}:role/Ops#trust",
        "arn:aws:s3:::b#policy",
    ]  # fmt: skip
    assert account.users[0].attached[0].policy is None, "its document isn't known; it isn't empty"
    again = account_to_json(account)
    for key in ("UserDetailList", "RoleDetailList", "Policies"):
        assert again[key] == body[key]
    assert {what for what, _ in account_from_json(again).unread} == {what for what, _ in account.unread}


def test_files_are_whole_and_for_their_owner_only(tmp_path: Path) -> None:
    (file,) = write_estate(loaded(tmp_path, DETAILS), tmp_path / "out")
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert [p.name for p in (tmp_path / "out").iterdir()] == [file.name]


# Files, folders, pages -------------------------------------------------------------------------------------------------------


def test_a_folder_holds_one_file_an_account(tmp_path: Path) -> None:
    other = json.loads(json.dumps(DETAILS).replace(ID, "222222222222"))
    (tmp_path / "222222222222.json").write_text(json.dumps(other))
    (tmp_path / "README.md").write_text("not an account")
    assert [a.id for a in loaded(tmp_path, DETAILS).accounts] == [ID, "222222222222"]


def test_a_file_of_any_name_tells_its_account_by_its_arns(tmp_path: Path) -> None:
    assert loaded(tmp_path, DETAILS, "details.json").accounts[0].id == ID


def test_a_byte_order_mark_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(DETAILS), encoding="utf-8-sig")
    assert load_estate(tmp_path / "a.json").accounts[0].id == ID


def test_pages_in_a_list_are_one_account(tmp_path: Path) -> None:
    keys = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    empty: dict[str, Any] = {k: [] for k in keys}
    pages = [{**empty, key: DETAILS[key], "IsTruncated": key != "Policies", "Marker": "m"} for key in keys]
    (account,) = loaded(tmp_path, pages).accounts
    assert not account.unread
    assert {k: account_to_json(account)[k] for k in keys} == {k: DETAILS[k] for k in keys}


def test_a_page_alone_is_not_the_whole(tmp_path: Path) -> None:
    (account,) = loaded(tmp_path, copy(IsTruncated=True)).accounts
    assert account.unread == (("account", "the file holds only some of the pages (IsTruncated)"),)
    (again,) = loaded(tmp_path, account_to_json(account)).accounts
    assert again.unread == account.unread


# Documents of managed policies -------------------------------------------------------------------------------------------------


def with_attached(arn: str, policies: list[Any]) -> Any:
    listed = [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn}]
    user = {"UserName": "a", "Arn": f"arn:aws:iam::{ID}:user/a", "AttachedManagedPolicies": listed}
    return account_from_json({"UserDetailList": [user], "Policies": policies}).users[0].attached[0]


def test_the_default_version_is_the_document() -> None:
    policy = account_from_json(copy()).policies[0].policy
    assert policy is not None and policy.statements[0].actions == ("s3:*",)
    assert policy.arn == f"arn:aws:iam::{ID}:policy/Own"


def test_aws_managed_policies_are_known_without_their_document() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    assert with_attached(arn, []).policy.statements[0].actions == ("*",)
    listed = {"PolicyName": "AdministratorAccess", "Arn": arn, "DefaultVersionId": "v1"}
    assert with_attached(arn, [listed]).policy == aws_managed_policy(arn)


def test_the_files_own_copy_of_an_aws_managed_policy_counts_first() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    version = {"VersionId": "v9", "IsDefaultVersion": True, "Document": document(Action="ec2:*")}
    listed = {"PolicyName": "AdministratorAccess", "Arn": arn, "DefaultVersionId": "v9", "PolicyVersionList": [version]}
    assert with_attached(arn, [listed]).policy.statements[0].actions == ("ec2:*",)


def test_a_copy_that_can_not_be_read_is_not_replaced_by_ours() -> None:
    arn = "arn:aws:iam::aws:policy/AdministratorAccess"
    version = {"VersionId": "v9", "IsDefaultVersion": True, "Document": "not a policy"}
    listed = {"PolicyName": "AdministratorAccess", "Arn": arn, "DefaultVersionId": "v9", "PolicyVersionList": [version]}
    assert with_attached(arn, [listed]).policy is None


@pytest.mark.parametrize("arn", [f"arn:aws:iam::{ID}:policy/Lost", "arn:aws:iam::aws:policy/NoSuchPolicyAtAws"])
def test_an_unknown_attached_policy_has_its_arn_and_no_document(arn: str) -> None:
    attached = with_attached(arn, [])
    assert (attached.arn, attached.policy) == (arn, None)


# What is wrong has its place -----------------------------------------------------------------------------------------------------


def changed(*path: Any, to: Any) -> dict[str, Any]:
    body: Any = copy(Sekisho=json.loads(json.dumps(BESIDE)))
    at = body
    for step in path[:-1]:
        at = at[step]
    if to is KeyError:
        del at[path[-1]]
    else:
        at[path[-1]] = to
    return body  # type: ignore[no-any-return]


WRONG = (
    ((), 5, "", "an object"),
    (("UserDetailList",), {}, "/UserDetailList", "a list"),
    (("UserDetailList", 0), "alice", "/UserDetailList/0", "an object"),
    (("UserDetailList", 0, "Arn"), KeyError, "/UserDetailList/0", "an object with Arn"),
    (("UserDetailList", 0, "Arn"), 5, "/UserDetailList/0/Arn", "a string"),
    (("UserDetailList", 0, "Path"), [], "/UserDetailList/0/Path", "a string"),
    (("UserDetailList", 0, "GroupList"), "Engineers", "/UserDetailList/0/GroupList", "a list"),
    (("UserDetailList", 0, "GroupList"), [1], "/UserDetailList/0/GroupList/0", "a string"),
    (("UserDetailList", 0, "UserPolicyList", 0, "PolicyDocument"), 5, "/UserDetailList/0/UserPolicyList/0/PolicyDocument", "a policy document"),
    (("UserDetailList", 0, "UserPolicyList", 0), None, "/UserDetailList/0/UserPolicyList/0", "an object"),
    (("UserDetailList", 0, "AttachedManagedPolicies", 0, "PolicyArn"), None, "/UserDetailList/0/AttachedManagedPolicies/0", "with PolicyArn"),
    (("UserDetailList", 0, "PermissionsBoundary"), "arn", "/UserDetailList/0/PermissionsBoundary", "an object"),
    (("UserDetailList", 0, "Tags", 0, "Value"), 5, "/UserDetailList/0/Tags/0/Value", "a string"),
    (("UserDetailList", 1, "UserName"), "ALICE", "/UserDetailList/1", "each UserName once"),
    (("UserDetailList", 1, "Arn"), "arn:aws:iam::222222222222:user/bare", "/UserDetailList/1/Arn", "one account in one file"),
    (("RoleDetailList", 0, "AssumeRolePolicyDocument"), None, "/RoleDetailList/0/AssumeRolePolicyDocument", "a policy document"),
    (("Policies", 0, "PolicyVersionList"), {}, "/Policies/0/PolicyVersionList", "a list"),
    (("Policies", 0, "DefaultVersionId"), 2, "/Policies/0/DefaultVersionId", "a string"),
    (("Sekisho",), [], "/Sekisho", "an object"),
    (("Sekisho", "alias"), 5, "/Sekisho/alias", "a string"),
    (("Sekisho", "is_management"), "no", "/Sekisho/is_management", "true or false"),
    (("Sekisho", "users"), [], "/Sekisho/users", "an object"),
    (("Sekisho", "users", "alice"), [], "/Sekisho/users/alice", "an object"),
    (("Sekisho", "users", "alice", "mfa_devices"), {}, "/Sekisho/users/alice/mfa_devices", "a list"),
    (("Sekisho", "users", "alice", "mfa_devices", 0), {}, "/Sekisho/users/alice/mfa_devices/0", "an object with serial"),
    (("Sekisho", "users", "alice", "has_password"), "yes", "/Sekisho/users/alice/has_password", "true or false"),
    (("Sekisho", "users", "alice", "access_keys"), [5], "/Sekisho/users/alice/access_keys/0", "a string"),
    (("Sekisho", "roles", "Ops", "max_session_s"), "7200", "/Sekisho/roles/Ops/max_session_s", "seconds"),
    (("Sekisho", "roles", "Ops", "max_session_s"), True, "/Sekisho/roles/Ops/max_session_s", "seconds"),
    (("Sekisho", "resource_policies", 0, "arn"), None, "/Sekisho/resource_policies/0", "an object with arn"),
    (("Sekisho", "service_control"), {}, "/Sekisho/service_control", "a list"),
    (("Sekisho", "service_control", 0), {}, "/Sekisho/service_control/0", "a list of policies"),
    (("Sekisho", "service_control", 0, 0), 5, "/Sekisho/service_control/0/0", "an object"),
    (("Sekisho", "service_control", 0, 0, "arn"), 5, "/Sekisho/service_control/0/0/arn", "an ARN"),
    (("Sekisho", "sign_in"), [], "/Sekisho/sign_in", "an object"),
    (("Sekisho", "sign_in", "statements", 0, "source_ip"), "203.0.113.0/24", "/Sekisho/sign_in/statements/0/source_ip", "a list"),
    (("Sekisho", "sign_in", "enforced"), 1, "/Sekisho/sign_in/enforced", "true or false"),
    (("Sekisho", "password_policy"), [], "/Sekisho/password_policy", "an object"),
    (("Sekisho", "unread"), [["x"]], "/Sekisho/unread/0", '["what", "why"]'),
    (("Sekisho", "name"), 5, "/Sekisho/name", "a string"),
)


@pytest.mark.parametrize(("path", "to", "pointer", "expected"), WRONG, ids=lambda v: str(v)[:60])
def test_a_wrong_type_has_its_place(tmp_path: Path, path: tuple[Any, ...], to: Any, pointer: str, expected: str) -> None:
    body = changed(*path, to=to) if path else to
    with pytest.raises(SekishoError) as caught:
        loaded(tmp_path, body)
    error = caught.value
    assert error.exit_status == 2
    assert error.place is not None and (error.place.pointer or "") == pointer
    assert error.place.file == str(tmp_path / f"{ID}.json")
    assert error.expected is not None and expected in error.expected
    if pointer:
        assert error.place.line is not None and error.place.line > 1, "the line in the file"


def test_a_session_length_of_aws_that_is_no_number_has_its_place() -> None:
    body = copy()
    body["RoleDetailList"][0]["MaxSessionDuration"] = "long"
    with pytest.raises(SekishoError) as caught:
        account_from_json(body)
    assert caught.value.place is not None and caught.value.place.pointer == "/RoleDetailList/0/MaxSessionDuration"


def test_a_wrong_type_on_a_page_has_its_page(tmp_path: Path) -> None:
    pages = [copy(), {"UserDetailList": [{"UserName": "a", "Arn": 5}]}]
    with pytest.raises(SekishoError) as caught:
        loaded(tmp_path, pages)
    assert caught.value.place is not None and caught.value.place.pointer == "/1/UserDetailList/0/Arn"
    assert caught.value.place.line is not None


TEXTS = (
    ("{", 1, "not JSON"),
    ('{"UserDetailList": [}', 1, "not JSON"),
    ('{\n "UserDetailList": [],\n "Policies": [{"Arn": "a",\n "Arn": "b"}]}', 4, 'the key "Arn" stands twice'),
    ('{"UserDetailList": [' + "[" * 100_000 + "]}", 1, "nested too deep"),
    ('{"UserDetailList": NaN}', 1, "NaN"),
)


@pytest.mark.parametrize(("text", "line", "told"), TEXTS, ids=[t[2] + str(i) for i, t in enumerate(TEXTS)])
def test_bad_json_has_file_and_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    with pytest.raises(SekishoError, match=told) as caught:
        loaded(tmp_path, text)
    assert caught.value.place is not None
    assert (caught.value.place.file, caught.value.place.line) == (str(tmp_path / f"{ID}.json"), line)


def test_bytes_that_are_no_utf_8_have_their_line(tmp_path: Path) -> None:
    (tmp_path / f"{ID}.json").write_bytes(b'{"UserDetailList":\n["\xff"]}')
    with pytest.raises(SekishoError, match="UTF-8") as caught:
        load_estate(tmp_path)
    assert caught.value.place is not None and caught.value.place.line == 2


@pytest.mark.parametrize("body", [{}, [], {"Users": []}, [{}]], ids=json.dumps)
def test_json_that_is_no_account_says_what_was_expected(tmp_path: Path, body: Any) -> None:
    with pytest.raises(SekishoError, match="not the JSON of an account"):
        loaded(tmp_path, body)


def test_an_account_that_nobody_names(tmp_path: Path) -> None:
    with pytest.raises(SekishoError, match="the account's id can't be told"):
        loaded(tmp_path, {"UserDetailList": []}, "some.json")


def test_one_account_in_two_files(tmp_path: Path) -> None:
    (tmp_path / "copy.json").write_text(json.dumps(DETAILS))
    with pytest.raises(SekishoError, match=f"account {ID} stands in two files") as caught:
        loaded(tmp_path, DETAILS)
    assert str(tmp_path / f"{ID}.json") in str(caught.value) and str(tmp_path / "copy.json") in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder_without_accounts(tmp_path: Path) -> None:
    with pytest.raises(SekishoError, match="no such file"):
        load_estate(tmp_path / "none.json")
    with pytest.raises(SekishoError, match="no account in this folder"):
        load_estate(tmp_path)
