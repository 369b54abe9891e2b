"""``sekisho diff``: two estates, who gains and who loses what, from where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sekisho.cli.can import load_both
from sekisho.cli.output import format_option, lang_option, language, print_json, progress


@click.command(epilog="Example: sekisho diff sekisho.yaml new.yaml")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@format_option("text", "json")
@lang_option
def command(old: Path, new: Path, form: str, spoken: str | None) -> int:
    """Compare the access that two estates give (each a sekisho.yaml, or AWS's JSON). Exit status 0 where it is equal, and that is a proof.

    Only what changes is said: who gets into which role, from where sessions work, who can sign in from where, and what else principals may do.
    """
    from sekisho.environment.adopt import with_documents_of
    from sekisho.language import say
    from sekisho.proof import difference

    before, first = load_both(old)
    after, second = load_both(new)
    # A file names managed policies of the accounts' own, and leaves their documents as they are.
    if second is not None:
        after = with_documents_of(after, before)
    if first is not None:
        before = with_documents_of(before, after)
    networks = {**(first.wanted.networks if first else {}), **(second.wanted.networks if second else {})}
    with progress() as tell:
        tell("comparing")
        found = difference(before, after, networks=networks)
        speaking = language(spoken, form)
        sentences = found.sentences_in(speaking)
    if form == "json":
        print_json("diff", {"equal": found.is_empty, "changes": [_json(c) for c in found.changes], "sentences": list(sentences)})
    elif found.is_empty:
        click.echo(say("diff.equal", {}, speaking))
    else:
        for sentence in sentences:
            click.echo(sentence)
    return 0 if found.is_empty else 1


def _json(change: Any) -> dict[str, Any]:
    from sekisho.proof.prove import listed

    many: dict[str, None] = {}

    def region(value: Any) -> Any:
        if value is None:
            return None
        (shown,), why = listed(change.shown(value))
        many.update(dict.fromkeys(why))
        return None if why else shown

    found = {
        "what": change.what, "principal": change.principal, "subject": change.subject, "before": region(change.before),
        "after": region(change.after), "gained": region(change.gained), "lost": region(change.lost), "unknown": list(change.unknown),
    }  # fmt: skip
    return {**found, "unknown": [*change.unknown, *many]}
