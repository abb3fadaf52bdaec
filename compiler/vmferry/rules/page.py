"""The page of a rule: its meaning, an example that fires it and one that does not, and its source."""

from collections.abc import Iterable
from pathlib import Path

from vmferry.model.rule import Rule

EXAMPLES = Path(__file__).parent / "examples"


def page(rule: Rule) -> str:
    """Return the page of a rule, in Markdown."""
    parts = [f"# {rule.code}: {rule.title}", f"{rule.severity}, family `{rule.family}`. {_adjustable(rule)}", rule.why]
    for name, heading in (("before", "Before"), ("fires", "Fires"), ("passes", "Does not fire")):
        if text := example(rule.code, name):
            parts += [f"## {heading}", f"````yaml\n{text.rstrip()}\n````"]
    if rule.source:
        parts += ["## Source", rule.source]
    return "\n\n".join(parts) + "\n"


def example(code: str, name: str) -> str:
    """Return an example of a rule in printable characters; nothing if there is none."""
    path = EXAMPLES / code / f"{name}.yaml"
    if not path.is_file():
        return ""
    text = path.read_text(encoding="utf-8", errors="replace").replace("\t", "    ")
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def index(rules: Iterable[Rule]) -> str:
    """Return the table of all rules, in Markdown."""
    rows = [f"| [{rule.code}]({rule.code}.md) | {rule.severity} | {rule.family} | {rule.title} |" for rule in rules]
    head = [
        "# Rules",
        "",
        "What `vmferry check`, `compile` and `verify` find. Written by `make docs`; `vmferry rules CODE` shows a page.",
        "Examples are laid over one small migration, [_base.yaml](../../compiler/vmferry/rules/examples/_base.yaml).",
        "What depends on the versions of the target is in [versions.md](versions.md).",
        "",
        "| code | severity | family | |",
        "| --- | --- | --- | --- |",
    ]
    return "\n".join([*head, *rows]) + "\n"


def _adjustable(rule: Rule) -> str:
    if rule.essential and rule.severity == "error":
        return "It cannot be lowered or suppressed: what is compiled would be wrong, or could not be compiled."
    if rule.essential:
        return "It cannot be suppressed; `rules` in the spec sets its severity."
    return "`rules` in the spec sets its severity, `suppress` accepts what it finds."
