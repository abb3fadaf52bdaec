"""`vmferry rules`: list the rules, or show the page of one."""

import difflib
from pathlib import Path

import click

from vmferry import files, ruleset
from vmferry.cli import rules_versions
from vmferry.cli.findings import as_json
from vmferry.model.rule import RETIRED, Rule
from vmferry.rules.page import example, index, page

_COLORS = {"error": "red", "warning": "yellow", "info": "blue"}


@click.command("rules")
@click.argument("code", required=False)
@click.option(
    "--format", "style", type=click.Choice(["text", "json", "md"]), default="text", show_default=True, help="Format."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write all pages and an index to this directory instead of printing; delete pages of removed rules.",
)
@click.option("--versions", "show_versions", is_flag=True, help="Show supported versions, and what depends on them.")
def command(code: str | None, style: str, out: Path | None, show_versions: bool) -> None:
    """List the rules, or explain one: why it exists, what fires it, and what does not.

    \b
    Examples:
      vmferry rules
      vmferry rules VMF201
      vmferry rules --format json | jq '.[] | select(.family == "network")'
      vmferry rules --versions
    """  # noqa: D301 - click wants the character
    if show_versions:
        if code is not None or out is not None:
            raise click.UsageError("--versions takes neither a code nor --out.")
        shown = {"text": rules_versions.text, "json": rules_versions.json, "md": rules_versions.markdown}
        click.echo(shown[style](), nl=style == "json")
        return
    known = [*ruleset.every().values()]
    if code is not None:
        known = [_named(code)]
    if out is not None:
        _write(known, out)
    elif style == "json":
        click.echo(as_json([_data(rule) for rule in known]))
    elif code is not None:
        click.echo(page(known[0]), nl=False)
    elif style == "md":
        click.echo(index(known), nl=False)
    else:
        for rule in known:
            click.echo(f"{rule.code}  {click.style(f'{rule.severity:7}', fg=_COLORS[rule.severity])}  {rule.title}")


def _named(code: str) -> Rule:
    rules, named = ruleset.every(), code.upper()
    if named in RETIRED:
        raise click.UsageError(f"Rule {named} is retired: {RETIRED[named]}.")
    rule = rules.get(named)
    if rule is None:
        begins = [each for each in rules if each.startswith(named)]
        close = begins or difflib.get_close_matches(named, rules, n=1)
        hint = f" Did you mean {close[0]}?" if close else " `vmferry rules` lists them."
        raise click.UsageError(f"There is no rule {code!r}.{hint}")
    return rule


def _data(rule: Rule) -> dict[str, object]:
    return {
        "code": rule.code,
        "severity": rule.severity,
        "family": rule.family,
        "title": rule.title,
        "why": rule.why,
        "source": rule.source,
        "essential": rule.essential,
        "fires": example(rule.code, "fires"),
        "passes": example(rule.code, "passes"),
    }


def _write(known: list[Rule], out: Path) -> None:
    pages = {f"{rule.code}.md": page(rule) for rule in known}
    if len(known) > 1:
        pages["README.md"] = index(known)
        pages["versions.md"] = rules_versions.markdown()
        for path in out.glob("VMF[0-9][0-9][0-9].md"):
            if path.name not in pages:
                path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        files.replace(out / name, text.encode())
    click.echo(f"{out}: {len(pages)} files", err=True)
