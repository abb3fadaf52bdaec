"""The protocol of importers: their arguments and results."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import click

from vmferry.estate.words.secrecy import NOTHING_MORE, Keep
from vmferry.model.inventory import Inventory


class Request(NamedTuple):
    """The arguments of every importer."""

    by: str | None = None  # what makes the files, as in `vmferry 1.0`
    keep: Keep = NOTHING_MORE  # the free text to take over
    progress: Callable[[str], None] = lambda _: None  # hears what is done, while it takes long
    ask: Callable[[str, bool], str] = lambda *_: ""  # asks a person; True hides the answer


class Reading(NamedTuple):
    """The result of an importer: one inventory per vCenter, sorted by name, and notes on all of them."""

    inventories: tuple[Inventory, ...]
    notes: tuple[str, ...] = ()
    effort: str = ""  # what it took, as in `12 calls`


class Importer(Protocol):
    """One kind of source that `vmferry import NAME` reads; registered in `vmferry.importers`."""

    @property
    def help(self) -> str:
        """Return the help of the command."""

    @property
    def parameters(self) -> Sequence[click.Parameter]:
        """Return its own arguments and options, besides --out, --notes and --attribute."""

    def read(self, request: Request, /, **given: Any) -> Reading:
        """Return the facts of the source; ``given`` contains the values of the parameters by name.

        Only facts, built with `vmferry.importers.build`, which validates them; unknown facts are left out. Raises
        ImporterError and OSError. Import slow modules here.
        """


class SourceName(click.ParamType[str]):
    """The name of a vCenter in the spec."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name. Fails with a usage error for a name that no spec may have."""
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", str(value)):
            self.fail("up to 63 characters of a-z, 0-9 and -, with a letter or digit at both ends", param, ctx)
        return str(value)
