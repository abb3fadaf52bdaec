"""`vmferry rules --versions`: show the supported releases of the target's components, and what depends on them."""

from vmferry.cli.findings import as_json
from vmferry.kube import versions
from vmferry.kube.versions import MAIN, Support
from vmferry.render.table import Rows, as_markdown, as_text

_RELEASES = ("component", "oldest", "newest, the default", "tested", "no longer maintained upstream")
_FEATURES = ("component", "what", "releases", "source")

_PAGE = """\
# Supported versions

What `target.cluster.versions` may name. Written by `make docs`; `vmferry rules --versions` shows it. A version without
a patch level stands for all its patch releases: a field is emitted only if all of them have it, and a defect is
reported if any of them has it. What was actually tested is in [compatibility.md](../compatibility.md).

{releases}
Releases before the oldest are refused ([VMF509](VMF509.md)); newer ones and those no longer maintained are reported
([VMF510](VMF510.md), [VMF511](VMF511.md)).

## What depends on the version

{features}"""


def text() -> str:
    """Return the table of releases, and that of features, in columns."""
    return f"{as_text(_RELEASES, _releases())}\n{as_text(_FEATURES[:3], [row[:3] for row in _features()])}"


def markdown() -> str:
    """Return the page of docs/."""
    return _PAGE.format(releases=as_markdown(_RELEASES, _releases()), features=as_markdown(_FEATURES, _features()))


def json() -> str:
    """Return both tables as JSON."""
    return as_json(
        {
            "components": [
                {
                    "component": each.component.value,
                    "oldest": each.oldest,
                    "newest": each.newest,
                    "tested": list(each.tested),
                    "endedBefore": _first_maintained(each),
                    "source": each.source,
                }
                for each in versions.SUPPORT
            ],
            "features": [
                {
                    "component": each.component.value,
                    "what": each.what,
                    "since": each.since,
                    "until": each.until,
                    "backports": list(each.backports),
                    "fields": list(each.fields),
                    "source": each.source,
                }
                for each in versions.features()
            ],
        }
    )


def _releases() -> Rows:
    return [
        (
            each.component.title,
            each.oldest,
            each.newest,
            _ranges(each),
            f"before {_first_maintained(each)}",
        )
        for each in versions.SUPPORT
    ]


def _features() -> Rows:
    order = {each.component: place for place, each in enumerate(versions.SUPPORT)}
    found = sorted(versions.features(), key=lambda each: (order[each.component], each.what))
    return [(each.component.title, each.what, each.releases, each.source) for each in found]


def _ranges(support: Support) -> str:
    """Return the tested releases; several in a row as their first and last."""
    numbered = [each for each in support.tested if each != MAIN]
    rows = [f"{numbered[0]} to {numbered[-1]}"] if len(numbered) > 2 else numbered
    return ", ".join([*rows, *([MAIN] if MAIN in support.tested else [])])


def _first_maintained(support: Support) -> str:
    major, minor, _ = versions.span(support.newest).first
    return f"{major}.{minor - support.maintained + 1}"
