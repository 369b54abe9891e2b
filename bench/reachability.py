"""The article's question beside iamprover and reach-security, each as a program of its own: the answers of four variants first, then time.

Who gets into the role, from where, with which second factor: Sekisho gives the set; the peers are asked point by point, as each can express it.
Both are Python with z3. What a peer can't be asked is left out and said; where it answers otherwise, the reason is known and
said (``KNOWN``), or the bench fails. reach-security is AGPL: it is only ever run.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measuring import Report, Row, median_ratio
from measuring import peers as peer
from measuring.estates import JUMP, OFFICE, ROLE, USER, different, documents

from sekisho import Request, prove
from sekisho.environment import compile_environment, load_environment
from sekisho.estate import Account, Estate, Role, User, write_estate
from sekisho.policy import Policy, PolicyKind
from sekisho.proof import region_where

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "article.yaml"
SEKISHO = (sys.executable, "-m", "sekisho.cli")
WORKLOAD = "444455556666"
ROUNDS = 3
PEOPLE = 40
"""Users, all different, of the row that asks who gets in."""
METHOD_1, METHOD_2 = "  networks: [office, vpn]", "        networks: [office, vpn]"
METHODS: Mapping[str, tuple[str, ...]] = {
    "both methods": (), "method 1 alone": (METHOD_2,), "method 2 alone": (METHOD_1,), "neither": (METHOD_1, METHOD_2)
}  # fmt: skip
"""Variants of the article, and the lines that each leaves out."""
PINNED = {"aws:ViaAWSService": "false"}
MFA, NO_MFA = {"aws:MultiFactorAuthPresent": "true"}, {"aws:MultiFactorAuthPresent": "false"}
Context = Mapping[str, str | None]
Verdict = str  # allow, deny, "can't be asked", or what the peer says


@dataclass(frozen=True)
class Question:
    """``context``: what is known of the request, None for absent; the rest may be anything. ``outside``: from any address outside the networks."""

    name: str
    context: Context
    outside: bool = False
    session: bool = False
    """Asked of the role's session: do its keys list buckets there."""


QUESTIONS = (
    Question("office, MFA", {"aws:SourceIp": "203.0.113.10", **MFA}),
    Question("office, no MFA", {"aws:SourceIp": "203.0.113.10", **NO_MFA}),
    Question("office, long-term key (no MFA key in the request)", {"aws:SourceIp": "203.0.113.10", "aws:MultiFactorAuthPresent": None}),
    Question("cafe, MFA", {"aws:SourceIp": "192.0.2.44", **MFA}),
    Question("an IPv6 address, MFA", {"aws:SourceIp": "2001:db8::10", **MFA}),
    Question("through a VPC endpoint (no address), MFA", {"aws:SourceIp": None, **MFA}),
    Question("anywhere outside the networks, MFA (a proof)", MFA, outside=True),
    Question("the session's keys from the cafe", {"aws:SourceIp": "192.0.2.44"}, session=True),
)
CANT = "can't be asked"
CHAIN = "iamprover --closure assume-role"
KNOWN: Mapping[tuple[str, str], str] = {
    (CHAIN, "office, no MFA"): "on the way conditions of a trust policy aren't looked at, and the caller's context is free",
    (CHAIN, "cafe, MFA"): "on the way conditions of a trust policy aren't looked at, and the caller's context is free",
}
"""(peer, question) → why its answer is another one."""
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(peer.CACHE / "bytecode")}
"""All programs start from compiled modules, as installed ones do."""


# The same estate in each program's form --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Files:
    """An estate on disk: ours (``folder``), for reach-security, and for iamprover."""

    estate: Estate
    folder: Path
    trust: Path
    account: Path
    everything: Path


def written(estate: Estate, folder: Path) -> Files:
    bodies = {p.stem: json.loads(p.read_text()) for p in write_estate(estate, folder / "estate")}
    body = next(b for a, b in bodies.items() if a != JUMP)
    trust = body["RoleDetailList"][0]["AssumeRolePolicyDocument"]
    (folder / "trust.json").write_text(json.dumps(trust))
    lists = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    (folder / "everything.json").write_text(json.dumps({k: [e for b in bodies.values() for e in b[k]] for k in lists}))
    # iamprover joins a trust policy's Allows to the caller's by "or"; as a cap of its own ("or" becomes "and") it is what AWS makes of two accounts.
    cap = [{**{k: v for k, v in s.items() if k != "Principal"}, "Resource": "*"} for s in trust["Statement"]]
    people = [{"arn": u.arn, "policies": [{"name": p.name, "document": p.normalised()} for p in _policies(estate, u)]}
              for a in estate.accounts for u in a.users]  # fmt: skip
    (folder / "account.json").write_text(
        json.dumps({"principals": people, "scps": [{"name": "trust", "document": {"Version": "2012-10-17", "Statement": cap}}]})
    )
    return Files(estate, folder / "estate", folder / "trust.json", folder / "account.json", folder / "everything.json")


def _policies(estate: Estate, user: User) -> list[Policy]:
    account = estate.account(user.arn.split(":")[4])
    assert account is not None
    found = list(user.inline)
    for group in (g for g in account.groups if g.name in user.groups):
        found += [*group.inline, *(m.policy for e in group.attached if (m := account.managed(e.arn)))]
    return found


def variant(left_out: tuple[str, ...], folder: Path) -> Files:
    """The article without some of its lines."""
    folder.mkdir(parents=True)
    lines = EXAMPLE.read_text().splitlines()
    kept = [line for line in lines if not line.startswith(left_out)] if left_out else lines
    if len(kept) != len(lines) - len(left_out):
        raise AssertionError(f"{EXAMPLE} has no line that begins with one of {left_out}")
    file = folder / "article.yaml"
    file.write_text("\n".join(kept))
    return written(compile_environment(load_environment(file)), folder)


def with_networks(count: int, folder: Path) -> Files:
    """The bench's own two documents with as many networks."""
    folder.mkdir(parents=True)
    found = documents(count)
    user = User(USER, "test-user", id="AIDA" + "U" * 17, inline=(Policy.parse(found["identity"][0], name="switching"),))
    trust = Policy.parse(found["resource"][0], kind=PolicyKind.TRUST, name="trust")
    role = Role(ROLE, "test-role-admin", trust, id="AROA" + "R" * 17)
    return written(Estate.of([Account(JUMP, users=(user,)), Account(WORKLOAD, roles=(role,))]), folder)


# Asking ----------------------------------------------------------------------------------------------------------------


def ours(files: Files, question: Question) -> Verdict:
    principal = f"arn:aws:sts::{WORKLOAD}:assumed-role/test-role-admin/anyone" if question.session else USER
    request = Request(principal, *(("s3:ListAllMyBuckets", "*") if question.session else ("sts:AssumeRole", ROLE)),
                      resource_account=WORKLOAD if question.session else None)  # fmt: skip
    allowed = prove(request, files.estate).allowed
    asked = {"Null": {k: "true" for k, v in question.context.items() if v is None}}
    asked |= {"StringEquals": {k: v for k, v in {**PINNED, **question.context}.items() if v is not None and k != "aws:SourceIp"}}
    if question.context.get("aws:SourceIp"):
        asked["IpAddress"] = {"aws:SourceIp": question.context["aws:SourceIp"]}
    if question.outside:
        asked["NotIpAddress"] = {"aws:SourceIp": OFFICE}
        asked["Null"]["aws:SourceIp"] = "false"
    return "allow" if allowed.meets(region_where({k: v for k, v in asked.items() if v})) else "deny"


class IamProver:
    name = "iamprover"

    def __init__(self) -> None:
        self.program = peer.virtual_environment("iamprover", peer.IAMPROVER).parent / "iamprover"

    def command(self, files: Files, questions: list[Question], folder: Path) -> list[str]:
        """One run for several questions: one invariant each."""
        invariants = []
        for i, question in enumerate(questions):
            action, where = ("s3:ListAllMyBuckets", ROLE) if question.session else ("sts:AssumeRole", ROLE)
            invariants.append(
                {"id": str(i), "forbid": {"action": action, "resource": "*" if question.session else where},
                 "where": {k: v for k, v in {**PINNED, **question.context}.items() if v is not None}}
            )  # fmt: skip
        file = folder / "invariants.yaml"
        file.write_text(json.dumps({"invariants": invariants}))
        source = ["--gaad", str(files.everything)] if any(q.session for q in questions) else ["--account", str(files.account)]
        command = [str(self.program), "verify", *source, "--invariants", str(file), "--format", "json"]
        if any(q.outside for q in questions):
            command += ["--scp", str(_only_outside(folder))]
        return command

    def answer(self, files: Files, question: Question, folder: Path) -> Verdict:
        if None in question.context.values() or ":" in (question.context.get("aws:SourceIp") or ""):
            return CANT
        (told,) = json.loads(_run(self.command(files, [question], folder), (0, 2)))
        return "deny" if told["passed"] else "allow"


class IamProverChain(IamProver):
    """The way that its manual shows for roles: does the user come to list buckets by assuming the role. Asked where a point can be pinned."""

    name = CHAIN

    def answer(self, files: Files, question: Question, folder: Path) -> Verdict:
        if question.outside or question.session or None in question.context.values() or ":" in (question.context["aws:SourceIp"] or ""):
            return CANT
        file = folder / "chain.yaml"
        forbid = {"action": "s3:ListAllMyBuckets", "resource": "*"}
        file.write_text(json.dumps({"invariants": [{"id": "chain", "forbid": forbid, "where": {**PINNED, **question.context}}]}))
        command = [str(self.program), "verify", "--gaad", str(files.everything), "--invariants", str(file), "--format", "json"]
        (told,) = json.loads(_run([*command, "--closure", "assume-role"], (0, 2)))
        return "allow" if USER in [c["principal"] for c in told["counterexamples"]] else "deny"


class ReachSecurity:
    name = "reach-security"

    def __init__(self) -> None:
        self.program = peer.virtual_environment("reach-security", peer.REACH_SECURITY).parent / "reach"

    def command(self, files: Files, question: Question, folder: Path) -> list[str]:
        account = WORKLOAD if question.session else JUMP
        command = [str(self.program), "can", "--json", "--authz", str(files.folder / f"{account}.json")]
        for key, value in {**PINNED, **question.context}.items():
            command += ["--absent", key] if value is None else ["--context", f"{key}={value}"]
        if question.outside:
            command += ["--scp", f"asked={_only_outside(folder)}"]
        if question.session:
            return [*command, "--principal", "test-role-admin", "s3:ListAllMyBuckets", "*"]
        return [*command, "--principal", "test-user", "--resource-policy", str(files.trust), "--resource-account", WORKLOAD, "sts:AssumeRole", ROLE]

    def answer(self, files: Files, question: Question, folder: Path) -> Verdict:
        told = str(json.loads(_run(self.command(files, question, folder), (0, 1, 2)))["verdict"])
        return {"allowed": "allow", "denied": "deny"}.get(told, told)


def _only_outside(folder: Path) -> Path:
    """A service control policy that leaves only addresses outside the networks: neither peer can be asked about a set of them otherwise."""
    file = folder / "outside.json"
    inside = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": OFFICE}}}
    absent = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Null": {"aws:SourceIp": "true"}}}
    file.write_text(json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, inside, absent]}))
    return file


def _run(command: list[str], fine: tuple[int, ...]) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    if ended.returncode not in fine:
        raise AssertionError(f"{' '.join(command)}: exit status {ended.returncode}: {ended.stderr[-300:]}")
    return ended.stdout


def compare(report: Report, peers: list[Any], folder: Path) -> None:
    """All questions of all variants, asked of all."""
    told: list[dict[str, Any]] = []
    for name, left_out in METHODS.items():
        files = variant(left_out, folder / name.replace(" ", "-"))
        for question in QUESTIONS:
            wanted = ours(files, question)
            answers = {p.name: p.answer(files, question, folder) for p in peers}
            told.append({"estate": name, "question": question.name, "sekisho": wanted, **answers})
            for who, answer in answers.items():
                if answer not in (wanted, CANT) and (who, question.name) not in KNOWN:
                    report.wrong.append(f"{name}: {question.name}: {who} says {answer}, Sekisho {wanted}")
    report.figures["answers"] = told
    for p in peers:
        mine = [t for t in told if t[p.name] != CANT]
        others = sorted({t["question"] for t in mine if t[p.name] != t["sekisho"]})
        left = sorted({t["question"] for t in told if t[p.name] == CANT})
        report.notes.append(
            f"{p.name}: {sum(t[p.name] == t['sekisho'] for t in mine)} of {len(mine)} answers are those of Sekisho"
            + "".join(f"; other: {q} ({KNOWN.get((p.name, q), 'NOT EXPLAINED')})" for q in others)
            + (f"; can't be asked: {', '.join(left)}." if left else ".")
        )


# Time ------------------------------------------------------------------------------------------------------------------


def spent(command: list[str]) -> float:
    """Processor time of a program from its start to its end, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(command, (0, 1, 2))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def rounds(commands: Mapping[str, list[str]]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in commands}
    for i in range(ROUNDS + 1):
        for name in list(commands)[:: 1 if i % 2 else -1]:
            seconds = spent(commands[name])
            if i:
                found[name].append(seconds)
    return found


def add_rows(report: Report, work: str, measured: Mapping[str, list[float]], what: Mapping[str, str], each: int = 1) -> None:
    for name in measured:
        if name != "sekisho":
            report.rows.append(
                Row(
                    work, median(measured["sekisho"]) * 1e3 / each, "ms", what[name], median(measured[name]) * 1e3 / each,
                    median_ratio(measured[name], measured["sekisho"]),
                )
            )  # fmt: skip


def main() -> int:
    report = Report("reachability", "The article's question, each program from start to end (processor time, median of rounds)")
    makers: list[Callable[[], Any]] = [IamProver, IamProverChain, ReachSecurity]
    peers = []
    for make in makers:
        try:
            peers.append(make())
        except peer.Missing as error:
            report.notes.append(f"left out: {error}")
    if not peers:
        print("\n".join(report.notes), file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        compare(report, peers, folder)
        report.notes += [
            "Sekisho's time is for the whole answer, a set of addresses, MFA states and kinds of credentials for each pair; a peer's for one "
            "point, one witness, or a proof that there is none.",
            "iamprover has the trust policy as a cap of its own: it joins a resource's Allows to the caller's by \"or\" also across accounts. It "
            "does more: it searches privilege escalations, and reads Terraform plans.",
            "reach-security has the two accounts in two files, and one hop. It does more: RCPs, organisations, what AI agents hold.",
        ]
        peers = [p for p in peers if p.name != CHAIN]
        cafe = QUESTIONS[3]
        for networks in (2, 1000):
            files = with_networks(networks, folder / f"networks-{networks}")
            commands = {"sekisho": [*SEKISHO, "reach", str(files.folder), "--format", "json"]}
            for p in peers:
                commands[p.name] = p.command(files, [cafe] if p.name == "iamprover" else cafe, folder)
                if p.answer(files, cafe, folder) != "deny":
                    report.wrong.append(f"{networks} networks: {p.name} lets the cafe in")
            what = {p.name: f"{p.name}, one point" for p in peers}
            add_rows(report, f"one user and role, {networks:,} networks: everything", rounds(commands), what)
        several(report, peers, folder)
    return report.finish()


def several(report: Report, peers: list[Any], folder: Path) -> None:
    """Who of many gets into a role. The peers' processes start once here as well."""
    files = written(different(PEOPLE, 1, 3), folder / "people")
    commands = {"sekisho": [*SEKISHO, "reach", str(files.folder), "--format", "json"]}
    what = {"iamprover": "iamprover, one point", "reach-security": "reach audit, nine questions a principal"}
    for p in peers:
        if p.name == "iamprover":
            (folder / "who.yaml").write_text(json.dumps({"invariants": [
                {"id": "who", "forbid": {"action": "sts:AssumeRole", "resource": "*"},
                 "where": {**PINNED, "aws:SourceIp": "203.0.113.10", **MFA}}]}))  # fmt: skip
            commands[p.name] = [str(p.program), "verify", "--account", str(files.account), "--invariants", str(folder / "who.yaml")]
            commands[p.name] += ["--format", "json"]
            found = len(json.loads(_run(commands[p.name], (0, 2)))[0]["counterexamples"])
            if found != PEOPLE:
                report.wrong.append(f"who gets in: iamprover says {found} of {PEOPLE}")
        else:
            commands[p.name] = [str(p.program), "audit", "--authz", str(files.everything), "--workers", "1", "--json"]
    add_rows(report, f"who of {PEOPLE} users, all different, gets in: a user", rounds(commands), what, PEOPLE)


if __name__ == "__main__":
    sys.exit(main())
