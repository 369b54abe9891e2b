"""Bad input: one clear error with file, line, column, the line itself with a caret, what was expected and the nearest valid name."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .running import Runner, check_error

ARTICLE = (Path(__file__).parents[2] / "examples/article.yaml").read_text(encoding="utf-8")
JUMP = 'account: "111122223333"'
INLINE = "        policies: [arn:aws:iam::aws:policy/AdministratorAccess]\n"


def inline(document: str) -> str:
    body = "".join(f"            {line}\n" for line in document.strip("\n").splitlines())
    return ARTICLE.replace(INLINE, f"        inline_policies:\n          own:\n{body}")


def stated(statement: str) -> str:
    return inline('Version: "2012-10-17"\nStatement:\n  ' + statement)


def change(old: str, new: str) -> str:
    assert ARTICLE.count(old) >= 1, old
    return ARTICLE.replace(old, new, 1)


# name: (the file, the text on the line that the error points at, words of the message)
CASES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    # names
    "unknown key at the top": (
        change("vantage_points:", "vantage_point:"), "vantage_point:", ("unknown key vantage_point", "did you mean vantage_points?")),
    "unknown key instead of a required one": (change("jump:", "jmp:"), "jmp:", ("unknown key jmp", "did you mean jump?")),
    "unknown key in jump": (change("self_service:", "selfservice:"), "selfservice:", ("did you mean self_service?", "one of account, alias")),
    "unknown key in a group": (change("    users: [test-user]", "    user: [test-user]"), "user: [", ("did you mean users?",)),
    "unknown key in a role": (change("        networks_as:", "        network_as:"), "network_as", ("did you mean networks_as?",)),
    "unknown key in trusts": (change("trusts: {groups:", "trusts: {group:"), "{group:", ("unknown key group", "did you mean groups?")),
    "unknown key in a session": (
        change("        networks_as: deny ", "        session: {max_time: 1h}\n        networks_as: deny "), "max_time",
        ("unknown key max_time",)),
    "unknown key in mfa": (change("        mfa: required\n", "        mfa: {require: true}\n"), "{require:", ("did you mean required?",)),
    "unknown choice": (change("trusts_as: users", "trusts_as: user"), "trusts_as: user", ("'user'", "did you mean users?", "'paths'")),
    "unknown form of networks": (change("networks_as: deny", "networks_as: denied"), "networks_as: denied", ("did you mean deny?",)),
    "unknown self_service": (change("self_service: article", "self_service: articel"), "articel", ("did you mean article?",)),
    "dangling network in jump": (
        change("networks: [office, vpn]  ", "networks: [ofice, vpn]  "), "[ofice", ("no network is named ofice", "did you mean office?")),
    "dangling network in sign_in": (change("sign_in: anywhere", "sign_in: [vnp]"), "[vnp]", ("no network is named vnp", "did you mean vpn?")),
    "dangling network in a group": (
        change("    users: [test-user]", "    users: [test-user]\n    networks: [office, cafe]"), "cafe]", ("no network is named cafe",
        "one of office, vpn")),
    "dangling network in a role": (
        change("networks: [office, vpn]   # method 2", "networks: [vpn, offices]   # method 2"), "offices]", ("did you mean office?",)),
    "dangling group": (
        change("{groups: [test-group]}", "{groups: [test-grup]}"), "test-grup", ("no group is named test-grup", "did you mean test-group?")),
    "dangling user, in no group": (
        change("{groups: [test-group]}", "{users: [test-usr]}"), "test-usr", ("test-usr is in no group", "did you mean test-user?")),
    "AWS has no such policy": (
        change("policy/AdministratorAccess", "policy/AdministratorAcces"), "AdministratorAcces]",
        ("did you mean arn:aws:iam::aws:policy/AdministratorAccess?",)),
    "a policy of another account": (
        change("arn:aws:iam::aws:policy/AdministratorAccess", "arn:aws:iam::999999999999:policy/x"), "999999999999", ("another account",
        "444455556666")),
    # types
    "text where a block belongs": (change("jump:\n", "jump: x\nx:\n"), "jump: x", ("keys and values",)),
    "text where a list belongs": (change("users: [test-user]", "users: test-user"), "users: test-user", ("a list of user names",)),
    "list where a block belongs": (change("  test-group:\n    users: [test-user]", "  - test-group"), "groups:", ("a block",)),
    "nothing where a block belongs": (change("  test-group:\n    users: [test-user]\n", ""), "groups:", ("nothing can't be used",)),
    "number where a name belongs": (change("users: [test-user]", "users: [test-user, 123]"), "123]", ("a user name", "put it in quotes")),
    "a number as a key": (change("  test-group:", "  123:"), "123:", ("123 is no name", "put it in quotes")),
    "true as a key": (change("  test-group:", "  true:"), "true:", ("true is no name",)),
    "a block as a key": (change("  test-group:", "  {a: [b]}:"), "{a: [b]}", ("a mapping is no name",)),
    "a list as a key": (change("  test-group:", "  ? [a, b]\n  :"), "? [a, b]", ("is no name",)),
    "yes is no boolean": (
        change("        networks_as: deny ", "        session: {stay_on_networks: yes}\n        networks_as: deny "), "stay_on_networks",
        ("'yes'", "true or false")),
    "a set": (change("self_service: article", "self_service: !!set {article}"), "!!set", ("the tag tag:yaml.org,2002:set",)),
    "a tag on a wrong text": (change("self_service: article", "self_service: !!bool maybe"), "!!bool", ("'maybe' is no bool",)),
    "a tag": (change("self_service: article", "self_service: !env X"), "!env", ("the tag !env",)),
    "missing id": (change('    id: "444455556666"\n', ""), "workload:", ("id is missing", "accounts.workload")),
    "missing jump": (re.sub(r"jump:\n(  .*\n)+", "", ARTICLE), "# The article", ("jump is missing",)),
    "missing trusts": (change("        trusts: {groups: [test-group]}\n", ""), "test-role-admin:", ("trusts is missing",)),
    "a bad name": (change("  test-group:", "  test group:"), "test group:", ("'test group'", "a group name")),
    "a bad path": (change("    users: [test-user]", "    path: /dev*/\n    users: [test-user]"), "/dev*/", ("an IAM path",)),
    "a bad alias": (change("  mfa: required", "  alias: Example\n  mfa: required"), "alias: Example", ("an account alias",)),
    "a bad duration": (change("        mfa: required", "        mfa: {max_age: 1 hour}"), "max_age", ("'1 hour'", "such as 1h")),
    "a session too long": (
        change("        mfa: required", "        session: {max_duration: 13h}\n        mfa: required"), "max_duration", ("from 1h to 12h",)),
    "max_age without MFA": (
        change("        mfa: required", "        mfa: {required: false, max_age: 1h}"), "mfa: {", ("only where MFA is required",)),
    "an age of nothing": (change("        mfa: required", "        mfa: {max_age: 0s}"), "max_age", ("at most 36h",)),
    "a password length": (
        change("  mfa: required", "  password_policy: {minimum_length: 5}\n  mfa: required"), "minimum_length", ("greater than or equal to 6",)),
    # networks
    **{
        f"private or reserved network {cidr} (F-07)": (change("203.0.113.10/32", f'"{cidr}"'), cidr, ("never holds such an address",
        "public addresses"))
        for cidr in ("10.0.0.0/8", "172.20.1.0/24", "192.168.1.7", "100.64.0.0/10", "169.254.1.0/24", "127.0.0.1", "fd00:1::/32", "fe80::1",
        "::1",
                     "0.1.0.0/16", "224.0.0.1", "240.0.0.0/8", "ff02::1")
    },
    "empty network": (change("office: [203.0.113.10/32]", "office: []"), "office: []", ("the network office is empty", "locks everybody out")),
    "empty list of networks": (
        change("networks: [office, vpn]  ", "networks: []  "), "networks: []", ("at least one network's name", "lock everybody out")),
    "everywhere, IPv4 (F-08)": (change("203.0.113.10/32", "0.0.0.0/0"), "0.0.0.0/0", ("every address", "`anywhere`")),
    "everywhere, IPv6 (F-08)": (change("203.0.113.10/32", '"::/0"'), "::/0", ("every address", "`anywhere`")),
    "host bits": (
        change("203.0.113.10/32", "203.0.113.10/24"), "203.0.113.10/24", ("lies in 203.0.113.0/24", "203.0.113.10 for the one address")),
    "IPv4-mapped": (change("203.0.113.10/32", '"::ffff:203.0.113.0/120"'), "::ffff", ("IPv4 spelling",)),
    "no network": (change("203.0.113.10/32", "203.0.113.300"), "203.0.113.300", ("a network, such as 203.0.113.0/24",)),
    "a number for a network": (change("203.0.113.10/32", "203"), "[203]", ("a network",)),
    "one network, no list": (change("[203.0.113.10/32]", "203.0.113.10/32"), "office: 203.0.113.10/32", ("a list",)),
    "vantage point": (change("cafe: 192.0.2.44", "cafe: 192.0.2"), "cafe: 192.0.2", ("an IP address",)),
    "private vantage point": (change("cafe: 192.0.2.44", "cafe: 10.0.0.1"), "cafe: 10.0.0.1", ("a public address", "E-02")),
    "vantage point with a prefix": (change("cafe: 192.0.2.44", "cafe: 192.0.2.44/32"), "cafe:", ("an IP address",)),
    "sessions on networks that aren't named": (
        change("networks: [office, vpn]   # method 2", "session: {stay_on_networks: true}   # 2"), "stay_on_networks",
        ("networks that aren't named",)),
    # names twice, and accounts
    "two roles with one name": (
        change("      test-role-admin:\n", "      test-role-admin: {trusts: {groups: [test-group]}}\n      test-role-admin:\n"),
        "      test-role-admin:\n", ("test-role-admin stands twice",)),
    "two roles but for case (A-41)": (
        change("      test-role-admin:\n", "      Test-Role-Admin: {trusts: {groups: [test-group]}}\n      test-role-admin:\n"),
        "      test-role-admin:\n", ("differ only in case",)),
    "two groups but for case (A-41)": (
        change("  test-group:\n", "  TEST-group: {}\n  test-group:\n"), "  test-group:\n", ("differ only in case",)),
    "two users but for case (A-41)": (change("users: [test-user]", "users: [test-user, Test-User]"), "Test-User", ("differ only in case",)),
    "one user twice": (change("users: [test-user]", "users: [test-user, test-user]"), "users:", ("test-user stands twice",)),
    "one policy twice": (
        change("[arn:aws:iam::aws:policy/AdministratorAccess]",
        "[arn:aws:iam::aws:policy/ReadOnlyAccess, arn:aws:iam::aws:policy/ReadOnlyAccess]"),
                         "policies:", ("stands twice",)),
    "a key twice": (
        change("  mfa: required\n  self", "  mfa: required\n  mfa: optional\n  self"), "mfa: optional", ("the key mfa stands twice",)),
    "two paths for one user": (
        change("    users: [test-user]", "    users: [test-user]\n    path: /a/\n  b: {path: /b/, users: [test-user]}"), "/b/",
        ("different paths", "/a/")),
    "trusts nobody": (change("{groups: [test-group]}", "{}"), "trusts: {}", ("trusts nobody",)),
    "unquoted account id": (change(JUMP, "account: 111122223333"), "account: 111122223333", ('put it in quotes: "111122223333"',)),
    "unquoted account id that begins with 0": (
        change(JUMP, "account: 011122223333"), "account: 011122223333", ('put it in quotes: "011122223333"',)),
    "11 digits": (change(JUMP, 'account: "11112222333"'), "11112222333", ("12 digits",)),
    "the same account twice": (
        change("accounts:\n", 'accounts:\n  first: {id: "444455556666"}\n'), '    id: "444455556666"', ("444455556666 is first already",
        "each account once")),
    "the target is the jump account": (change('id: "444455556666"', 'id: "111122223333"'), 'id: "111122223333"', ("is the jump account",)),
    "an account named jump": (change("  workload:\n", "  jump:\n"), "  jump:\n", ("the jump account's own",)),
    "the sign-in's exception has a path (M-05)": (
        change("sign_in: anywhere", "sign_in: [office]").replace(
            "    users: [test-user]", "    users: [test-user]\n    path: /a/\n    networks: anywhere"),
        "path: /a/", ("can't make an exception of test-user", "take the path of test-group out")),
    "a path with paths as the form": (change("trusts_as: users", "trusts_as: paths"), "test-group]", ("has no path", "`path: /test-group/`")),
    "version 2": (change("version: 1", "version: 2"), "version: 2", ("version: 2 can't be used", "1")),
    "version as true": (change("version: 1", "version: true"), "version:", ("version: true can't be used",)),
    "version as a text": (change("version: 1", 'version: "1"'), "version:", ("version",)),
    # YAML
    "tabs": (change("jump:\n  account", "jump:\n\taccount"), "\taccount", ("not YAML", "spaces for indentation")),
    "an open quote": (change(JUMP, 'account: "1111'), "", ("not YAML",)),
    "an open bracket": (change("users: [test-user]", "users: [test-user"), "", ("not YAML",)),
    "an alias without an anchor": (change("users: [test-user]", "users: *people"), "*people", ("not YAML", "people")),
    "an anchor twice": (
        change("users: [test-user]", "users: &u [test-user]\n  more:\n    users: &u [x]"), "&u [x]", ("the anchor u stands twice",)),
    "an anchor that contains itself": (change("users: [test-user]", "users: &u [test-user, *u]"), "*u", ("an anchor that contains itself",)),
    "a block that contains itself": (
        change("  test-group:\n", "  test-group: &g\n    inline_policies: {x: {Statement: *g}}\n"), "&g", ("contains itself",)),
    "billion laughs": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{c}: &{c} [{','.join([f'*{p}'] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi")), "",
        ("stand for too much",)),
    "a long text, often": (f"a: &a {'x' * 100_000}\nb: [{','.join(['*a'] * 1_000)}]\n", "", ("stand for too much",)),
    "two documents": (ARTICLE + "---\n" + ARTICLE, "---", ("not YAML",)),
    "not a mapping": ("- a\n- b\n", "- a", ("not an environment", "sekisho init")),
    "only a text": ("hello\n", "hello", ("not an environment",)),
    "empty": ("", "", ("no environment in this file", "sekisho init")),
    "only comments": ("# nothing\n", "# nothing", ("no environment in this file",)),
    "10,000 brackets": ("a: " + "[" * 10_000, "", ("nested too deep",)),
    "10,000 braces": ("a: " + "{a: " * 10_000, "", ("nested too deep",)),
    "10,000 levels of blocks": ("- " * 10_000 + "x\n", "", ("nested too deep",)),
    "a control character": (change("version: 1", "version: 1\x07"), "version: 1", ("not YAML",)),
    "an escape sequence as a key": (change("version: 1", 'version: 1\n"\\e[31mred": 1'), '"\\e[31mred"', ("unknown key",)),
    # documents
    "document: effect": (stated('- {Effect: Allow, Action: "s3:*", Resource: "*"}\n  - {Effect: Permit, Action: "s3:*", Resource: "*"}'),
                         "Effect: Permit", ("Syntax errors in policy.", "/Statement/1/Effect", '"Allow" or "Deny"')),
    "document: no version (A-03)": (
        inline('Statement: {Effect: Allow, Action: "s3:*", Resource: "*"}'), "own:", ("must be version 2012-10-17",)),
    "document: action (A-13)": (stated('Effect: Allow\n  Action: s3\n  Resource: "*"'), "Action: s3", ("prefaced by a vendor",)),
    "document: operator (A-18)": (
        stated('Effect: Allow\n  Action: "s3:*"\n  Resource: "*"\n  Condition:\n    IpAdress: {"aws:SourceIp": 203.0.113.1}'),
        "IpAdress", ("IpAdress",)),
    "document: a principal (A-16)": (
        stated('Effect: Allow\n  Principal: "*"\n  Action: "s3:*"\n  Resource: "*"'), "Statement:", ("should not specify a principal",)),
    "document: a key twice (A-05)": (
        stated('Effect: Allow\n  Action: "s3:*"\n  Action: "ec2:*"\n  Resource: "*"'), 'Action: "ec2:*"', ("Action stands twice",)),
    "document: a number as a key": (inline('Version: "2012-10-17"\n1: x'), "1: x", ("1 is no name",)),
    "document: no number": (
        stated('Effect: Allow\n  Action: "s3:*"\n  Resource: "*"\n  Condition: {NumericLessThan: {"a:b": .nan}}'), ".nan", ("no number",)),
    "document: letters (A-06)": (stated('Sid: 許可\n  Effect: Allow\n  Action: "s3:*"\n  Resource: "*"'), "許可", ("U+8A31",)),
    "document: the name is taken": (
        inline('Version: "2012-10-17"\nStatement: {Effect: Allow, Action: "s3:*", Resource: "*"}').replace("          own:",
        "          Stay-On-Networks:").replace(
            "        mfa: required", "        session: {stay_on_networks: true}\n        mfa: required"), "Stay-On-Networks:", ("is taken",)),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_bad_file(case: str, run: Runner, tmp_path: Path) -> None:
    text, marked, words = CASES[case]
    file, out = tmp_path / "sekisho.yaml", tmp_path / "out"
    file.write_text(text, encoding="utf-8")
    ran = run("compile", file, "--out", out)
    check_error(ran, *words, "\n  expected: ")
    assert not out.exists(), "nothing is half done"
    place = re.match(rf"sekisho: {re.escape(str(file))}:(\d+)(?::(\d+))?[: ]", ran.err)
    if case == "10,000 levels of blocks":
        assert place is None
        return
    assert place, ran.err
    lines = text.splitlines(keepends=True)
    if lines:
        line, column = int(place[1]), int(place[2])
        if marked:
            assert marked in lines[line - 1], f"points at line {line}, {lines[line - 1]!r}:\n{ran.err}"
        excerpt, caret = re.findall(r"^  \| (.*)$", ran.err, re.M)
        assert excerpt.strip(".")[:20] in lines[line - 1].replace("\x07", "\N{REPLACEMENT CHARACTER}")
        assert caret.strip() == "^" and 1 <= column <= len(lines[line - 1]) + 1
    assert "\x1b" not in ran.err and "\x07" not in ran.err


@pytest.mark.parametrize("command", ["compile"])
def test_files_that_are_none(command: str, run: Runner, tmp_path: Path) -> None:
    out = tmp_path / "out"
    check_error(run(command, tmp_path / "nowhere.yaml", "--out", out), "no such file", "sekisho init")
    check_error(run(command, tmp_path / "no/where.yaml", "--out", out), "no such file")
    check_error(run(command, tmp_path, "--out", out), "is a folder", "sekisho.yaml")
    binary = tmp_path / "binary"
    binary.write_bytes(bytes(range(256)) * 100)
    check_error(run(command, binary, "--out", out), f"{binary}:", "not UTF-8")
    nulls = tmp_path / "nulls"
    nulls.write_bytes(b"\0" * 1000)
    check_error(run(command, nulls, "--out", out), f"{nulls}:1:1", "not YAML")
    invalid = tmp_path / "invalid"
    invalid.write_bytes(b"version: 1\njump: caf\xe9\n")
    check_error(run(command, invalid, "--out", out), f"{invalid}:2:10: not UTF-8", "a text file in UTF-8")
    long = tmp_path / "long"
    long.write_bytes(b"# " + b"x" * 10_000_000)
    check_error(run(command, long, "--out", out), f"{long}: larger than any environment", "at most 2,000,000 bytes")
    check_error(run(command, "/dev/zero", "--out", out), "larger than any environment")
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_no_permission(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "sekisho.yaml"
    file.write_text(ARTICLE, encoding="utf-8")
    file.chmod(0)
    check_error(run("compile", file, "--out", tmp_path / "out"), "no permission to read it")


def test_the_caret_stands_under_its_column(run: Runner, tmp_path: Path) -> None:
    """Letters that a terminal shows two columns wide, and lines longer than it."""
    file = tmp_path / "sekisho.yaml"
    file.write_text(change('account: "111122223333"', '{"事務所": 1}').replace("jump:\n  {", "jump: {", 1).split("  mfa:")[0], encoding="utf-8")
    ran = run("compile", file, "--out", tmp_path / "out")
    check_error(ran, "unknown key 事務所", '  | jump: {"事務所": 1}\n  |        ^\n')
    file.write_text(change("users: [test-user]", f"users: [{', '.join(f'user-{i}' for i in range(100))}, 7]"), encoding="utf-8")
    ran = run("compile", file, "--out", tmp_path / "out")
    excerpt, caret = re.findall(r"^  \| (.*)$", ran.err, re.M)
    assert len(excerpt) < 130 and excerpt[caret.index("^")] == "7" and excerpt.startswith("...")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("Usage: sekisho",)),
        (["compil"], ("There is no command 'compil'", "Did you mean compile?")),
        (["compile"], ("Missing argument 'FILE'",)),
        (["compile", "x.yaml"], ("Missing option '--out'",)),
        (["compile", "x.yaml", "--out", "y", "--format", "xml"], ("'xml' is not one of 'text', 'json'",)),
        (["init", "--example", "articel"], ("'articel' is not one of",)),
        (["schema", "--nothing"], ("No such option",)),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_usage(arguments: list[str], words: tuple[str, ...], run: Runner) -> None:
    ran = run(*arguments)
    assert ran.status == 2 and ran.out == ""
    for word in words:
        assert word in ran.err
