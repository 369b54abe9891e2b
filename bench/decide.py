"""One decision: the article's AssumeRole, four documents and all layers, beside iam-simulate, cedarpy and moto.

Everyone gets the same requests, with a different context each time, and the policies loaded beforehand. Each has its requests beforehand in
its own form (a Request; iam-simulate's request object; Cedar's typed dict); making them from plain values has rows of its own. Answers are
compared before anything is timed.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from measuring import Report, Row, interleaved, median_ratio, per_call
from measuring import peers as peer

from sekisho import Authorizer, Layers, Policy, PolicyKind, Request

DATA = Path(__file__).resolve().parent / "data"
GROUP = ("group-allow-assume-role", "group-deny-outside-networks", "group-self-manage-mfa")
TRUST = "trust-allow-inside-networks"
USER = "arn:aws:iam::111122223333:user/test-user"
ROLE = "arn:aws:iam::444455556666:role/test-role-admin"
ACTION = "sts:AssumeRole"
Contexts = list[dict[str, str]]
EXPECTED = {"office with MFA": "allow", "cafe": "explicit_deny", "office without MFA": "implicit_deny"}
CASES = 1500
"""Requests in a batch. All contexts differ, in a batch and from batch to batch; a third of the addresses are new each time."""
BATCHES = 10
"""Batches a round for Sekisho, whose one would be over before it is warm; the peers get one."""


def context(i: int) -> dict[str, str]:
    """The i-th request's context: by turns from the office with MFA, from ever another cafe, and from the office without MFA."""
    address = f"{20 + (i >> 24)}.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255}" if i % 3 == 1 else ("203.0.113.10", "198.51.100.20")[i % 2]
    mfa = "false" if i % 3 == 2 else "true"
    return {"aws:SourceIp": address, "aws:MultiFactorAuthPresent": mfa, "aws:ViaAWSService": "false", "aws:UserAgent": f"aws-cli/2.31.{i}"}


CONTEXTS = [context(i) for i in range(CASES)]
"""The batch whose answers are compared."""
_COUNT = count(CASES)


def new_contexts() -> Contexts:
    return [context(next(_COUNT)) for _ in range(CASES)]


WANTED = [EXPECTED[tuple(EXPECTED)[i % 3]] for i in range(CASES)]


def document(name: str) -> Any:
    return json.loads((DATA / f"{name}.json").read_text())


def layers(group: tuple[str, ...] = GROUP) -> Layers:
    return Layers(
        identity=tuple(Policy.parse(document(name), name=name) for name in group),
        resource=(Policy.parse(document(TRUST), kind=PolicyKind.TRUST, name=TRUST),),
    )


# Sekisho ------------------------------------------------------------------------------------------------------------------


def requests(contexts: Contexts) -> list[Request]:
    return [Request(USER, ACTION, ROLE, given) for given in contexts]


def new_requests() -> list[Request]:
    return requests(new_contexts())


def asking(authorizer: Authorizer) -> Callable[[list[Request]], None]:
    def ask(made: list[Request]) -> None:
        decide = authorizer.decide_anew
        for request in made:
            decide(request)

    return ask


def asking_from_values(authorizer: Authorizer) -> Callable[[Contexts], None]:
    def ask(contexts: Contexts) -> None:
        decide = authorizer.decide_anew
        for given in contexts:
            decide(Request(USER, ACTION, ROLE, given))

    return ask


def explaining(authorizer: Authorizer) -> Callable[[list[Request]], None]:
    def ask(made: list[Request]) -> None:
        decide = authorizer.decide_anew
        for request in made:
            decision = decide(request)
            decision.because, decision.misses, decision.message  # noqa: B018

    return ask


def asking_an_empty_memory(policies: Layers) -> Callable[[list[Request]], None]:
    def ask(made: list[Request]) -> None:
        decide = Authorizer(policies).decide
        for request in made:
            decide(request)

    return ask


def asking_again(authorizer: Authorizer, times: int) -> Callable[[object], None]:
    """A thousand Requests, each an object of its own with texts of its own, all equal to one that was decided before."""
    authorizer.decide(Request(USER, ACTION, ROLE, CONTEXTS[0]))
    equal = [
        Request(_copied(USER), _copied(ACTION), _copied(ROLE), {_copied(key): _copied(value) for key, value in CONTEXTS[0].items()})
        for _ in range(1000)
    ]

    def ask(_: object) -> None:
        decide = authorizer.decide
        for _ in range(times // 1000):
            for request in equal:
                decide(request)

    return ask


def _copied(text: str) -> str:
    return "".join(list(text))


# Peers ----------------------------------------------------------------------------------------------------------------------


def iam_simulate(running: ExitStack) -> tuple[peer.Peer, list[str]]:
    node, home = peer.node_packages("iam-simulate", peer.IAM_SIMULATE, *peer.IAM_SIMULATE_NEEDS)
    started = running.enter_context(peer.process([node, str(peer.SCRIPTS / "iam_simulate.mjs"), str(home)]))
    identity = [{"name": name, "policy": document(name)} for name in GROUP]
    request = {"principal": USER, "action": ACTION, "resource": ROLE}
    return started, started.ask({"policies": {"identity": identity, "resource": document(TRUST)}, "request": request})["ways"]


def cedar(running: ExitStack) -> tuple[peer.Peer, list[str]]:
    python = peer.virtual_environment("cedarpy", peer.CEDARPY)
    started = running.enter_context(peer.process([str(python), str(peer.SCRIPTS / "cedar.py")]))
    user, role, group = {"type": "User", "id": USER}, {"type": "Role", "id": ROLE}, {"type": "Group", "id": "jump-users"}
    entities = [
        {"uid": user, "attrs": {"name": "test-user"}, "parents": [group]},
        {"uid": group, "attrs": {}, "parents": []},
        {"uid": role, "attrs": {}, "parents": []},
    ]
    request = {"principal": user, "action": {"type": "Action", "id": ACTION}, "resource": role}
    return started, started.ask({"policies": (DATA / "article.cedar").read_text(), "entities": entities, "request": request})["ways"]


def cedar_context(given: dict[str, str]) -> dict[str, Any]:
    """The same context with Cedar's types, made beforehand: no part of its time."""
    return {
        "source_ip": {"__extn": {"fn": "ip", "arg": given["aws:SourceIp"]}}, "mfa_present": given["aws:MultiFactorAuthPresent"] == "true",
        "via_aws_service": given["aws:ViaAWSService"] == "true", "user_agent": given["aws:UserAgent"],
    }  # fmt: skip


def timing(process: peer.Peer, way: str, typed: Callable[[dict[str, str]], Any] = dict) -> Callable[[], float]:
    def timed() -> float:
        cases = [typed(given) for given in new_contexts()]
        return float(process.ask({"cases": cases, "way": way, "answers": False})["seconds"]) / len(cases)

    return timed


class Moto:
    """moto's IAM policy evaluation: what its ``check_action_permitted`` asks, with the documents read beforehand."""

    def __init__(self, group: tuple[str, ...]) -> None:
        from moto.iam.access_control import IAMPolicy, PermissionResult

        self.permitted, self.denied = PermissionResult.PERMITTED, PermissionResult.DENIED
        self.group = [IAMPolicy(json.dumps(document(name))) for name in group]
        self.trust = IAMPolicy(json.dumps(document(TRUST)))

    def allows(self, action: str, resource: str, given: dict[str, str]) -> bool:
        permitted = False
        for policy in self.group:
            result = policy.is_action_permitted(action, resource)
            if result == self.denied:
                return False
            permitted = permitted or result == self.permitted
        if permitted and ":role/" in resource:
            return bool(self.trust.is_action_permitted(action, resource, USER, given) == self.permitted)
        return permitted

    def ask(self, contexts: Contexts) -> None:
        for given in contexts:
            self.allows(ACTION, ROLE, given)


# The bench --------------------------------------------------------------------------------------------------------------------


def differ(report: Report, who: str, answers: list[str], names: dict[str, str]) -> None:
    """Compare a peer's answers with what is wanted; ``names`` maps ours to its words."""
    wrong = [i for i, (got, want) in enumerate(zip(answers, WANTED, strict=True)) if got != names[want]]
    for i in wrong[:3]:
        report.wrong.append(f"{who} says {answers[i]} to {CONTEXTS[i]}, wanted {names[WANTED[i]]}")


def moto_answers(report: Report) -> tuple[str, ...]:
    """Find out which documents moto can be compared on, and say what it answers where it can't."""
    everything, without_deny = Moto(GROUP), Moto((GROUP[0], GROUP[2]))
    told = {case: "allow" if everything.allows(ACTION, ROLE, CONTEXTS[i]) else "deny" for i, case in enumerate(EXPECTED)}
    bare = {case: "allow" if without_deny.allows(ACTION, ROLE, CONTEXTS[i]) else "deny" for i, case in enumerate(EXPECTED)}
    report.notes.append(
        "moto reads no condition but StringEquals of a trust policy, and takes every other for true: with all four documents it answers "
        + ", ".join(f"{case}: {answer}" for case, answer in told.items())
        + "; without the group's Deny "
        + ", ".join(f"{case}: {answer}" for case, answer in bare.items())
        + ". Compared on what it can: three documents, AssumeRole from the office with MFA, and two actions without a condition."
    )
    ours = Authorizer(layers((GROUP[0], GROUP[2])))
    for action, resource in ((ACTION, ROLE), ("iam:ListUsers", "*"), ("iam:DeleteUser", "arn:aws:iam::111122223333:user/other")):
        theirs, mine = without_deny.allows(action, resource, CONTEXTS[0]), ours.decide(Request(USER, action, resource, CONTEXTS[0])).allowed
        if theirs != mine:
            report.wrong.append(f"moto says {'allow' if theirs else 'deny'} to {action} on {resource}, Sekisho the other")
    return (GROUP[0], GROUP[2])


def main() -> int:
    report = Report("decide", "One decision (median of rounds; ratio: how many times as long the peer takes)")
    policies = layers()
    authorizer = Authorizer(policies)
    differ(report, "Sekisho", [authorizer.decide(Request(USER, ACTION, ROLE, c)).outcome for c in CONTEXTS], {v: v for v in EXPECTED.values()})
    again = 200_000
    contenders = {
        "decide": per_call(asking(authorizer), CASES, given=new_requests, batches=BATCHES),
        "from values": per_call(asking_from_values(authorizer), CASES, given=new_contexts, batches=BATCHES),
        "explain": per_call(explaining(authorizer), CASES, given=new_requests, batches=BATCHES),
        "remember": per_call(asking_an_empty_memory(policies), CASES, given=new_requests, batches=BATCHES),
        "again": per_call(asking_again(authorizer, again), again),
    }
    compared: list[tuple[str, str, str, float | None]] = []
    with ExitStack() as running:
        try:
            process, ways = iam_simulate(running)
            words = {"allow": "Allowed", "explicit_deny": "ExplicitlyDenied", "implicit_deny": "ImplicitlyDenied"}
            for way in ways:
                differ(report, f"iam-simulate ({way})", process.ask({"cases": CONTEXTS, "way": way, "answers": True})["answers"], words)
                contenders[f"iam-simulate {way}"] = timing(process, way)
            compared += [("decide", "iam-simulate engine", "iam-simulate, policies pre-loaded", 50.0)]
            compared += [("explain", "iam-simulate engine", "iam-simulate, policies pre-loaded", 18.0)]
            compared += [("from values", "iam-simulate from values", "iam-simulate, policies pre-loaded", None)]
            compared += [("from values", "iam-simulate checked", "iam-simulate, runSimulation", None)]
            report.notes.append(
                "iam-simulate does more: every answer comes with an explanation of each statement, which its engine can't leave out (so the row "
                "with the full explanation is the like-for-like one); runSimulation also checks the input against AWS's lists of actions and keys. "
                "It does less: no message in AWS's words, no memory."
            )
        except peer.Missing as why:
            report.notes.append(f"iam-simulate is left out: {why}")
        try:
            process, ways = cedar(running)
            typed = [cedar_context(c) for c in CONTEXTS]
            words = {"allow": "Allow", "explicit_deny": "Deny", "implicit_deny": "Deny"}
            for way in ways:
                reply = process.ask({"cases": typed, "way": way, "answers": True})
                differ(report, f"cedarpy ({way})", reply["answers"], words)
                report.wrong += [f"cedarpy ({way}): {error}" for error in reply["errors"]]
                contenders[f"cedarpy {way}"] = timing(process, way, cedar_context)
            compared += [("decide", "cedarpy handles", "cedarpy, prepared handles", 30.0)]
            compared += [("explain", "cedarpy handles", "cedarpy, prepared handles", 12.0)]
            compared += [("from values", "cedarpy handles", "cedarpy, prepared handles", None)]
            compared += [("decide", "cedarpy batch", "cedarpy, prepared handles, one batch of 1,500", None)]
            compared += [("decide", "cedarpy text", "cedarpy, policies as text", None)]
            report.notes.append(
                "cedarpy does less: another language, into which the four documents were carried by hand (bench/data/article.cedar); one set of "
                "policies instead of layers, so that the two sides' Allows stand in one permit; no explicit apart from an implicit deny, absent keys "
                "and NotAction spelled out; of reasons only the ids of the policies that decided. It does more: its requests are typed values, "
                "and go through JSON into Rust and back, which is most of its time."
            )
        except peer.Missing as why:
            report.notes.append(f"cedarpy is left out: {why}")
        fewer = moto_answers(report)
        contenders["moto"] = per_call(Moto(fewer).ask, CASES, given=new_contexts)
        contenders["decide fewer"] = per_call(asking_from_values(Authorizer(layers(fewer))), CASES, given=new_contexts, batches=BATCHES)
        compared += [("decide fewer", "moto", "moto's access_control, three documents", None)]
        if report.wrong:
            return report.finish()
        seconds = interleaved(contenders)
    middle = {name: median(values) * 1e6 for name, values in seconds.items()}
    work = {
        "decide": "decide", "explain": "decide, with because, misses, message", "from values": "make the Request and decide",
        "decide fewer": "make the Request and decide, without the group's Deny",
    }  # fmt: skip
    for ours, theirs, named, floor in compared:
        ratio = median_ratio(seconds[theirs], seconds[ours])
        report.rows.append(Row(work[ours], middle[ours], peer_name=named, peer=middle[theirs], ratio=ratio, floor=floor))
    report.rows.append(Row("decide through the memory, never asked before", middle["remember"]))
    # An absolute limit can only be asked of the round that the rest of the machine disturbed least.
    report.rows.append(Row("the same request again (an equal Request), best round", min(seconds["again"]) * 1e6, limit=0.2))
    report.figures |= {"median_us": middle, "best_us": {name: min(values) * 1e6 for name, values in seconds.items()}}
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
