"""`vmferry status`: where a migration is. The report of this name, from what the last run left if little changed."""

from datetime import datetime
from pathlib import Path

import click

from vmferry.cache import Cache
from vmferry.cli.options import assignments_option, cache_options, now_option, spec_argument
from vmferry.cli.report import all_rows_option, format_option, material, tell


@click.command("status")
@spec_argument
@assignments_option
@now_option
@format_option()
@all_rows_option
@cache_options
def command(spec: Path, assignments: Path | None, now: datetime, style: str, everything: bool, cache: Cache) -> int:
    """Show where a migration is: the VMs of each phase by stage, and each group with its next stage.

    It says what the spec says, and what evidence.yaml records (`vmferry observe`): what is left to copy, what runs,
    what failed and why, and what the next stage still needs. `vmferry advance SPEC --all-ready --dry-run` says which
    groups may move now.

    \b
    Examples:
      vmferry status migration/
      vmferry status migration/ --format md > STATUS.md
      vmferry status migration/ --format json | jq '.groups[] | select(.stage == "migrating")'
    """  # noqa: D301 - click wants the character
    from vmferry.check import check, known
    from vmferry.reports import status
    from vmferry.solved import remember

    brief = style != "html"  # which shows every VM
    checked = known(spec, assignments, cache) if brief else None
    if checked is None:
        checked = check(spec, assignments, now=now, cache=cache, reasons=False, brief=brief)
        remember(checked.solved, checked.resolution.blueprint.groups, spec, assignments, cache)
    tell(status, "status", material(checked, now), style, everything)
    return 0
