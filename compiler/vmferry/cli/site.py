"""`vmferry report site`: all reports as one static site, or as one HTML file."""

from datetime import datetime
from pathlib import Path, PurePosixPath

import click

from vmferry import files
from vmferry.cli import FINDINGS
from vmferry.cli.options import assignments_option, now_option, spec_argument
from vmferry.cli.report import against_option, checked_for_reports, compared, material
from vmferry.estate.wording import counted

_LIST = ".vmferry-site"
"""Names the files of the site in its directory, so that the next run removes those that it no longer has."""


@click.command("site")
@spec_argument
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Directory of the site, or the file.")
@click.option("--single-file", is_flag=True, help="Write everything into one HTML file, to send by mail; - is stdout.")
@assignments_option
@now_option
@against_option
def command(
    spec: Path, out: Path, single_file: bool, assignments: Path | None, now: datetime, against: str | None
) -> int:
    """Write all reports as a static site: pages for a browser, the table of all VMs, CSV files.

    It needs no server and loads nothing from the internet. Every number leads to the VMs behind it, and each VM to its
    decisions. SPEC may also be an inventory as `vmferry import` wrote it. Other files in DIRECTORY are left alone.

    \\b
    Examples:
      vmferry report site migration/ --out public/
      vmferry report site inventory/ --out assessment.html --single-file
    """  # noqa: D301 - click wants the character
    from vmferry import site

    with checked_for_reports(spec, assignments, now) as (checked, base):
        of = compared(material(checked, now, base), spec, assignments, against)
        if single_file:
            return _write_file(out, site.single_file(of))
        return _write_site(out, site.site(of))


def _write_file(out: Path, content: bytes) -> int:
    if str(out) == "-":
        click.echo(content, nl=False)
        return 0
    if out.is_dir():
        raise click.UsageError(f"{out} is a directory; with --single-file, --out is a file such as plan.html.")
    out.parent.mkdir(parents=True, exist_ok=True)
    files.replace(out, content)
    click.echo(f"wrote {out}", err=True)
    return 0


def _write_site(out: Path, wanted: dict[str, bytes]) -> int:
    """Write the files of a site, and remove those of an earlier run that it no longer has."""
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out} is a file; --out is a directory, unless --single-file is set.")
    out.mkdir(parents=True, exist_ok=True)
    before = _listed(out)
    foreign = [name for name in wanted if name not in before and (out / name).exists()]
    if foreign:
        click.echo(
            f"vmferry: {out / foreign[0]} exists and is not from an earlier run; choose another directory", err=True
        )
        return FINDINGS
    files.replace(out / _LIST, "".join(f"{name}\n" for name in sorted({*before, *wanted})).encode())
    for name, content in wanted.items():
        files.replace(out / name, content)
    for name in sorted(before - wanted.keys()):
        (out / name).unlink(missing_ok=True)
    files.replace(out / _LIST, "".join(f"{name}\n" for name in wanted).encode())
    click.echo(f"wrote {counted(len(wanted), 'file')}; open {out / 'index.html'}", err=True)
    return 0


def _listed(out: Path) -> set[str]:
    """Return the files of an earlier run: names in the directory itself, whatever else the list says."""
    try:
        lines = files.read(out / _LIST).decode(errors="replace").splitlines()
    except FileNotFoundError:
        return set()
    return {line for line in lines if line and PurePosixPath(line).name == line and line not in (".", "..")}
