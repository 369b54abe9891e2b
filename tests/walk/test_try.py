"""``sekisho try`` over real HTTP: the article's four combinations, the contract of its JSON, and what it says of bad files."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ARTICLE = (ROOT / "examples" / "article.yaml").read_text()
USER, ROLE = "arn:aws:iam::111122223333:user/test-user", "arn:aws:iam::444455556666:role/test-role-admin"


def run_try(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sekisho.cli", "try", str(file), *arguments], capture_output=True, text=True, timeout=300)


def article(tmp_path: Path, *, method_1: bool, method_2: str | None) -> Path:
    """The article's file with its methods put in or taken out."""
    text = ARTICLE
    if not method_1:
        text = re.sub(r"(\n  networks: )\[office, vpn\]( +# method 1)", r"\1anywhere\2", text)
    if method_2 is None:
        text = re.sub(r"(\n        networks: )\[office, vpn\]( +# method 2)", r"\1anywhere\2", text)
    else:
        text = text.replace("networks_as: deny", f"networks_as: {method_2}")
    file = tmp_path / "sekisho.yaml"
    file.write_text(text)
    return file


def outcomes(body: dict[str, Any], step: str, credentials: str = "console+mfa") -> dict[str, str]:
    return {r["from"]: r["outcome"] for r in body["rows"] if (r["step"], r["credentials"]) == (step, credentials)}


EVERYWHERE = {"office": "allow", "vpn": "allow", "cafe": "allow"}
INSIDE = {**EVERYWHERE, "cafe": "deny"}


@pytest.mark.parametrize(
    ("method_1", "method_2", "own", "switch", "decided_by"),
    [
        (False, None, EVERYWHERE, EVERYWHERE, None),
        (True, None, INSIDE, INSIDE, "Deny in the identity policy deny-outside-networks"),
        (False, "deny", EVERYWHERE, INSIDE, "Deny in the trust policy"),
        (False, "allow", EVERYWHERE, INSIDE, "no Allow in the trust policy: IpAddress aws:SourceIp is 192.0.2.44"),
        (True, "deny", INSIDE, INSIDE, "Deny in the identity policy deny-outside-networks"),
    ],
    ids=["none", "1", "2 as deny", "2 as allow", "both"],
)
def test_the_article_s_combinations(
    tmp_path: Path, method_1: bool, method_2: str | None, own: dict[str, str], switch: dict[str, str], decided_by: str | None
) -> None:
    ran = run_try(article(tmp_path, method_1=method_1, method_2=method_2), "--format", "json")
    assert ran.returncode == 0, ran.stderr
    body = json.loads(ran.stdout)
    assert (body["schema"], body["differ"]) == ("sekisho/try/v1", 0)
    check_contract(body)
    if method_1 and method_2:
        assert {r["outcome"] for r in body["without_method_1"] if r["step"] == "own-mfa"} == {"allow"}
    # F-17: the sign-in itself works from everywhere, with either method.
    assert outcomes(body, "sign-in", "console") == outcomes(body, "sign-in") == EVERYWHERE
    assert outcomes(body, "own-mfa") == own
    assert outcomes(body, "enrol-mfa", "console") == own
    assert outcomes(body, "switch") == outcomes(body, "switch", "session+mfa") == switch
    assert set(outcomes(body, "switch", "key").values()) == {"deny"}
    # F-01: neither method follows the session.
    escapes = [r for r in body["rows"] if r["step"] == "call-elsewhere" and r["from"] == "cafe"]
    assert {r["outcome"] for r in escapes} == {"allow"} and {r["switched_from"] for r in escapes} >= {"office", "vpn"}
    if decided_by is not None:
        (refusal,) = [r for r in body["rows"] if (r["step"], r["credentials"], r["from"]) == ("switch", "console+mfa", "cafe")]
        assert refusal["reason"].startswith(decided_by)
        assert refusal["message"] == f"User: {USER} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", refusal["event"])


def check_contract(body: dict[str, Any]) -> None:
    """Each row's fields, as design.md has them; every refusal has its record."""
    fields = {"principal", "from", "address", "credentials", "step", "role", "switched_from", "predicted", "outcome", "message", "event"}
    for row in body["rows"]:
        assert fields <= row.keys()
        assert row["principal"] == USER and row["predicted"] in ("allow", "deny") and row["outcome"] in ("allow", "deny")
        assert (row["role"] == ROLE) is (row["step"] in ("switch", "call", "call-elsewhere"))
        assert (row["switched_from"] is not None) is (row["step"] == "call-elsewhere")
        assert bool(row["message"]) is (row["outcome"] == "deny")
        if row["outcome"] == "deny":
            assert row["event"], row


def test_the_story_of_the_article(tmp_path: Path) -> None:
    ran = run_try(article(tmp_path, method_1=True, method_2="deny"))
    assert ran.returncode == 0
    for said in (
        "test-user comes from cafe (192.0.2.44)", "switches to 444455556666/test-role-admin", "Deny in the identity policy deny-outside-networks",
        "now the trust policy stands alone (method 2)", "Deny in the trust policy", "CloudTrail event", "0 differ from what was predicted", "F-01",
    ):  # fmt: skip
        assert said in ran.stdout
    assert "\x1b[" not in ran.stdout


def test_a_session_that_stays_on_its_networks(tmp_path: Path) -> None:
    file = article(tmp_path, method_1=True, method_2="deny")
    file.write_text(file.read_text().replace("        networks_as: deny", "        networks_as: deny\n        session: {stay_on_networks: true}"))
    body = json.loads(run_try(file, "--format", "json").stdout)
    assert body["differ"] == 0
    elsewhere = {r["from"]: r["outcome"] for r in body["rows"] if r["step"] == "call-elsewhere"}
    assert elsewhere == INSIDE


def test_method_3_stops_the_sign_in(tmp_path: Path) -> None:
    file = article(tmp_path, method_1=True, method_2="deny")
    file.write_text(file.read_text().replace("sign_in: anywhere", "sign_in: [office, vpn]"))
    ran = run_try(file, "--format", "json")
    body = json.loads(ran.stdout)
    assert body["differ"] == 0
    assert outcomes(body, "sign-in") == INSIDE


@pytest.mark.parametrize(
    ("change", "said"),
    [(("\nvantage_points:", "\nvantage_pointz:"), "vantage_points"), ((ARTICLE[ARTICLE.index("vantage_points:") :], ""), "nowhere to walk from")],
    ids=["unknown key", "nowhere to walk from"],
)
def test_files_that_cannot_be_walked(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    file = tmp_path / "sekisho.yaml"
    file.write_text(ARTICLE.replace(*change))
    ran = run_try(file)
    assert ran.returncode == 2 and said in ran.stderr and "Traceback" not in ran.stderr and ran.stdout == ""


def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("")
    credentials.write_text("".join(f"[sekisho-{a}]\naws_access_key_id=A\naws_secret_access_key=B\n" for a in ("111122223333", "444455556666")))
    ran = subprocess.run(
        [sys.executable, "-m", "sekisho.cli", "try", str(ROOT / "examples" / "article.yaml"), "--endpoint", "http://127.0.0.1:9"],
        capture_output=True, text=True, timeout=120,
        env={**os.environ, "AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)},
    )  # fmt: skip
    assert ran.returncode == 3 and "127.0.0.1:9" in ran.stderr and "Traceback" not in ran.stderr
