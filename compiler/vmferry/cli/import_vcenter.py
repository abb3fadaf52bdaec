"""`vmferry import vcenter`: inventory files from a live vCenter."""

import os
import re
from pathlib import Path

import click

from vmferry.cli import FINDINGS
from vmferry.cli.findings import counted, interactive, printable
from vmferry.cli.import_ import keep_options, note, save, summary, tell
from vmferry.estate.words.secrecy import Keep
from vmferry.importers.files import NotOurs

USER, PASSWORD = "VMFERRY_VCENTER_USER", "VMFERRY_VCENTER_PASSWORD"
_MAX_DAYS = 365


def _is_name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", value):
        raise click.BadParameter("a name is at most 63 of a-z, 0-9 and -, and begins and ends with a letter or digit")
    return value


def _days(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    match = re.fullmatch("([1-9][0-9]{0,2})d", value)
    if not match or int(match[1]) > _MAX_DAYS:
        raise click.BadParameter(f"days as in 7d, at most {_MAX_DAYS}d")
    return int(match[1])


@click.command("vcenter")
@click.argument("url")
@click.option(
    "--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Directory of the inventory files."
)
@click.option("--source", required=True, callback=_is_name, help="Name of the vCenter in the spec.")
@click.option("--user", help=f"User who may read. [default: ${USER}, or asked for]")
@click.option(
    "--password-file",
    type=click.Path(exists=True, allow_dash=True, path_type=Path),
    help=f"File with the password, - for standard input. [default: ${PASSWORD}, or asked for]",
)
@click.option("--ca", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CA certificates, as PEM.")
@click.option("--thumbprint", help="Accept this certificate only: its SHA-256 or SHA-1 thumbprint.")
@click.option("--insecure", is_flag=True, help="Accept any certificate. Whoever is in between gets the password.")
@click.option("--baseline", callback=_days, metavar="DAYS", help="Also measure what VMs used, as in 7d.")
@click.option(
    "--timeout",
    type=click.IntRange(1, 3600),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How long one answer may take as a whole; the first ones at most 45 seconds.",
)
@keep_options
def command(
    url: str,
    out: Path,
    source: str,
    user: str | None,
    password_file: Path | None,
    ca: Path | None,
    thumbprint: str | None,
    insecure: bool,
    baseline: int | None,
    timeout: int,
    *,
    notes: bool,
    attributes: tuple[str, ...],
) -> int:
    """Read a vCenter, https://HOST/sdk, and change nothing there: the role Read-only at its root is enough.

    The password comes from the environment, a file or a prompt, and goes nowhere but to the vCenter.

    Notes of VMs stay in vCenter but for words vmferry knows, and custom attributes but for known harmless ones:
    people write passwords into both, and the inventory is committed. --notes and --attribute take more over.

    \b
    Examples:
      vmferry import vcenter https://vc1.acme.example --source vc1 --out inventory/
      vmferry import vcenter vc1.acme.example --source vc1 --out inventory/ --user reader@vsphere.local \\
          --password-file /run/secrets/vc1 --baseline 7d
    """  # noqa: D301 - click wants the character
    if sum((ca is not None, thumbprint is not None, insecure)) > 1:
        raise click.UsageError("--ca, --thumbprint and --insecure exclude each other")
    # pyVmomi takes a while to import: only who reads a vCenter waits for it
    from vmferry.importers.vcenter import Login, Trust, VCenterError, read_vcenter

    login = Login(user=_user(user), password=_password(password_file))
    try:
        reading = read_vcenter(
            url,
            source,
            login,
            Trust(ca=ca, thumbprint=thumbprint, insecure=insecure),
            baseline=baseline,
            timeout=timeout,
            progress=_progress,
            keep=Keep(notes, attributes),
        )
        changed = save([reading.inventory], out)
    except (VCenterError, NotOurs) as error:
        click.echo(f"vmferry: {printable(str(error))}", err=True)
        return FINDINGS
    for text in reading.notes:
        note(text)
    click.echo(f"{summary(reading.inventory)}; {counted(reading.calls, 'call')}")
    tell(changed, out)
    return 0


def _user(user: str | None) -> str:
    return user or os.environ.get(USER) or str(click.prompt("User", err=True))


def _password(file: Path | None) -> str:
    """Return the password; of a file its first line."""
    if file is None:
        password = os.environ.get(PASSWORD) or str(click.prompt("Password", hide_input=True, err=True))
    else:
        with click.open_file(str(file), encoding="utf-8", errors="surrogateescape") as stream:
            password = str(stream.readline(4096)).rstrip("\r\n")
    if not password:
        raise click.UsageError("--password-file is empty")
    if re.search("[\ud800-\udfff]", password):
        raise click.UsageError("the password is not UTF-8")  # said here: an error of the codec would show a part of it
    return password


def _progress(what: str) -> None:
    if interactive():
        click.echo(f"{printable(what)} …", err=True)
