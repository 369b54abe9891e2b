"""Profiles for the AWS CLI and SDKs: one file a user, with the roles that they can reach, assumed directly with MFA."""

from __future__ import annotations

from sekisho.deploy.export.reachable import reachable
from sekisho.environment import Environment
from sekisho.estate import Estate

REGION = "us-east-1"


def aws_config(estate: Estate, environment: Environment, region: str = REGION) -> dict[str, str]:
    """File name → text: ``<user>.config``. The jump account's profile holds no keys: those are the user's own, in the credentials file."""
    jump = environment.jump
    labels = {a.id: label for label, a in environment.wanted.accounts.items()}
    files = {}
    for user, roles in reachable(estate, environment).items():
        serial = f"arn:aws:iam::{jump}:mfa/{user}"
        lines = [
            f"# {user}'s profiles. Put your access key into ~/.aws/credentials under [jump].",
            f"# mfa_serial is the device named like the user; change it where yours has another name (aws iam list-mfa-devices).",  # noqa: F541
            "[profile jump]", f"region = {region}", f"mfa_serial = {serial}", "",
        ]  # fmt: skip
        for role in roles:
            account = role.arn.split(":")[4]
            lines += [
                f"[profile {labels.get(account, account)}-{role.name}]", f"role_arn = {role.arn}", "source_profile = jump",
                f"mfa_serial = {serial}", f"role_session_name = {user}", f"duration_seconds = {role.max_session_s}", f"region = {region}", "",
            ]  # fmt: skip
        files[f"{user}.config"] = "\n".join(lines)
    return files
