"""`vmferry report`: what the person who plans wants counted."""

import click

from vmferry.cli.lazy import Lazy

KINDS = {
    "concerns": ("vmferry.cli.report_concerns", "What stands in the way: by rule and by VM, the worst first."),
}


@click.group("report", cls=Lazy, modules=KINDS)
def command() -> None:
    """Report on a migration: results for people, outside the synced tree.

    \b
    Examples:
      vmferry report concerns migration/
      vmferry report concerns migration/ --format md > concerns.md
    """  # noqa: D301 - click wants the character
