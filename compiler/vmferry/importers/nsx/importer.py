"""The importer of saved answers of NSX, as `vmferry import nsx` calls it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from vmferry.importers.protocol import Reading, Request, SourceName

_HELP = """Read what you saved from NSX's Policy API: segments, groups, and the rules of its firewalls.

It never connects, and takes no credential: save the answers yourself. The whole tree in one request is simplest:

\b
  curl -sS -u USER 'https://NSX/policy/api/v1/infra?type_filter=Segment;Group;SecurityPolicy;GatewayPolicy' -o nsx/infra.json

Lists work as well (/infra/segments, /infra/domains/default/groups, …/security-policies, …/gateway-policies), with every
page of them, and each policy by itself: lists leave out rules. A list that lacks a page is an error. With
/infra/realized-state/enforcement-points/default/virtual-machines, groups by tags of VMs can be decided, too.

The result is shown by `vmferry report networks`. Nothing that is emitted depends on it.

\b
Examples:
  vmferry import nsx --from nsx/ --source vc1 --out inventory/
  vmferry import nsx --from nsx/infra.json --out inventory/
  ssh jump cat infra.json | vmferry import nsx --from - --out inventory/
"""  # noqa: E501 - the command is one line


class NsxAnswers(NamedTuple):
    """Reads what NSX answered."""

    help: str = _HELP
    parameters: Sequence[click.Parameter] = (
        click.Option(
            ["--from", "sources"],
            multiple=True,
            required=True,
            type=click.Path(exists=True, allow_dash=True, path_type=Path),
            metavar="FILE|DIR|-",
            help="Saved answers: a file, a directory of .json files, or - for standard input. Repeatable.",
        ),
        click.Option(
            ["--source", "vcenters"],
            multiple=True,
            type=SourceName(),
            metavar="NAME",
            help="A vCenter whose networks this NSX serves, as the spec names it. Repeatable. [default: all]",
        ),
        click.Option(
            ["--name"],
            type=SourceName(),
            default="nsx",
            show_default=True,
            metavar="NAME",
            help="Name of this NSX, and of its directory in the inventory.",
        ),
    )

    def read(self, request: Request, /, *, sources: tuple[Path, ...], vcenters: tuple[str, ...], name: str) -> Reading:
        """Return the inventory of one NSX."""
        from vmferry.importers.build import build
        from vmferry.importers.errors import ImporterError
        from vmferry.importers.nsx.answers import MOST, read
        from vmferry.importers.nsx.facts import nsx_of
        from vmferry.model.inventory import Inventory, InventoryMetadata, Origin

        stdin = sys.stdin.buffer.read(MOST + 1) if any(str(source) == "-" for source in sources) else b""
        answers = read(sources, stdin)
        origin = build(Origin, name, name=name, kind="nsx", by=request.by)
        nsx = nsx_of(answers, vcenters)
        notes = [f"not read: {count} {kind}" for kind, count in sorted(answers.ignored.items())]
        if not (nsx.segments or nsx.groups or nsx.policies):
            raise ImporterError("there is no segment, group or policy in these answers")
        if not nsx.segments:
            notes.append("there are no segments in it: rules cannot be matched to networks")
        inventory = Inventory(metadata=InventoryMetadata(name=name), source=origin, nsx=nsx)
        return Reading((inventory,), tuple(notes))


IMPORTER = NsxAnswers()
