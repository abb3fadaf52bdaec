"""What the rules say of small projects, and VMs that are rebuilt."""

from typing import Any

from tests.resolve.projects import Data, project, vm

from vmferry.check import review
from vmferry.model.finding import Finding
from vmferry.resolve.blueprint import resolve
from vmferry.rules import check


def ruled(*vms: Data, **sections: Any) -> list[Finding]:
    """Return what the rules find in a project of these VMs; ``sections`` replace those of the spec."""
    made = project(*vms, **sections)
    return list(check(review(made, resolve(made))))


def only(code: str, *vms: Data, **sections: Any) -> Finding:
    """Return the one finding of a rule; it names VMs, has a place and says how to fix it."""
    [finding] = [each for each in ruled(*vms, **sections) if each.code == code]
    assert finding.vms
    assert finding.help
    assert finding.where is not None
    return finding


def silent(code: str, *vms: Data, **sections: Any) -> bool:
    """Return whether a rule finds nothing in a project that has VMs which move."""
    made = project(*vms, **sections)
    resolution = resolve(made)
    assert resolution.blueprint.groups
    return code not in {each.code for each in (*resolution.findings, *check(review(made, resolution)))}


def app(name: str, **fields: Any) -> Data:
    """Return a VM that is rebuilt as containers."""
    application = {"image": "registry.example.com/app:1.4.2", **fields}
    return vm(name, path="rebuild", method=None, application=application)
