"""The registry of reports for planning, with counts from the rules and the Blueprint."""

import importlib
from collections.abc import Mapping

from vmferry.reports.content import Builder

REPORTS: Mapping[str, tuple[str, str]] = {
    "assessment": ("vmferry.reports.assessment", "What there is, what moves how, blockers and risks."),
    "dependencies": ("vmferry.reports.dependencies", "Which VMs need each other, and what crosses phases."),
    "networks": ("vmferry.reports.networks", "Networks, datastores, resource pools: who is on them, where they go."),
    "addresses": ("vmferry.reports.addresses", "Old and new addresses, how guests get them, DHCP reservations."),
    "firewall": ("vmferry.reports.firewall", "Which connections firewalls have to let through, and why."),
    "sizing": ("vmferry.reports.sizing", "Nodes and storage that the VMs need, phase by phase."),
    "schedule": ("vmferry.reports.schedule", "When everything moves, what fits its window, and what decides the end."),
    "status": ("vmferry.reports.status", "Where a migration is: phases and groups by stage."),
    "runbook": ("vmferry.reports.runbook", "What people do for each group, step by step, and the playbook."),
    "progress": ("vmferry.reports.progress", "VMs, bytes and hosts that are left, week by week; a badge."),
    "cost": ("vmferry.reports.cost", "What it costs, what a week of delay costs, when it is paid back."),
    "decommission": (
        "vmferry.reports.decommission",
        "When hosts, clusters and vCenters empty, and which hosts become nodes.",
    ),
    "people": ("vmferry.reports.people", "What is called what in the target, and what to learn by when."),
    "concerns": ("vmferry.reports.concerns", "What stands in the way, by rule and by VM, worst first."),
}
"""The module of each report, with its HELP and `build`, and a summary: both are available without importing it."""


def builder(name: str) -> Builder:
    """Return the module of a report; it is imported now. Raises KeyError for one that is not registered."""
    found: Builder = importlib.import_module(REPORTS[name][0])
    return found
