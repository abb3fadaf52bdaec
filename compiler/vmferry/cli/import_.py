"""`vmferry import`: what vCenter or RVTools says, as inventory files."""

import importlib

import click

KINDS = {
    "rvtools": ("vmferry.cli.import_rvtools", "Read RVTools exports: .xlsx files, or folders of .csv files."),
    "vcenter": ("vmferry.cli.import_vcenter", "Read a live vCenter."),
}
"""Module and summary of each kind of source; a module is imported when it is called."""


class _Kinds(click.Group):
    """Imports a subcommand's module only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(KINDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in KINDS:
            return None
        command: click.Command = importlib.import_module(KINDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in KINDS.items()])


@click.group("import", cls=_Kinds)
def command() -> None:
    """Write what is in vSphere into inventory files: facts, no decisions.

    \b
    Examples:
      vmferry import rvtools RVTools_export.xlsx --out inventory/
      vmferry import vcenter https://vc1.acme.example --source vc1 --out inventory/
    """  # noqa: D301 - click wants the character
