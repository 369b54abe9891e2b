"""Findings as one page that stands alone: no script, nothing loaded from anywhere, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from sekisho.cli.report import Entry, Report
from sekisho.language import say

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --critical: #b3002d; --high: #c4320a; --medium: #946200; --low: #17658f; --info: #5b6472; }
@media (prefers-color-scheme: dark) { :root { --critical: #ff7b93; --high: #ff9166; --medium: #f2c14e; --low: #7cc4ee; --info: #a8b2c1; } }
body { font: 16px/1.55 system-ui, "Hiragino Sans", "Noto Sans JP", sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
article { border: 1px solid var(--line); border-left: .4rem solid var(--mark); border-radius: .4rem; padding: .8rem 1rem; margin: 1rem 0; }
article.accepted { opacity: .7; }
article h3 { margin: 0 0 .3rem; font-size: 1rem; color: var(--mark); } article p { margin: .2rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem .8rem; margin: .6rem 0 0; } dt { opacity: .75; }
dd { margin: 0; overflow-wrap: anywhere; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { article { break-inside: avoid; } }
@media (max-width: 34rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
"""


def page(report: Report, must: Sequence[str] = ()) -> str:
    """The whole page as text."""
    language = report.language
    title = escape(say("check.title", {"estate": report.file}, language))
    body = "".join(_article(e) for e in report.entries)
    invariants = f"<h2>{escape(say('check.must', {}, language))}</h2><pre>{escape(chr(10).join(must))}</pre>" if must else ""
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main><h1>{title}</h1><p>{escape(report.summary)}</p>{body}{invariants}</main></body></html>"
    )


def _article(entry: Entry) -> str:
    finding, language = entry.finding, entry.language
    rows = []
    if entry.accepted:
        rows.append(("check.severity", escape(say("check.accepted", entry.accepted, language))))
    rows.append(("check.subject", f"<code>{escape(finding.subject)}</code>"))
    if entry.command:
        rows.append(("check.shows", f"<pre>{escape(entry.command)}</pre>({escape(say(entry.outcome_key, {}, language))})"))
    else:
        rows.append(("check.shows", escape(entry.shown)))
    if entry.statement and str(entry.statement):
        rows.append(("check.statement", f"<code>{escape(str(entry.statement))}</code>"))
    rows.append(("check.fix", escape(entry.fix)))
    if finding.controls:
        rows.append(("check.controls", escape("; ".join(f"{k} {', '.join(v)}" for k, v in finding.controls.items()))))
    listed = "".join(f"<dt>{escape(say(key, {}, language))}</dt><dd>{value}</dd>" for key, value in rows)
    severity = say(f"severity.{finding.severity}", {}, language)
    return (
        f'<article id="{entry.fingerprint}" class="{"accepted" if entry.accepted else ""}" style="--mark: var(--{finding.severity})">'
        f"<h3>{escape(severity)} {escape(finding.id)}</h3><p>{escape(entry.message)}</p><dl>{listed}</dl></article>\n"
    )
