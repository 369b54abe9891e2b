"""``sekisho check``: what is wrong with an estate, each finding with a request that shows it, the line it comes from, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.cli.output import format_option, lang_option, language, print_json, progress

if TYPE_CHECKING:
    from sekisho.cli.report import Entry
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.language import Language
    from sekisho.proof.findings.controls import Controls
    from sekisho.proof.invariants import Held

_SEVERITIES = ("critical", "high", "medium", "low", "info")
_COLOURS = {"critical": "red", "high": "red", "medium": "yellow", "low": "cyan", "info": "white"}


@click.command(epilog="Example: sekisho check sekisho.yaml --fail-on medium")
@click.argument("estate", type=click.Path(path_type=Path))
@format_option("text", "json", "sarif", "html")
@click.option("--fail-on", "fail_on", type=click.Choice(_SEVERITIES), default="high", show_default=True, help="The least severity for exit status 1.")
@click.option("--controls", "controls", type=click.Path(path_type=Path), metavar="FILE", help="More control ids, YAML or JSON, beside Sekisho's own.")
@lang_option
def command(estate: Path, form: str, fail_on: str, controls: Path | None, spoken: str | None) -> int:
    """Print what is wrong with ESTATE: each finding with a request that shows it, the statement, the fix, and the controls it is evidence for.

    ESTATE is a sekisho.yaml, or AWS's JSON (a file, or a folder with one file an account). Findings are proved over all requests; what can't be
    told is a finding of its own. The invariants under `must` are proved too. Exit status 1 where a finding of --fail-on or worse isn't accepted
    in the file, or an invariant doesn't hold.
    """
    from sekisho.cli.can import load_both
    from sekisho.cli.report import Report
    from sekisho.proof.findings import at_least, find

    more = _controls(controls) if controls else None
    known, environment = load_both(estate)
    with progress() as tell:
        tell("proving")
        found = find(known, networks=environment.wanted.networks if environment else None, controls=more)
        invariants = _invariants(environment, known)
    speaking = language(spoken, form)
    report = Report(found, known, str(estate), speaking, _accepted(environment, speaking))
    failing = [e for e in report.entries if e.accepted is None and at_least(e.finding.severity, fail_on)]  # type: ignore[arg-type]
    if form == "json":
        print_json("check", {"findings": [e.to_json() for e in report.entries], "must": _must_json(invariants, known, estate, speaking)})
    elif form == "sarif":
        from sekisho.cli.sarif import sarif

        click.echo(sarif(report, invariants))
    elif form == "html":
        from sekisho.cli.report_page import page

        click.echo(page(report, _must_lines(invariants, known, estate, speaking)))
    else:
        _print(report, failing, fail_on, _must_lines(invariants, known, estate, speaking))
    return 1 if failing or _broken(invariants) else 0


def _controls(file: Path) -> Controls:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    from sekisho.errors import InputError, OutsideError
    from sekisho.proof.findings.controls import read_controls

    try:
        body = YAML(typ="safe", pure=True).load(file.read_text("utf-8"))
    except OSError as error:
        raise OutsideError(f"{file}: can't be read: {error.strerror}") from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: neither YAML nor JSON: {error}".split("\n")[0], expected="a table of controls") from None
    return read_controls(body, str(file))


def _accepted(environment: Environment | None, language: Language) -> Any:
    """What the file accepts today; each acceptance whose day is over is told on standard error."""
    if environment is None:
        return None
    from sekisho.environment import acceptances
    from sekisho.environment.must import acceptance

    today = datetime.now(UTC).date()
    for entry in acceptances(environment, today):
        if entry.expired:
            click.echo(entry.said(language), err=True)

    def of(finding: str, subjects: Sequence[str]) -> Mapping[str, str] | None:
        found = [acceptance(environment, finding, [s], today) for s in subjects]
        if any(f is None or f.expired for f in found) or found[0] is None:
            return None
        return found[0].to_json()

    return of


def _invariants(environment: Environment | None, estate: Estate) -> tuple[Held, ...]:
    if environment is None:
        return ()
    from sekisho.cli.must import held

    return held(environment, estate)


def _must_json(found: tuple[Held, ...], estate: Estate, file: Path, language: Language) -> list[dict[str, Any]]:
    if not found:
        return []
    from sekisho.cli.must import must_json

    return must_json(found, estate, file, language)


def _must_lines(found: tuple[Held, ...], estate: Estate, file: Path, language: Language) -> list[str]:
    if not found:
        return []
    from sekisho.cli.must import must_lines

    return must_lines(found, estate, file, language)


def _broken(found: tuple[Held, ...]) -> bool:
    if not found:
        return False
    from sekisho.cli.must import fails

    return fails(found)


def _print(report: Any, failing: Sequence[Entry], fail_on: str, must: Sequence[str]) -> None:
    from sekisho.language import say

    language = report.language
    for entry in report.entries:
        finding = entry.finding
        head = click.style(f"{say(f'severity.{finding.severity}', {}, language)} {finding.id}", fg=_COLOURS[finding.severity])
        click.echo(f"{head} {entry.message}")
        if entry.accepted:
            click.echo("  " + say("check.accepted", entry.accepted, language))
        click.echo(f"  {entry.shown}")
        if entry.statement and str(entry.statement):
            click.echo(f"  {say('check.statement', {}, language)}: {entry.statement}")
        click.echo(f"  {say('check.fix', {}, language)}: {entry.fix}")
        if finding.controls:
            ids = "; ".join(f"{framework} {', '.join(listed)}" for framework, listed in finding.controls.items())
            click.echo(f"  {say('check.controls', {}, language)}: {ids}")
        click.echo()
    if must:
        click.echo(say("check.must", {}, language))
        for line in must:
            click.echo(f"  {line}")
        click.echo()
    click.echo(report.summary)
    if report.entries:
        severity = say(f"severity.{fail_on}", {}, language)
        click.echo(say("check.failing" if failing else "check.fine", {"count": len(failing), "severity": severity}, language))
