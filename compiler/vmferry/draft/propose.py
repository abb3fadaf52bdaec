"""From an inventory to a draft spec: decisions proposed with their reasons, the rest marked TODO.

Nothing is invented: what only a person knows (the repository, the StorageClass, the VLAN that replaces an overlay
segment) stays open, is marked in place, and is listed.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vmferry.draft.assign import PHASES, Proposal, propose_rules
from vmferry.draft.commented import Decision, Page, Quote
from vmferry.draft.cover import literal, selects
from vmferry.draft.guesses import TIERS, Leave, leave
from vmferry.draft.maps import (
    DatastoreRow,
    NamespacePlan,
    NetworkRow,
    datastore_rows,
    label,
    network_rows,
    plan_namespaces,
)
from vmferry.draft.ties import rebuilds, retirements
from vmferry.draft.unknown import Unknown, Way, shared_macs, unknown, ways
from vmferry.estate.identity import key_of
from vmferry.estate.ties import Member, Tie, ties
from vmferry.estate.wording import counted
from vmferry.model.base import API_VERSION
from vmferry.model.inventory import Inventory, Origin
from vmferry.model.keys import VmKey

SPEC, EXCEPTIONS, LEFT_OUT = "spec.yaml", "vms/exceptions.yaml", "vms/left-out.yaml"

_GIB = 1 << 30
_A_LINE = 8  # VMs of a proposal
_ALIKE = 3  # VMs that lack the same fact, from which on it is asked for once
_RULE = "# " + "-" * 76


class Draft(NamedTuple):
    """The files of a draft spec by name, the open decisions, and a summary."""

    files: dict[str, str]
    decisions: tuple[Decision, ...]
    summary: tuple[str, ...]


class _Estate(NamedTuple):
    """The VMs, and all proposals for them."""

    parts: Sequence[Inventory]
    sources: tuple[Origin, ...]
    moving: list[Member]
    left: list[tuple[Member, Leave]]
    twice: list[str]  # names of VMs that nothing tells apart
    networks: list[NetworkRow]
    datastores: list[DatastoreRow]
    namespaces: NamespacePlan
    proposal: Proposal
    unknown: dict[VmKey, list[Unknown]]
    ties: list[Tie]
    rebuilds: list[Tie]
    ways: dict[VmKey, Way]
    retirements: list[Tie]
    for_many: dict[str, list[str]]  # facts that are asked for once, and the VMs that lack them


def propose(
    parts: Sequence[Inventory], name: str, quote: Quote, *, inventory: str = "inventory", schemas: str = ""
) -> Draft:
    """Return the draft of a spec for an inventory.

    ``name`` is the migration's name, in any characters. ``quote`` turns a text into a YAML scalar on one line.
    ``inventory`` and ``schemas`` are the directories of the inventory and, for editors, of the JSON Schemas, relative
    to the spec. Raises ValueError for an inventory without a VM.
    """
    estate = _estate(parts)
    pages = [Page(SPEC, quote), Page(EXCEPTIONS, quote)]
    _spec(pages[0], estate, name, inventory, schemas)
    _exceptions(pages[1], estate, schemas)
    ruled = [rule for rule in estate.proposal.rules if "disposition" in rule.set]
    by_hand = [(m, why) for m, why in estate.left if not any(selects(rule.match, m) for rule in ruled)]
    if by_hand:
        pages.append(Page(LEFT_OUT, quote))
        _left_out(pages[2], by_hand, schemas, several=len(estate.sources) > 1)
    return Draft(
        files={page.file: page.text for page in pages},
        decisions=tuple(decision for page in pages for decision in page.decisions),
        summary=tuple(_summary(estate)),
    )


def _estate(parts: Sequence[Inventory]) -> _Estate:
    parts = sorted(
        (part for part in parts if part.nsx is None),  # no vCenter, and nothing to decide
        key=lambda part: (part.source.name, part.metadata.name),
    )
    sources: dict[str, Origin] = {}
    for part in parts:
        known = sources.get(part.source.name)
        if known is None or known.url is None:
            sources[part.source.name] = part.source
    members: dict[str, Member] = {}
    twice: list[str] = []
    for part in parts:
        for vm in part.vms:
            key = key_of(vm, part.source.name)
            if key in members:
                twice.append(vm.name)
            members.setdefault(key, Member(key, part.source.name, vm))
    if not members:
        raise ValueError("the inventory has no VM")
    everyone = [members[key] for key in sorted(members)]
    leaving = {member.key: why for member in everyone if (why := leave(member.vm)) is not None}
    moving = [member for member in everyone if member.key not in leaving]
    left = [(member, leaving[member.key]) for member in everyone if member.key in leaving]
    several = len(sources) > 1
    namespaces = plan_namespaces(moving, several=several)
    routes = ways(moving)
    twins = shared_macs(moving)
    missing = {m.key: [*unknown(m, routes[m.key]), *([twins[m.key]] if m.key in twins else [])] for m in moving}
    return _Estate(
        parts=parts,
        sources=tuple(sources[source] for source in sorted(sources)),
        moving=moving,
        left=left,
        twice=sorted(twice),
        networks=network_rows(parts, moving, several=several),
        datastores=datastore_rows(parts, moving, several=several),
        namespaces=namespaces,
        proposal=propose_rules(moving, [member for member, _ in left], namespaces, routes),
        unknown={key: found for key, found in missing.items() if found},
        for_many=_asked_once(moving, missing),
        ties=ties(parts, moving),
        rebuilds=rebuilds(moving),
        ways=routes,
        retirements=retirements(moving),
    )


_FOR_MANY: Mapping[str, tuple[str, str]] = {
    "firmware": ("the firmware", "bios"),
    "secureBoot": ("EFI secure boot", "false"),
    "vtpm": ("whether they have a vTPM: that", "false"),
}
"""Facts that `defaults` and rules may state, with the more likely value."""


def _asked_once(moving: Sequence[Member], missing: Mapping[VmKey, Sequence[Unknown]]) -> dict[str, list[str]]:
    """Return the facts that several VMs lack and that one line can state, with the VMs' names."""
    found = {
        field: [m.vm.name for m in moving if any(field in each.example for each in missing[m.key])]
        for field in _FOR_MANY
    }
    return {field: names for field, names in found.items() if len(names) > 1}


def _summary(estate: _Estate) -> Iterable[str]:
    phases = Counter(phase for phase, _ in estate.proposal.phases.values())
    templates = sum(bool(member.vm.template) for member in estate.moving)
    yield (
        f"{counted(len(estate.moving), 'VM')} to move: "
        + (", ".join(f"{phases[phase]} {phase}" for phase in PHASES if phases[phase]) or "none classified")
        + (f", {counted(templates, 'template')} as golden images" if templates else "")
    )
    if ways := Counter("virt-v2v" if way != "forklift" else way for way in estate.ways.values()):
        yield "path auto: " + ", ".join(f"{number} by {way}" for way, number in sorted(ways.items()))
    if estate.left:
        kinds = Counter(why.disposition for _, why in estate.left)
        yield f"{counted(len(estate.left), 'VM')} left out: " + ", ".join(f"{n} {k}" for k, n in sorted(kinds.items()))
    yield (
        f"{counted(len(estate.networks), 'network')}, {counted(len(estate.datastores), 'datastore')}, "
        f"{counted(len(estate.namespaces.rows), 'namespace')}"
    )
    if estate.rebuilds:
        yield f"{counted(sum(len(tie.members) for tie in estate.rebuilds), 'VM')} proposed for rebuild, as comments"
    if estate.retirements:
        number = sum(len(tie.members) for tie in estate.retirements)
        yield f"{counted(number, 'VM')} proposed for retirement, as comments"
    if estate.ties:
        yield f"{counted(len(estate.ties), 'dependency', 'dependencies')} proposed, as comments"


# --- spec.yaml --------------------------------------------------------------------------------------


def _spec(page: Page, estate: _Estate, name: str, inventory: str, schemas: str) -> None:
    if schemas:
        page.write(f"# yaml-language-server: $schema={schemas}/migrationspec.schema.json")
    page.note("Drafted by `vmferry init --from`: proposals with their reasons, for you to review.")
    page.note("`TODO` marks what only you can decide. `vmferry check .` lists what is still open,")
    page.note("`vmferry explain . NAME` shows why a VM goes where it goes.")
    for line in _summary(estate):
        page.note(line)
    page.write(f"apiVersion: {API_VERSION}")
    page.write("kind: MigrationSpec")
    page.write(f"metadata: {page.value({'name': label(name, 30) or 'migration'})}")
    page.write("include:")
    page.write(f"  - {page.value(f'{literal(inventory)}/**/*.yaml')}", "facts, from `vmferry import`; never edited")
    page.write("  - vms/*.yaml", "decisions on single VMs")
    page.write()
    _sources(page, estate)
    _target(page)
    _networks(page, estate.networks)
    _storage(page, estate)
    _namespaces(page, estate)
    _phases(page, estate)
    page.write(
        "# Groups advance by pull request: planned, prepared, migrating, cutover. Groups not listed are at planned."
    )
    page.write("groups: {}")
    page.write()
    page.write("defaults:")
    page.write(
        "  path: auto", "Forklift if a vCenter has 50 standard VMs, virt-v2v for special ones; `explain` shows why"
    )
    page.write("  liveMigration: preferred")
    for field, names in estate.for_many.items():
        what, example = _FOR_MANY[field]
        page.todo(
            f"{what} of {len(names)} VMs is unknown ({page.listed(names)}); uncomment the value that most of them "
            "have, and state it in the entries of the others"
        )
        page.note(f"{field}: {example}", "  ")
    page.write()
    _assign(page, estate.proposal)
    _rebuilds(page, estate.rebuilds)
    _retirements(page, estate.retirements)
    _ties(page, estate.ties)


def _sources(page: Page, estate: _Estate) -> None:
    page.write("sources:")
    for origin in estate.sources:
        page.write(f"  - name: {page.value(origin.name)}")
        page.write("    vcenter:")
        if origin.url:
            page.write(f"      url: {page.value(origin.url)}")
        else:
            page.todo(
                f"the address of {origin.name}, https://HOST/sdk: it is not in the inventory",
                line="      url: TODO",
            )
        page.write("      # You create the Secrets; never write them here. This one has keys user, password, cacert,")
        page.write("      # in Forklift's namespace; the other accessKeyId and secretKey, in the VMs' namespaces.")
        page.write(f"      credentials: {page.value({'secretRef': {'name': f'{origin.name}-vcenter'}})}")
        page.write(f"      conversionCredentials: {page.value({'secretRef': {'name': f'{origin.name}-conversion'}})}")
        page.write("      # Faster copies: an image with VMware's VDDK, and the SHA-1 thumbprint of the certificate.")
        page.write("      # vddkImage: registry.example.com/vddk:8.0.3")
        page.write('      # thumbprint: "AA:BB:…"')
    page.write()


def _target(page: Page) -> None:
    page.write("target:")
    page.write("  cluster:")
    page.write("    name: target", "name of the cluster: its entry point is clusters/NAME")
    page.write("    # cni: cilium # decides on network policies and OVN networks")
    page.write("  gitops:")
    page.write("    engine: flux", "or argocd")
    page.todo("the repository to sync, such as https://git.example.com/platform/gitops", line="    repoURL: TODO")
    page.write()


def _networks(page: Page, rows: Sequence[NetworkRow]) -> None:
    if not rows:
        page.write("networks: []", "no VM has a NIC on a known network")
        page.write()
        return
    page.note("One row per network in use. br-vm is a proposal: the Linux bridge on the nodes that carries the VLANs.")
    page.write("networks:")
    for row in rows:
        about = [f"{counted(row.vms, 'VM')}, {counted(row.nics, 'NIC')}", *row.about]
        page.note("; ".join(about), "  ")
        lead = "  - "
        if row.name is not None:
            page.write(f"{lead}name: {page.value(row.name)}")
            lead = "    "
        page.write(f"{lead}source: {page.value(row.source)}")
        target = page.value({"type": "bridge", "bridge": "br-vm"} | ({"untagged": True} if row.untagged else {}))
        if row.untagged:
            page.write(f"    target: {target}", "VLAN 0 in vSphere: is the native VLAN of the nodes' port the same?")
        elif row.undecided is None:
            page.write(f"    target: {target}", "the VLAN is the source's")
        else:
            fix = "add vlan, trunk or untagged: true, or use another type (pod, ovn-layer2, nad)"
            page.todo(f"network {row.title}: {row.undecided}; {fix}", line=f"    target: {target}")
    page.write()


def _storage(page: Page, estate: _Estate) -> None:
    tiers = sorted(
        {row.tier for row in estate.datastores}
        | {rule.set["tier"] for rule in estate.proposal.rules if "tier" in rule.set}
        | {fields["tier"][0] for fields in estate.proposal.entries.values() if "tier" in fields},
        key=TIERS.index,
    )
    page.write("storage:")
    listed = ", ".join(tiers) or "none yet"
    page.todo(f"the target's StorageClasses, best first, one for each tier in use: {listed}", line="  classes: []")
    for tier in tiers:
        page.write(
            f"  #  - {{name: {tier}-class, provisioner: rook-ceph.rbd.csi.ceph.com, tier: {tier}, snapshots: true}}"
        )
    if not estate.datastores:
        page.write("  map: []", "no disk in the inventory has a datastore")
        page.write()
        return
    page.write("  # One row per datastore in use; the tier is a guess.")
    page.write("  map:")
    for row in estate.datastores:
        size = f"{row.size / _GIB:.0f} GiB" if row.size < 10240 * _GIB else f"{row.size / _GIB / 1024:.0f} TiB"
        comment = f"{row.why}; {counted(row.vms, 'VM')}, {counted(row.disks, 'disk')}, {size}"
        page.write(f"    - {page.value({'source': row.source, 'tier': row.tier})}", comment)
    page.write()


def _namespaces(page: Page, estate: _Estate) -> None:
    page.write("namespaces:")
    for row in estate.namespaces.rows:
        data = {"name": row.name, **({"source": row.source} if row.source else {})}
        page.write(f"  - {page.value(data)}", f"{counted(row.vms, 'VM')}; {row.why}")
    page.write()


_PHASES: Mapping[str, tuple[str, tuple[str, ...], dict[str, str] | None]] = {
    "dev-test": ("the least critical VMs, and golden images", (), None),
    "stateless": ("web and application servers without data of their own", ("dev-test",), None),
    "stateful": (
        "databases, file servers, and everything unknown",
        ("stateless",),
        {"mode": "fallback", "atLeast": "14d"},
    ),
    "management": ("VMs that serve vSphere itself, last", ("stateful",), None),
}


_STARTS: Mapping[str, str] = {
    "dev-test": "2027-01-11",
    "stateless": "2027-01-25",
    "stateful": "2027-02-08",
    "management": "2027-03-08",
}
"""Days of the sample windows: far enough apart to see how a phase went before the next one starts."""


def _phases(page: Page, estate: _Estate) -> None:
    counts = Counter(phase for phase, _ in estate.proposal.phases.values())
    page.write("phases:")
    for name in PHASES:
        what, after, dual_run = _PHASES[name]
        page.write(f"  - name: {name}", f"{counted(counts[name], 'VM')}: {what}")
        page.write(f"    kind: {'migrate' if name == 'management' else name}")
        if after:
            page.write(f"    after: {page.value(after)}")
        if dual_run:
            page.write(f"    dualRun: {page.value(dual_run)}")
        page.write(
            f'    # windows: [{{start: "{_STARTS[name]}T20:00:00Z", duration: 6h}}] # needed before the first cutover'
        )
    page.write("  - name: decommission", "no VM: ESXi hosts leave vSphere (vmferry report decommission)")
    page.write("    kind: decommission")
    page.write(f"    after: {page.value((PHASES[-1],))}")
    page.write()


def _assign(page: Page, proposal: Proposal) -> None:
    if not proposal.rules:
        page.write("assign: []")
        return
    page.write("# Decisions for many VMs at once; later rules win, and entries in vms/ override all of them.")
    page.write("assign:")
    for rule in proposal.rules:
        for line in rule.why:
            page.note(line, "  ")
        _match(page, rule.match)
        page.write(f"    set: {page.value(rule.set)}")


def _match(page: Page, match: Mapping[str, Any]) -> None:
    """Write a `match`; a long list of patterns gets one line per pattern, so that a change is one line in a diff."""
    long = next((field for field, value in match.items() if isinstance(value, list) and len(value) > 4), None)
    if long is None:
        page.write(f"  - match: {page.value(match)}")
        return
    page.write("  - match:")
    for field, value in match.items():
        if field != long:
            page.write(f"      {field}: {page.value(value)}")
            continue
        page.write(f"      {field}:")
        for pattern in value:
            page.write(f"        - {page.value(pattern)}")


def _rebuilds(page: Page, found: Sequence[Tie]) -> None:
    if not found:
        return
    page.write()
    page.write(_RULE)
    page.note("Proposed for rebuild as containers. You have to provide an image, so decide in the VM's entry:")
    page.note("{name: …, disposition: rebuild, reason: …, application: {image: …}}")
    _proposed(page, "rebuild", found)


def _retirements(page: Page, found: Sequence[Tie]) -> None:
    if not found:
        return
    page.write()
    page.write(_RULE)
    page.note("Proposed for retirement: powered off, and apparently left over. Decide in the VM's entry:")
    page.note("{name: …, disposition: retire, reason: …}")
    _proposed(page, "retire", found)


def _proposed(page: Page, what: str, found: Sequence[Tie]) -> None:
    """Write every VM of every proposal: nobody can decide about a list that is cut off."""
    for tie in found:
        for start in range(0, len(tie.members), _A_LINE):
            page.note(f"proposed: {what} {page.listed(tie.members[start : start + _A_LINE])}: {tie.why}")


def _ties(page: Page, found: Sequence[Tie]) -> None:
    if not found:
        return
    page.write()
    page.write(_RULE)
    page.note("Dependencies that the inventory hints at. They have no effect until they are in a VM's entry.")
    for tie in found:
        what = page.listed(tie.members)
        if tie.entry is not None:
            what = page.value({"name": tie.members[0], **tie.entry})
        page.note(f"proposed: {what}: {tie.why}")


# --- vms/*.yaml -------------------------------------------------------------------------------------


def _set(page: Page, name: str, schemas: str) -> None:
    if schemas:
        page.write(f"# yaml-language-server: $schema=../{schemas}/virtualmachineset.schema.json")
    page.write(f"apiVersion: {API_VERSION}")
    page.write("kind: VirtualMachineSet")
    page.write(f"metadata: {page.value({'name': name})}")


def _entry(page: Page, member: Member, *, several: bool) -> None:
    vm = member.vm
    page.write(f"  - name: {page.value(vm.name)}")
    if vm.id is not None:
        page.write(f"    id: {page.value(vm.id)}")
    if several:
        page.write(f"    source: {page.value(member.source)}")


def _left_out(page: Page, left: Sequence[tuple[Member, Leave]], schemas: str, *, several: bool) -> None:
    _set(page, "left-out", schemas)
    page.note("VMs proposed to stay behind, each with the reason. Remove the entry of a VM that should move.")
    page.write("vms:")
    for member, why in left:
        _entry(page, member, several=several)
        page.write(f"    disposition: {why.disposition}")
        page.write(f"    reason: {page.value(why.reason)}")


def _exceptions(page: Page, estate: _Estate, schemas: str) -> None:
    _set(page, "exceptions", schemas)
    page.note("Decisions that no rule of the spec can express, and facts that the inventory lacks. An import from")
    page.note("vCenter has more of them than one from RVTools. A VM on `path: forklift` needs no MAC, UUID,")
    page.note("firmware or vTPM here: Forklift reads them from vCenter.")
    for name in dict.fromkeys(estate.twice):
        page.todo(f"several VMs are named {name} and have no id: import them with ids, or rename all but one")
    said = estate.proposal.entries
    asked = {
        key: [missing for missing in found if not set(missing.example) & set(estate.for_many)]
        for key, found in estate.unknown.items()
    }
    alike = Counter(missing.what for found in asked.values() for missing in found)
    for what, number in sorted(alike.items()):
        if number >= _ALIKE:
            page.todo(f"{number} VMs: {what}; complete and uncomment it in the entries below")
    wanted = [member for member in estate.moving if member.key in said or asked.get(member.key)]
    if not wanted:
        page.write("vms: []")
        return
    page.write("vms:")
    for member in wanted:
        _entry(page, member, several=len(estate.sources) > 1)
        for field, (value, why) in said.get(member.key, {}).items():
            page.write(f"    {field}: {page.value(value)}", why)
        for missing in asked.get(member.key, ()):
            if alike[missing.what] >= _ALIKE:
                page.note(f"{missing.what}:", "    ")
            else:
                page.todo(f"VM {member.vm.name}: {missing.what}; complete and uncomment", pad="    ")
            for field, example in missing.example.items():
                page.note(f"{field}: {page.value(example)}", "    ")
