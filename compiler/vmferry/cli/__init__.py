"""The command line: one thin module per verb, imported when the verb is called."""

import contextlib
import gc
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from vmferry import __version__

VERBS = {
    "init": "Write a starter spec, or with --from INVENTORY a draft.",
    "import": "Import VMs from RVTools or vCenter, and NSX's firewall, into inventory files.",
    "check": "Find everything that is wrong with a spec.",
    "compile": "Compile a spec into Kustomize bases and overlays.",
    "plan": "Propose windows in which everything fits.",
    "status": "Show the progress of a migration.",
    "advance": "Move groups to their next stage, if no rule refuses it.",
    "observe": "Record what happened in the cluster.",
    "sign": "Record that a person accepts a stage of a group.",
    "adopt": "Record VMs as they are in the cluster, so that git can own them.",
    "graduate": "Hand adopted VMs over to another repository.",
    "diff": "Show which decisions changed, or what changed in vCenter.",
    "explain": "Show why a VM goes where it goes.",
    "verify": "Build compiled output with kustomize and check it.",
    "report": "Report what stands in the way of a migration.",
    "rules": "List the rules, or explain one.",
    "cache": "Show or clear the cache.",
    "schema": "Print the JSON Schemas of the spec files.",
    "completion": "Print a shell completion script.",
}

_MODULES = {"import": "import_"}
"""Modules that cannot have the name of their verb."""


class Ended(BaseException):
    """A signal asked the program to end: unfinished changes are rolled back on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


FINDINGS, USAGE, INTERNAL, INTERRUPTED = 1, 2, 3, 130
"""Exit codes; 0 is success."""


class _Verbs(click.Group):
    """Imports a verb's module only when it is called, so that `vmferry check` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"vmferry.cli.{_MODULES.get(cmd_name, cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run a verb; show the findings of a SpecError in the requested format."""
        from vmferry.model.finding import SpecError

        try:
            return super().invoke(ctx)
        except SpecError as error:
            from vmferry.cli.findings import show_errors

            show_errors(
                error, style=ctx.meta.get("vmferry.style", "text"), everything=bool(ctx.meta.get("vmferry.everything"))
            )
            return FINDINGS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from vmferry.cli.options import did_you_mean

            raise click.UsageError(f"{error.message}{did_you_mean(args[0], VERBS)}", ctx) from None


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="vmferry")
def main() -> None:
    """Compile a migration spec into GitOps manifests that take a VMware estate to KubeVirt.

    \b
    Examples:
      vmferry init migration/                     a starter spec to edit
      vmferry init migration/ --from inventory/   a draft, from an imported inventory
      vmferry check migration/                    what is wrong with it
      vmferry compile migration/ --out .          write gitops/ for Flux or Argo CD
      vmferry advance migration/ first-01         set the next stage of a group in the spec
      vmferry explain migration/ web-01           why web-01 goes where it goes
      vmferry verify gitops/ --schemas crds/      build and check what was compiled

    \b
    Exit codes: 0 success, 1 findings, 2 usage error, 3 internal error.
    """  # noqa: D301 - click wants the character


def run() -> NoReturn:
    """Run the command line and exit with its code."""
    gc.disable()  # a short run with much data and few cycles: garbage collection would cost a third of the time
    sys.exit(_guarded())


def program() -> NoReturn:
    """Run as the program `vmferry`: exit without freeing memory, which would take a tenth of the time."""
    from vmferry.cli import streams

    streams.prepare()
    try:
        run()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # the reader closed the pipe
            stream.flush()
    os._exit(code)


def _guarded() -> int:
    try:
        result: Any = main.main(prog_name="vmferry", standalone_mode=False)
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return USAGE
    except click.Abort:
        return INTERRUPTED
    except Ended as signal:
        return 128 + signal.number
    except BrokenPipeError:
        # the reader closed the pipe (| head); Python would complain again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINDINGS
    except OSError as error:
        from vmferry.render.printable import printable

        name = f"{error.filename}: " if error.filename else ""
        click.echo(f"vmferry: {printable(name)}{error.strerror or error}", err=True)
        return FINDINGS
    except Exception as error:  # the last resort: users never see a traceback
        return _crashed(error)
    return result if isinstance(result, int) else 0


def _crashed(error: Exception) -> int:
    """Report that vmferry itself failed; show the traceback on request."""
    click.echo(f"vmferry: internal error: {type(error).__name__}: {error}", err=True)
    if os.environ.get("VMFERRY_DEBUG"):
        import traceback

        traceback.print_exception(error)
    else:
        click.echo("This is a bug in vmferry. VMFERRY_DEBUG=1 shows the traceback for a report.", err=True)
    return INTERNAL
