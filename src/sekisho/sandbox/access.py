"""How clients get in: an AWS config with one administrator profile an account, and the file that says where the endpoint is."""

from __future__ import annotations

import configparser
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekisho.private_file import write_private
from sekisho.sandbox import administration
from sekisho.sandbox.server import Server

PROFILE = "sekisho-{account}"
REGION = "us-east-1"


def write_access(server: Server, folder: Path) -> dict[str, Any]:
    """Write the config and credentials files into ``folder``; what the ready file says."""
    store = server.aws.store
    config, credentials = configparser.RawConfigParser(), configparser.RawConfigParser()
    for account in sorted(store.accounts):
        name = PROFILE.format(account=account)
        key = store.root_key(account)
        config[f"profile {name}"] = {"region": REGION, "output": "json", "endpoint_url": server.endpoint}
        credentials[name] = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    config_file, credentials_file = folder / "config", folder / "credentials"
    for path, parser in ((config_file, config), (credentials_file, credentials)):
        write_private(path, _text(parser))
    administration_file = folder / administration.FILE
    write_private(administration_file, json.dumps({"endpoint": server.endpoint, "token": server.aws.administration_token}) + "\n")
    return {
        "endpoint": server.endpoint, "config_file": str(config_file.absolute()), "credentials_file": str(credentials_file.absolute()),
        "profile": PROFILE, "administration_file": str(administration_file.absolute()),
    }  # fmt: skip


def _text(parser: configparser.RawConfigParser) -> str:
    buffer = io.StringIO()
    parser.write(buffer)
    return buffer.getvalue()


def administrators(credentials_file: Path, accounts: list[str]) -> Mapping[str, tuple[str, str]]:
    """(access key id, secret) of each account's administrator, read back from the credentials file."""
    parser = configparser.RawConfigParser()
    parser.read(credentials_file, encoding="utf-8")
    found = {}
    for account in accounts:
        section = parser[PROFILE.format(account=account)]
        found[account] = (section["aws_access_key_id"], section["aws_secret_access_key"])
    return found


def ready(path: Path, access: Mapping[str, Any]) -> None:
    """Write the ready file: it appears only when it is complete."""
    write_private(path, json.dumps(access, indent=2) + "\n")
