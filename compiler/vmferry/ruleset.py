"""All rules. Stages only know their own rules; this module knows all modules that declare some."""

from collections.abc import Mapping
from importlib import import_module

from vmferry.model.rule import Rule, declared

DECLARING = (
    "vmferry.against",
    "vmferry.cli.compile",
    "vmferry.estate.identity",
    "vmferry.estate.statements",
    "vmferry.kube.limits",
    "vmferry.kube.mac",
    "vmferry.kube.nad",
    "vmferry.layout.compiled",
    "vmferry.layout.locks",
    "vmferry.load.project",
    "vmferry.load.validate",
    "vmferry.output.neighbours",
    "vmferry.output.render",
    "vmferry.placed",
    "vmferry.policy",
    "vmferry.resolve.access",
    "vmferry.resolve.applications",
    "vmferry.resolve.assembly",
    "vmferry.resolve.corrections",
    "vmferry.resolve.disposition",
    "vmferry.resolve.eviction",
    "vmferry.resolve.freeze",
    "vmferry.resolve.groups",
    "vmferry.resolve.hooks",
    "vmferry.resolve.machines",
    "vmferry.resolve.namespaces",
    "vmferry.resolve.network_rows",
    "vmferry.resolve.networks",
    "vmferry.resolve.nic_addresses",
    "vmferry.resolve.order",
    "vmferry.estate.again",
    "vmferry.resolve.past",
    "vmferry.resolve.paths",
    "vmferry.resolve.selection",
    "vmferry.resolve.shared",
    "vmferry.resolve.sources",
    "vmferry.resolve.splits",
    "vmferry.resolve.staying",
    "vmferry.resolve.storage",
    "vmferry.resolve.supported",
    "vmferry.resolve.surroundings",
    "vmferry.resolve.target_names",
    "vmferry.resolve.windows",
    "vmferry.rules",  # and every module in it
    "vmferry.verify.kustomize",
    "vmferry.verify.owned",
    "vmferry.verify.patches",
    "vmferry.verify.protection",
    "vmferry.verify.references",
    "vmferry.verify.schemas",
    "vmferry.verify.sharing",
    "vmferry.yaml.scalars",
    "vmferry.yaml.syntax",
    "vmferry.yaml.text",
    "vmferry.yaml.walk",
)
"""The modules that declare rules; a test compares this with their sources."""


def every() -> Mapping[str, Rule]:
    """Return every rule by code, sorted. Imports all stages: use `find` for a known code."""
    for module in DECLARING:
        import_module(module)
    return dict(sorted(declared().items()))


def of(code: str) -> Rule:
    """Return the rule of a finding's code. Raises KeyError for a code that findings cannot have."""
    return declared().get(code) or every()[code]


def starting(prefix: str) -> bool:
    """Return whether the code of any rule starts with a prefix."""
    return any(code.startswith(prefix) for rules in (declared, every) for code in rules())


def find(code: str) -> Rule | None:
    """Return the rule of a code, or None. Other stages are only imported if no loaded module has it."""
    return declared().get(code) or every().get(code)
