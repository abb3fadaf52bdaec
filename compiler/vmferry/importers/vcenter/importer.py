"""The importer of a live vCenter, as `vmferry import vcenter` calls it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from vmferry.estate.vcenter_account import TASKS, Work
from vmferry.importers.protocol import Reading, Request, SourceName

USER, PASSWORD = "VMFERRY_VCENTER_USER", "VMFERRY_VCENTER_PASSWORD"
_MAX_DAYS = 365

_HELP = """Read a vCenter, https://HOST/sdk, without changing anything: the role Read-only at its root is enough.

The password comes from the environment, a file or a prompt, and is only sent to the vCenter.

Notes stay in vCenter except for words vmferry knows, and custom attributes except for known harmless ones: people put
passwords into both, and the inventory is committed. --notes and --attribute import more. Roles and permissions are
imported without the names of the people who have them, unless you ask for them with --principals.

--check-privileges takes the account of Forklift or of conversion Jobs: if it lacks a privilege that its work needs,
nothing is imported and the exit code is 1. What it may do beyond that is a note (docs/preflight.md).

\b
Examples:
  vmferry import vcenter https://vc1.acme.example --source vc1 --out inventory/
  vmferry import vcenter vc1.acme.example --source vc1 --out inventory/ --user reader@vsphere.local \\
      --password-file /run/secrets/vc1 --baseline 7d
  vmferry import vcenter vc1.acme.example --source vc1 --out inventory/ --user forklift@vsphere.local \\
      --check-privileges warm
"""


def _days(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch("([1-9][0-9]{0,2})d", value)
    if not match or int(match[1]) > _MAX_DAYS:
        raise click.BadParameter(f"days as in 7d, at most {_MAX_DAYS}d")
    return int(match[1])


class VCenter(NamedTuple):
    """Reads a vCenter through its SDK and, for tags, its REST API."""

    help: str = _HELP
    parameters: Sequence[click.Parameter] = (
        click.Argument(["url"]),
        click.Option(
            ["--source"], required=True, type=SourceName(), metavar="NAME", help="Name of the vCenter in the spec."
        ),
        click.Option(["--user"], metavar="USER", help=f"User with read access. [default: ${USER}, or a prompt]"),
        click.Option(
            ["--password-file"],
            type=click.Path(exists=True, allow_dash=True, path_type=Path),
            help=f"File with the password, - for standard input. [default: ${PASSWORD}, or a prompt]",
        ),
        click.Option(
            ["--ca"],
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="CA certificates to trust, as PEM.",
        ),
        click.Option(
            ["--thumbprint"], metavar="HEX", help="Trust only this certificate: its SHA-256 or SHA-1 thumbprint."
        ),
        click.Option(
            ["--insecure"],
            is_flag=True,
            help="Trust any certificate. Anyone between you and the vCenter gets the password.",
        ),
        click.Option(
            ["--baseline"],
            callback=_days,
            metavar="DAYS",
            help="Also import resource usage over this period, such as 7d.",
        ),
        click.Option(
            ["--principals"],
            is_flag=True,
            help="Import the names of users and groups with permissions. [default: stand-ins such as group-1]",
        ),
        click.Option(
            ["--check-privileges", "works"],
            type=click.Choice(list(TASKS)),
            multiple=True,
            help="Work that the account is to do: convert (virt-v2v), cold, warm, offload, encrypted (Forklift), or "
            "read. Repeatable.",
        ),
        click.Option(
            ["--timeout"],
            type=click.IntRange(1, 3600),
            default=300,
            show_default=True,
            metavar="SECONDS",
            help="Time limit per response; at most 45 seconds for the first ones.",
        ),
    )

    def read(
        self,
        request: Request,
        /,
        *,
        url: str,
        source: str,
        user: str | None,
        password_file: Path | None,
        ca: Path | None,
        thumbprint: str | None,
        insecure: bool,
        baseline: int | None,
        principals: bool,
        works: tuple[Work, ...],
        timeout: int,
    ) -> Reading:
        """Return the inventory of a vCenter."""
        if sum((ca is not None, thumbprint is not None, insecure)) > 1:
            raise click.UsageError("--ca, --thumbprint and --insecure exclude each other")
        # pyVmomi is slow to import, so only import it when it is needed
        from vmferry.importers.vcenter.read import read_vcenter
        from vmferry.importers.vcenter.session import Login, Trust

        found = read_vcenter(
            url,
            source,
            Login(user=_user(user, request), password=_password(password_file, request)),
            Trust(ca=ca, thumbprint=thumbprint, insecure=insecure),
            baseline=baseline,
            timeout=timeout,
            progress=request.progress,
            keep=request.keep,
            principals=principals,
            works=works,
            by=request.by,
        )
        return Reading((found.inventory,), found.notes, "1 call" if found.calls == 1 else f"{found.calls} calls")


def _user(user: str | None, request: Request) -> str:
    return user or os.environ.get(USER) or request.ask("User", False)


def _password(file: Path | None, request: Request) -> str:
    """Return the password; from a file, its first line."""
    if file is None:
        password = os.environ.get(PASSWORD) or request.ask("Password", True)
    else:
        with click.open_file(str(file), encoding="utf-8", errors="surrogateescape") as stream:
            password = str(stream.readline(4096)).rstrip("\r\n")
    if not password:
        raise click.UsageError("--password-file is empty")
    if re.search("[\ud800-\udfff]", password):
        raise click.UsageError(
            "the password is not UTF-8"
        )  # reported here, because the codec's error would show a part of it
    return password


IMPORTER = VCenter()
