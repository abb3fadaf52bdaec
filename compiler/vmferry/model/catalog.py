"""Every rule code with its severity and title. A code never changes its meaning."""

from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning", "info"]


class Rule(Struct, frozen=True):
    """One entry of the catalogue: what a code means."""

    code: str
    severity: Severity
    title: str


_RULES = (
    # 0xx: reading files
    Rule("VMF001", "error", "YAML cannot be parsed"),
    Rule("VMF002", "error", "duplicate key"),
    Rule("VMF003", "error", "aliases expand to too much"),
    Rule("VMF004", "error", "YAML tags are not accepted"),
    Rule("VMF005", "error", "mapping key is not a string"),
    Rule("VMF006", "error", "file is too large or too deep"),
    Rule("VMF007", "error", "file is not UTF-8 text"),
    Rule("VMF008", "error", "path leaves the spec's directory"),
    Rule("VMF009", "error", "file cannot be read"),
    Rule("VMF010", "error", "scalar that YAML readers disagree on"),
    Rule("VMF011", "error", "unknown apiVersion or kind"),
    Rule("VMF012", "error", "not exactly one MigrationSpec"),
    Rule("VMF013", "error", "value does not fit the schema"),
    Rule("VMF014", "error", "unknown field"),
    Rule("VMF015", "error", "secret material in a spec"),
    Rule("VMF016", "error", "`${` would be substituted by Flux"),
    Rule("VMF017", "error", "key without a value"),
    Rule("VMF018", "error", "include matches no file"),
    Rule("VMF019", "error", "character that manifests cannot carry"),
    # 1xx: the spec as a whole
    Rule("VMF101", "error", "defined twice"),
    Rule("VMF102", "error", "reference to something that is not defined"),
    Rule("VMF103", "error", "VM without a disposition"),
    Rule("VMF104", "error", "VM without a phase"),
    Rule("VMF105", "error", "VM without a namespace"),
    Rule("VMF106", "error", "a reason is required"),
    Rule("VMF107", "error", "path and method do not fit"),
    Rule("VMF108", "error", "a fact is unknown"),
    Rule("VMF109", "warning", "match selects no VM"),
    Rule("VMF110", "error", "two VMs with one target name"),
    Rule("VMF111", "warning", "name was changed for Kubernetes"),
    Rule("VMF112", "error", "namespaces overlap"),
    Rule("VMF113", "error", "credentials are missing"),
    Rule("VMF114", "error", "application is incomplete"),
    Rule("VMF115", "warning", "image is not pinned"),
    Rule("VMF116", "error", "field does not apply here"),
    # 2xx: networks
    Rule("VMF201", "error", "network is not mapped"),
    Rule("VMF202", "error", "overlay segment without a VLAN or layer 2 decision"),
    Rule("VMF203", "error", "two NICs of one VM on the pod network"),
    Rule("VMF204", "error", "network definition is not valid"),
    Rule("VMF205", "error", "MAC address is not valid"),
    Rule("VMF206", "error", "MAC address is used twice"),
    Rule("VMF207", "error", "CNI has no network policies"),
    Rule("VMF208", "warning", "static address on the pod network"),
    Rule("VMF210", "error", "network is mapped twice"),
    Rule("VMF211", "error", "bridges of one node policy disagree"),
    # 3xx: storage
    Rule("VMF301", "error", "no StorageClass fits"),
    Rule("VMF302", "error", "datastore is not mapped"),
    Rule("VMF303", "error", "StorageClass is not valid"),
    Rule("VMF304", "warning", "live migration was preferred and is not possible"),
    Rule("VMF306", "error", "shared disk is described differently by its VMs"),
    # 4xx: phases, groups, order
    Rule("VMF401", "error", "dependency cycle over phases"),
    Rule("VMF402", "error", "VM would move before what it depends on"),
    Rule("VMF403", "error", "phases form a cycle"),
    Rule("VMF404", "error", "group does not exist"),
    Rule("VMF405", "error", "group cannot be kept under the resource limit"),
    Rule("VMF406", "error", "cutover is missing or outside the phase's windows"),
    Rule("VMF407", "error", "stage is not available"),
    Rule("VMF408", "error", "VMs that must move together cannot share a group"),
    Rule("VMF409", "warning", "frozen VM differs from its assignment"),
    Rule("VMF410", "warning", "frozen VM is no longer in the spec"),
    Rule("VMF411", "error", "assignments do not fit the spec"),
    # 5xx: machines
    Rule("VMF501", "error", "CPU topology is not possible"),
    Rule("VMF502", "error", "live migration is required and not possible"),
    Rule("VMF503", "error", "disk cannot be migrated by this path"),
    Rule("VMF504", "error", "firmware is not possible"),
    Rule("VMF505", "error", "the API server would refuse it"),
    Rule("VMF506", "error", "the target's version cannot do it"),
    Rule("VMF507", "error", "the path has no field for it"),
    Rule("VMF508", "warning", "a Plan has no field for it, it takes effect later"),
    # 6xx: output
    Rule("VMF601", "error", "file was edited by hand"),
    Rule("VMF602", "error", "file is in the way"),
    Rule("VMF603", "error", "lock file is not valid"),
    Rule("VMF604", "error", "output is not up to date"),
    Rule("VMF605", "error", "kustomize build fails"),
    Rule("VMF606", "error", "object does not fit its schema"),
    Rule("VMF607", "error", "reference dangles"),
    Rule("VMF608", "error", "patch did not take effect"),
    Rule("VMF609", "error", "root holds too many resources"),
    Rule("VMF610", "error", "one object in two roots"),
    Rule("VMF611", "error", "output path is not safe"),
    Rule("VMF612", "error", "repository URL is not valid"),
)

CATALOG: dict[str, Rule] = {rule.code: rule for rule in _RULES}
