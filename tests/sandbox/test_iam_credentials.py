"""Access keys, passwords and MFA devices of the embedded AWS: what they open, AWS's refusals, and secrets that are shown once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pyotp
import pytest

from .iam_case import HOME, OTHER, Case, allow, refused
from .people import Sandbox

GOOD = "Correct-horse-1"
SERIAL = f"arn:aws:iam::{HOME}:mfa/alice"
NOT_VALID = ("InvalidAuthenticationCode", 403, "Authentication code for device is not valid.")


# --- keys ----------------------------------------------------------------------------------------------------------------


def test_a_key_opens_until_it_is_inactive_or_gone(case: Case) -> None:
    iam = case.iam()
    alice = case.as_user("alice", allow("iam:*AccessKey*", "iam:GetUser"))
    assert alice.get_user()["User"]["UserName"] == "alice"
    second = alice.create_access_key()["AccessKey"]
    assert second["AccessKeyId"].startswith("AKIA") and len(second["SecretAccessKey"]) == 40
    assert refused(alice.create_access_key) == ("LimitExceeded", 409, "Cannot exceed quota for AccessKeysPerUser: 2")
    listed = alice.list_access_keys()["AccessKeyMetadata"]
    assert len(listed) == 2 and all("SecretAccessKey" not in k and k["Status"] == "Active" for k in listed)
    with_second = case.client("iam", second["AccessKeyId"], second["SecretAccessKey"])
    with_second.get_user()
    iam.update_access_key(UserName="alice", AccessKeyId=second["AccessKeyId"], Status="Inactive")
    assert refused(with_second.get_user)[0] == "InvalidClientTokenId"
    iam.update_access_key(UserName="alice", AccessKeyId=second["AccessKeyId"], Status="Active")
    with_second.get_user()
    used = iam.get_access_key_last_used(AccessKeyId=second["AccessKeyId"])
    assert (used["UserName"], used["AccessKeyLastUsed"]["ServiceName"]) == ("alice", "iam")
    assert used["AccessKeyLastUsed"]["LastUsedDate"].timestamp() > case.server.aws.store.clock.now().timestamp() - 120
    assert refused(iam.delete_user, UserName="alice")[2] == "Cannot delete entity, must delete policies first."
    alice.delete_access_key(AccessKeyId=second["AccessKeyId"])
    assert refused(with_second.get_user)[0] == "InvalidClientTokenId"


def test_one_users_key_is_not_anothers(case: Case) -> None:
    iam = case.iam()
    case.as_user("alice")
    iam.create_user(UserName="bob")
    key = iam.list_access_keys(UserName="alice")["AccessKeyMetadata"][0]["AccessKeyId"]
    expected = ("NoSuchEntity", 404, f"The Access Key with id {key} cannot be found.")
    assert refused(iam.delete_access_key, UserName="bob", AccessKeyId=key) == expected
    case.iam(OTHER).create_user(UserName="alice")
    assert refused(case.iam(OTHER).delete_access_key, UserName="alice", AccessKeyId=key) == expected


def test_who_has_no_user_name_must_say_whose_keys(case: Case) -> None:
    """Root's own keys are root's; a name is needed by roles."""
    iam = case.iam()
    assert len(iam.list_access_keys()["AccessKeyMetadata"]) == 1
    iam.create_user(UserName="alice")
    expected = ("ValidationError", 400, "Must specify userName when calling with non-User credentials")
    assert refused(iam.list_mfa_devices) == expected


def test_a_session_token_ends_with_the_key_that_made_it(case: Case) -> None:
    """D-42."""
    iam = case.iam()
    sts = case.as_user("alice", allow("iam:*"), "sts")
    made = sts.get_session_token()["Credentials"]
    session = case.client("sts", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    session.get_caller_identity()
    key = iam.list_access_keys(UserName="alice")["AccessKeyMetadata"][0]["AccessKeyId"]
    iam.delete_access_key(UserName="alice", AccessKeyId=key)
    assert refused(session.get_caller_identity)[1] == 403


# --- passwords -----------------------------------------------------------------------------------------------------------


def test_a_login_profile_from_first_to_last(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    missing = ("NoSuchEntity", 404, "Login Profile for User alice cannot be found.")
    assert refused(iam.get_login_profile, UserName="alice") == missing
    made = iam.create_login_profile(UserName="alice", Password=GOOD, PasswordResetRequired=True)["LoginProfile"]
    assert made["PasswordResetRequired"] is True and "Password" not in made
    again = refused(iam.create_login_profile, UserName="alice", Password=GOOD)
    assert again == ("EntityAlreadyExists", 409, "Login Profile for user alice already exists.")
    iam.update_login_profile(UserName="alice", Password="Other-horse-2", PasswordResetRequired=False)
    shown = iam.get_login_profile(UserName="alice")["LoginProfile"]
    assert (shown["PasswordResetRequired"], shown["CreateDate"]) == (False, made["CreateDate"])
    assert refused(iam.delete_user, UserName="alice")[2] == "Cannot delete entity, must delete login profile first."
    iam.delete_login_profile(UserName="alice")
    assert refused(iam.get_login_profile, UserName="alice") == missing


@pytest.mark.parametrize(
    ("policy", "password", "good"),
    [
        pytest.param(None, "Abcdef1", False, id="no policy, seven characters"),
        pytest.param(None, "Abcdefg1", True, id="no policy, eight of three classes"),
        pytest.param(None, "abcdefg1", False, id="no policy, two classes"),
        pytest.param(None, "Alice@Example-1", False, id="no policy, the user's name"),
        pytest.param({}, "abcdef", True, id="policy of defaults, six"),
        pytest.param({}, "abcde", False, id="policy of defaults, five"),
        pytest.param({"MinimumPasswordLength": 14}, "abcdefghijklm", False, id="thirteen of fourteen"),
        pytest.param({"MinimumPasswordLength": 14}, "abcdefghijklmn", True, id="fourteen"),
        pytest.param({"RequireSymbols": True}, "abcdefG1", False, id="no symbol"),
        pytest.param({"RequireSymbols": True}, "abcdef|", True, id="symbol"),
        pytest.param({"RequireSymbols": True}, "abcdef;", False, id="a sign that AWS doesn't count as a symbol"),
        pytest.param({"RequireNumbers": True}, "abcdefG!", False, id="no number"),
        pytest.param({"RequireUppercaseCharacters": True}, "abcdef1!", False, id="no capital"),
        pytest.param({"RequireUppercaseCharacters": True}, "äbcdefÄ", False, id="a capital that AWS doesn't count"),
        pytest.param({"RequireLowercaseCharacters": True}, "ABCDEF1!", False, id="no small letter"),
        pytest.param({"RequireLowercaseCharacters": True, "RequireUppercaseCharacters": True}, "ABCDEf", True, id="both"),
    ],
)
def test_a_new_password_meets_the_accounts_policy(case: Case, policy: dict[str, Any] | None, password: str, good: bool) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice@example-1")
    if policy is not None:
        iam.update_account_password_policy(**policy)
    if good:
        iam.create_login_profile(UserName="alice@example-1", Password=password)
        return
    code, status, text = refused(iam.create_login_profile, UserName="alice@example-1", Password=password)
    assert (code, status) == ("PasswordPolicyViolation", 400)
    assert password not in text


def test_the_accounts_password_policy(case: Case) -> None:
    iam = case.iam()
    missing = ("NoSuchEntity", 404, f"The Password Policy with domain name {HOME} cannot be found.")
    assert refused(iam.get_account_password_policy) == missing
    iam.update_account_password_policy(MinimumPasswordLength=12, MaxPasswordAge=90, AllowUsersToChangePassword=True)
    shown = iam.get_account_password_policy()["PasswordPolicy"]
    assert (shown["MinimumPasswordLength"], shown["ExpirePasswords"], shown["MaxPasswordAge"], shown["RequireSymbols"]) == (12, True, 90, False)
    # Each call sets the policy whole.
    iam.update_account_password_policy(RequireNumbers=True)
    shown = iam.get_account_password_policy()["PasswordPolicy"]
    assert (shown["MinimumPasswordLength"], shown["ExpirePasswords"], shown["AllowUsersToChangePassword"]) == (6, False, False)
    iam.delete_account_password_policy()
    assert refused(iam.get_account_password_policy) == refused(iam.delete_account_password_policy) == missing


def test_when_a_password_was_last_used(aws: Sandbox) -> None:
    alice = aws.user("alice")
    iam = aws.client("iam")
    assert "PasswordLastUsed" not in iam.get_user(UserName="alice")["User"]
    alice.sign_in(password="wrong")
    assert "PasswordLastUsed" not in iam.get_user(UserName="alice")["User"]
    alice.console()
    iam.update_user(UserName="alice", NewUserName="alicia")
    assert abs(iam.list_users()["Users"][0]["PasswordLastUsed"].timestamp() - aws.now()) < 60


def test_changing_ones_own_password(case: Case) -> None:
    iam = case.iam()
    alice = case.as_user("alice", allow("iam:ChangePassword", resource=f"arn:aws:iam::{HOME}:user/alice"))
    iam.create_login_profile(UserName="alice", Password=GOOD, PasswordResetRequired=True)
    wrong = refused(alice.change_password, OldPassword="Wrong-horse-1", NewPassword="New-horse-22")
    assert wrong == ("AccessDenied", 403, "The old password was incorrect.")
    assert refused(alice.change_password, OldPassword=GOOD, NewPassword="short")[0] == "PasswordPolicyViolation"
    alice.change_password(OldPassword=GOOD, NewPassword="New-horse-22")
    assert iam.get_login_profile(UserName="alice")["LoginProfile"]["PasswordResetRequired"] is False
    assert refused(alice.change_password, OldPassword=GOOD, NewPassword="Newer-horse-3")[0] == "AccessDenied"
    assert refused(iam.change_password, OldPassword=GOOD, NewPassword=GOOD)[0] == "InvalidUserType"


def test_a_password_does_not_come_back(case: Case) -> None:
    iam = case.iam()
    alice = case.as_user("alice", allow("iam:ChangePassword"))
    iam.create_login_profile(UserName="alice", Password="Horse-number-0")
    iam.update_account_password_policy(PasswordReusePrevention=2)
    assert refused(alice.change_password, OldPassword="Horse-number-0", NewPassword="Horse-number-0")[0] == "PasswordPolicyViolation"
    alice.change_password(OldPassword="Horse-number-0", NewPassword="Horse-number-1")
    assert refused(alice.change_password, OldPassword="Horse-number-1", NewPassword="Horse-number-0")[0] == "PasswordPolicyViolation"
    assert refused(iam.update_login_profile, UserName="alice", Password="Horse-number-0")[0] == "PasswordPolicyViolation"
    alice.change_password(OldPassword="Horse-number-1", NewPassword="Horse-number-2")
    alice.change_password(OldPassword="Horse-number-2", NewPassword="Horse-number-0")


def test_the_account_may_let_all_change_their_own_but_a_deny_counts(case: Case) -> None:
    iam = case.iam()
    alice = case.as_user("alice")
    iam.create_login_profile(UserName="alice", Password=GOOD)
    assert "iam:ChangePassword" in refused(alice.change_password, OldPassword=GOOD, NewPassword="New-horse-22")[2]
    iam.update_account_password_policy(AllowUsersToChangePassword=True)
    alice.change_password(OldPassword=GOOD, NewPassword="New-horse-22")
    deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:ChangePassword", "Resource": "*"}}
    alice = case.as_user("alice", deny)
    assert "explicit deny" in refused(alice.change_password, OldPassword="New-horse-22", NewPassword="Newer-horse-3")[2]


# --- MFA devices ---------------------------------------------------------------------------------------------------------


def codes(case: Case, seed: bytes, *steps: int) -> dict[str, str]:
    """Two codes of the device, so many steps of 30 s from now."""
    now, totp = case.server.aws.store.clock.now(), pyotp.TOTP(seed.decode())
    first, second = (totp.at(now + timedelta(seconds=30 * s)) for s in steps)
    return {"AuthenticationCode1": first, "AuthenticationCode2": second}


def new_device(case: Case, name: str = "alice") -> bytes:
    made = case.iam().create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
    assert made["SerialNumber"] == f"arn:aws:iam::{HOME}:mfa/{name}"
    assert made["QRCodePNG"].startswith(b"\x89PNG\r\n")
    seed: bytes = made["Base32StringSeed"]
    return seed


def test_a_device_from_first_to_last(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    seed = new_device(case)
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Unassigned")["VirtualMFADevices"] == [{"SerialNumber": SERIAL}]
    assert iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"] == []
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(case, seed, -1, 0))
    device = iam.list_mfa_devices(UserName="alice")["MFADevices"][0]
    assert (device["UserName"], device["SerialNumber"]) == ("alice", SERIAL)
    shown = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"][0]
    assert shown["User"]["UserName"] == "alice" and "Base32StringSeed" not in shown
    assert iam.get_mfa_device(SerialNumber=SERIAL, UserName="alice")["EnableDate"] == device["EnableDate"]
    assert refused(iam.delete_virtual_mfa_device, SerialNumber=SERIAL)[:2] == ("DeleteConflict", 409)
    assert refused(iam.delete_user, UserName="alice")[2] == "Cannot delete entity, must delete MFA device first."
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=SERIAL)
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=SERIAL)
    iam.delete_user(UserName="alice")
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == []


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param((0, 0), id="the same code twice"),
        pytest.param((0, -1), id="the wrong way round"),
        pytest.param((-1, 1), id="one left out"),
        pytest.param((-4, -3), id="long past"),
        pytest.param((3, 4), id="far ahead"),
    ],
)
def test_two_codes_that_do_not_follow_each_other_now_enable_nothing(case: Case, steps: tuple[int, int]) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    seed = new_device(case)
    assert refused(iam.enable_mfa_device, UserName="alice", SerialNumber=SERIAL, **codes(case, seed, *steps)) == NOT_VALID
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"] == []
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(case, seed, 0, 1))


def test_another_devices_codes_enable_nothing(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    new_device(case)
    other = new_device(case, "bob")
    assert refused(iam.enable_mfa_device, UserName="alice", SerialNumber=SERIAL, **codes(case, other, -1, 0)) == NOT_VALID


def test_codes_that_enabled_a_device_are_used_up(case: Case) -> None:
    """D-29."""
    iam = case.iam()
    sts = case.as_user("alice", allow("iam:*"), "sts")
    seed = new_device(case)
    used = codes(case, seed, -1, 0)
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **used)
    for code in used.values():
        assert refused(sts.get_session_token, SerialNumber=SERIAL, TokenCode=code)[0] == "AccessDenied"
    assert refused(iam.resync_mfa_device, UserName="alice", SerialNumber=SERIAL, **used) == NOT_VALID
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=SERIAL)
    assert refused(iam.enable_mfa_device, UserName="alice", SerialNumber=SERIAL, **used) == NOT_VALID
    case.server.aws.store.advance_clock(60)
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(case, seed, -1, 0))
    case.server.aws.store.advance_clock(60)
    iam.resync_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(case, seed, -1, 0))


def test_devices_that_are_taken_missing_or_anothers(case: Case) -> None:
    iam = case.iam()
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
    seed = new_device(case)
    exists = ("EntityAlreadyExists", 409, "MFADevice entity at the same path and name already exists.")
    assert refused(iam.create_virtual_mfa_device, VirtualMFADeviceName="Alice") == exists
    iam.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **codes(case, seed, -1, 0))
    taken = ("EntityAlreadyExists", 409, "MFA Device is already in use.")
    assert refused(iam.enable_mfa_device, UserName="bob", SerialNumber=SERIAL, **codes(case, seed, 0, 1)) == taken
    invalid = ("NoSuchEntity", 404, "MFA Device invalid for user.")
    assert refused(iam.deactivate_mfa_device, UserName="bob", SerialNumber=SERIAL) == invalid
    none = f"arn:aws:iam::{HOME}:mfa/none"
    missing = ("NoSuchEntity", 404, f"VirtualMFADevice with serial number {none} does not exist.")
    assert refused(iam.enable_mfa_device, UserName="bob", SerialNumber=none, **codes(case, seed, 0, 1)) == missing
    case.iam(OTHER).create_user(UserName="alice")
    assert refused(case.iam(OTHER).deactivate_mfa_device, UserName="alice", SerialNumber=SERIAL) == invalid


def test_a_user_has_at_most_eight_devices(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    for i in range(8):
        seed = new_device(case, f"d{i}")
        iam.enable_mfa_device(UserName="alice", SerialNumber=f"arn:aws:iam::{HOME}:mfa/d{i}", **codes(case, seed, -1, 0))
    seed = new_device(case, "d8")
    code, status, _ = refused(iam.enable_mfa_device, UserName="alice", SerialNumber=f"arn:aws:iam::{HOME}:mfa/d8", **codes(case, seed, -1, 0))
    assert (code, status) == ("LimitExceeded", 409)


def test_tags_of_a_device(case: Case) -> None:
    iam = case.iam()
    new_device(case)
    iam.tag_mfa_device(SerialNumber=SERIAL, Tags=[{"Key": "kept", "Value": "safe"}])
    assert iam.list_mfa_device_tags(SerialNumber=SERIAL)["Tags"] == [{"Key": "kept", "Value": "safe"}]


def test_records_tell_what_was_made_and_no_secret(aws: Sandbox) -> None:
    """G-10."""
    alice = aws.user("alice", allow("iam:ChangePassword"))
    alice.enrol()
    aws.client("iam", alice.key).change_password(OldPassword=alice.password, NewPassword="Other-horse-22")
    records = {e["eventName"]: e for e in aws.events()}
    assert records["CreateVirtualMFADevice"]["responseElements"] == {"virtualMFADevice": {"serialNumber": alice.serial}}
    assert records["EnableMFADevice"]["requestParameters"] == {"userName": "alice", "serialNumber": alice.serial}
    assert records["CreateAccessKey"]["responseElements"]["accessKey"]["accessKeyId"] == alice.key["AccessKeyId"]
    told = json.dumps(records)
    for secret in (alice.password, "Other-horse-22", alice.seed, alice.key["SecretAccessKey"]):
        assert secret not in told
