"""Writes docs/compatibility.md: the programs that CI ran (tests/ran.py), those of the nightly workflow, those by hand.

With --check, fails where the page differs in anything but the days.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "compatibility.md"
VERSIONS = CHECKOUT / "tests" / "e2e" / "kind" / "versions.env"
RAN = Path(os.environ.get("VMFERRY_RAN", CHECKOUT / "build" / "ran"))

NIGHTLY = {
    "KUBERNETES": ("Kubernetes", "kind's node image"),
    "KUBEVIRT": ("KubeVirt", "its operator; software emulation"),
    "CDI": ("CDI", "its operator"),
    "MULTUS": ("Multus", "its daemon set, the thin plugin"),
    "FORKLIFT": ("Forklift", "its operator, without OLM"),
    "NMSTATE": ("kubernetes-nmstate", "its webhook; its handler runs on no node of kind"),
    "EXTERNAL_SECRETS": ("External Secrets", "definitions only"),
    "SEALED_SECRETS": ("Sealed Secrets", "definitions only"),
    "FLUX": ("Flux", "definitions only: its controller is in the table above"),
    "ARGOCD": ("Argo CD", "definitions only: its sync engine is in the table above"),
}
"""What the nightly workflow installs, by its name in versions.env; what only helps to install it is left out."""


class Row(NamedTuple):
    """A program, its version, how it was run and when."""

    program: str
    version: str
    how: str
    when: str


BY_HAND = (
    Row(
        "KubeVirt",
        "d923fdb (main after 1.9.0-beta.0)",
        "its webhooks for VirtualMachine and VirtualMachineInstance over every VM of the examples, of the rules' near "
        "misses and of 40 generated estates: all taken, without a warning, and stored as written",
        "2026-11-28",
    ),
    Row(
        "Forklift",
        "d42511bb (main after 2.12)",
        "strict decoding, its webhooks, and its controllers' validation of Provider, Host, Hook, NetworkMap, "
        "StorageMap, Plan and Migration, against its own inventory with the examples' VMs: all 21 Plans Ready. "
        "Odd specs it refused became VMF212, VMF741 and VMF742",
        "2026-11-28",
    ),
    Row(
        "Forklift",
        "d42511bb (main after 2.12)",
        "its 29 policies in OPA over 1,500 generated VMs (docs/forklift-concerns.md)",
        "2026-11-23",
    ),
)
"""What has no module to be built from in CI; their sources were at hand once."""

NOT_EVERYWHERE = ("| Definitions of ", "| RVTools, a user's export ", "| Prometheus ")
"""Rows about what is not everywhere the same where CI runs: schemas and exports that are no part of the repository, and
what Debian has, which CI leaves out where nothing can be installed."""


def recorded(folder: Path) -> Iterator[Row]:
    """Yield what the tests wrote down."""
    for path in sorted(folder.glob("*.json")):
        yield Row(**json.loads(path.read_text(encoding="utf-8")))


def nightly() -> Iterator[Row]:
    """Yield what the nightly workflow installs."""
    pinned = dict(line.split("=", 1) for line in VERSIONS.read_text().splitlines() if "=" in line and line[0] != "#")
    for name, (program, how) in NIGHTLY.items():
        yield Row(program, pinned[name].partition("@")[0].rpartition(":")[2], how, "not yet")


def table(rows: Iterable[Row]) -> str:
    """Return rows as a table in Markdown."""
    lines = [("Program", "Version", "How", "When"), ("---",) * 4, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(rows: Iterable[Row]) -> str:
    """Return the page."""
    return f"""\
# What vmferry's output was tried with

Written by `make compatibility` from what the tests wrote down while they ran; CI fails if the versions here are not
those it ran.

## On every change (.ci/run)

{table(rows)}

Each server is the newest that builds with the Go at hand, and the oldest that is supported. Of Argo CD it is 3.2: from
3.3 on its sync engine is a module of its repository that is not on every module proxy.

## Every night, on GitHub (.github/workflows/nightly.yml)

A kind cluster with the real operators, whose webhooks are given every object of the examples. Containers could not be
run where this was written: the workflow has not run yet.

{table(nightly())}

## By hand

The Go modules of KubeVirt and Forklift are not on every module proxy, so their own code is not built in CI. Their rules
stand in for it there: `compiler/vmferry/rules/admission.py`, `transfer.py` and the 29 concerns.

{table(BY_HAND)}
"""


def without_days(text: str) -> list[str]:
    """Return the lines of a page, without the last column of its tables."""
    return [line.rpartition(" | ")[0] if line.startswith("| ") else line for line in text.splitlines()]


def untrue(shown: str, made: str) -> Iterator[str]:
    """Yield the lines in which a page differs from what ran; rows about data that is not everywhere may differ."""
    before, after = (
        [line for line in without_days(text) if not line.startswith(NOT_EVERYWHERE)] for text in (shown, made)
    )
    yield from (f"missing: {line}" for line in after if line not in before)
    yield from (f"not run: {line}" for line in before if line not in after)


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is not true")
    options = parser.parse_args()
    rows = list(recorded(RAN))
    if not rows:
        parser.error(f"nothing is written down in {RAN}: run the tests first")
    if not options.check:
        PAGE.write_text(page(rows), encoding="utf-8")
        return 0
    wrong = list(untrue(PAGE.read_text(encoding="utf-8"), page(rows)))
    if wrong:
        print(f"{PAGE.relative_to(CHECKOUT)} is not what ran; `make compatibility` writes it anew:", file=sys.stderr)
        print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
