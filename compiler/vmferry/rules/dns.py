"""Records in DNS that change with VMs: zones, names and values, who may change them, and when caches are empty."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from vmferry.estate.copying import about
from vmferry.estate.dns import NONE, is_reverse, is_valid, sound, type_of, zone_of
from vmferry.estate.history import History
from vmferry.estate.phases import is_time, moment, time_text
from vmferry.estate.statements import DEFINED_TWICE
from vmferry.estate.taken import signed, taken
from vmferry.estate.wording import counted
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import DnsRecord, Group
from vmferry.model.review import Problem, Review, Subject
from vmferry.model.spec import ExternalDns, Rfc2136
from vmferry.rules.registry import also, rule


def _records(review: Review) -> Iterator[tuple[Subject, DnsRecord]]:
    return ((subject, record) for subject, _, machine in review.moving for record in machine.records)


def _stated(subject: Subject, record: DnsRecord) -> tuple[str | int, ...]:
    """Return where the entry of a VM states a record; (), if `dnsZone` asks for it."""
    names = [each.name.lower().removesuffix(".") for each in subject.vm.dns]
    return ("dns", names.index(record.name)) if record.name in names else ()


def _problem(subject: Subject, record: DnsRecord, message: str, help_: str) -> Problem:
    if place := _stated(subject, record):
        return subject.problem(message, help_, *place)
    return subject.decided("dns_zone", message, help_)


@rule("VMF260", "error", "DNS zone is not defined", essential=True, each=True)
def undefined(review: Review) -> Iterator[Problem]:
    """`dnsZone` names a zone that `dns.zones` does not have: nobody would change the record of the VM."""
    zones = {zone.name for zone in review.spec.dns.zones} if review.spec.dns else set[str]()
    for subject, _, _ in review.moving:
        wanted = subject.decisions.dns_zone
        if wanted is not None and wanted != NONE and wanted not in zones:
            yield subject.decided(
                "dns_zone",
                f"dnsZone {wanted} is not defined",
                f"add it to `dns.zones`, or correct the name; zones: {', '.join(sorted(zones)) or 'none'}",
            )


@rule("VMF261", "error", "record is in no DNS zone", essential=True, each=True)
def homeless(review: Review) -> Iterator[Problem]:
    """The name of the record ends in no zone of `dns.zones`, so nobody is known who could change it.

    A host name with dots is taken as the full name of the record, whatever `dnsZone` says.
    """
    for subject, record in _records(review):
        wanted = subject.decisions.dns_zone
        known = wanted is None or review.spec.dns is None or wanted in {zone.name for zone in review.spec.dns.zones}
        if zone_of(record.name, review.spec.dns) is None and (known or _stated(subject, record)):
            yield _problem(
                subject,
                record,
                f"record {record.name} is in none of the zones in `dns.zones`",
                "add its zone there, correct the name, or set dnsZone: none if it has no record",
            )


@rule(
    "VMF262",
    "error",
    "record is not valid",
    source="RFC 1123, 2.1; RFC 1034, 3.6.2: a name with a CNAME has nothing else",
    essential=True,
    each=True,
)
def invalid(review: Review) -> Iterator[Problem]:
    """A name in DNS has letters, digits and hyphens, in parts of at most 63 characters, 253 in all.

    Without a host name the record is named after the VM, and names in vCenter may have spaces. A name holds addresses,
    or one host name (CNAME), never both.
    """
    for subject, record in _records(review):
        if not is_valid(record.name):
            yield _problem(
                subject,
                record,
                f"{record.name!r} is not a valid name in DNS",
                "state `hostname` in its entry, or its records in `dns` with dnsZone: none",
            )
        for field, values in (("before", record.before), ("after", record.after)):
            if not sound(values):
                yield _problem(
                    subject,
                    record,
                    f"record {record.name}: `{field}` holds {', '.join(values)}, which cannot stand in one name",
                    "state addresses, or exactly one host name",
                )


@rule("VMF263", "error", "record leads to an unknown address", each=True)
def unknown(review: Review) -> Iterator[Problem]:
    """The VM gets another address, so the record must be switched at the cutover, and switched back if it fails.

    Both values have to be known before. The new one follows from `readdress`; on the pod network, or for a VM that is
    rebuilt, only the spec can say it. The old one follows from the NIC in vSphere, unless it has several addresses.
    Suppress this for a record that someone switches by hand: vmferry then leaves it alone.
    """
    for subject, record in _records(review):
        lacking = [field for field in ("before", "after") if record.switch and not getattr(record, field)]
        if lacking:
            yield _problem(
                subject,
                record,
                f"its address changes, and it is not clear what record {record.name} holds {' and '.join(lacking)} "
                "the cutover",
                f"state `{'` and `'.join(lacking)}` for it in `dns`, or the `network` of the NIC that it leads to",
            )


@rule("VMF264", "error", "CNAME at the top of a zone", source="RFC 1912, 2.4", essential=True, each=True)
def apex(review: Review) -> Iterator[Problem]:
    """The top of a zone holds its SOA and NS records, and a name with a CNAME holds nothing else."""
    for subject, record in _records(review):
        zone = zone_of(record.name, review.spec.dns)
        if zone is None or record.name != zone.name:
            continue
        names = [value for value in (*record.before, *record.after) if type_of(value) == "CNAME"]
        if names:
            yield _problem(
                subject,
                record,
                f"record {record.name} is the top of its zone and cannot be an alias of {names[0]}",
                "state addresses in `after`, or use a name below the zone",
            )


@rule("VMF265", "error", "two VMs change one record", essential=True)
def twice(review: Review) -> Iterator[Problem]:
    """Both would set it, and the one that moves later undoes what the first one did.

    For a name that several VMs serve, put a Service or load balancer in front of them and state its address in `after`
    for one VM, or change the record by hand.
    """
    found: defaultdict[str, list[tuple[Subject, DnsRecord]]] = defaultdict(list)
    for subject, record in _records(review):
        if record.switch:
            found[record.name].append((subject, record))
    for name, users in sorted(found.items()):
        if len(users) > 1:
            vms = [subject.name for subject, _ in users]
            subject, record = users[-1]
            yield Problem(
                f"record {name} changes with {len(users)} VMs: {', '.join(vms[:5])}{', …' if len(vms) > 5 else ''}",
                "leave it with one of them; set dnsZone: none for the others, or correct their `hostname`",
                _problem(subject, record, "", "").where,
                tuple(vms),
            )


@rule("VMF266", "warning", "updates of a DNS zone are not signed", source="RFC 3007, 3", blueprint=True)
def unsigned(review: Review) -> Iterator[Problem]:
    """Without a key, the name server decides by the sender's address who may change the zone, and that can be forged.

    Many servers refuse such updates. The spec only says where the key is.
    """
    for index, zone in enumerate(review.spec.dns.zones if review.spec.dns else ()):
        if not isinstance(zone.provider, Rfc2136):
            continue
        tsig = zone.provider.tsig
        where = review.at("dns", "zones", index, "provider")
        if tsig is None:
            yield Problem(
                f"zone {zone.name}: no TSIG key is stated",
                "set provider.tsig.file to the path of a key file of `tsig-keygen`, or tsig.secretRef to its Secret",
                where,
            )
        elif (tsig.file is None) == (tsig.secret_ref is None):
            yield Problem(
                f"zone {zone.name}: its TSIG key needs exactly one of file and secretRef",
                "remove one of the two" if tsig.file else "add one of the two",
                where.at("tsig"),
            )


@rule("VMF267", "warning", "record leads to an address from DHCP", each=True)
def dynamic(review: Review) -> Iterator[Problem]:
    """The guest asks a DHCP server, and a server that does not know its MAC gives it another address than before.

    The VM keeps its MAC, so with a reservation it keeps its address, and the record stays right. Suppress this if the
    DHCP server updates the record itself.
    """
    for subject, record in _records(review):
        if record.dynamic:
            yield _problem(
                subject,
                record,
                f"record {record.name} leads to an address that a DHCP server gives it",
                "reserve the address for its MAC, or state `before` and `after` of the record in `dns`",
            )


@rule(
    "VMF268",
    "warning",
    "records may not be those of ExternalDNS",
    source="kubernetes-sigs/external-dns docs/proposal/registry.md: it ignores records that no TXT record of its names",
    blueprint=True,
)
def foreign(review: Review) -> Iterator[Problem]:
    """ExternalDNS only changes records that it made itself: next to each is a TXT record with its owner id.

    A record that was made by hand stays as it is, and nothing says so. Before `prepared`, create these TXT records, or
    run an ExternalDNS with `--registry=noop` for this zone. Then state `ownsRecords: true`.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    for group in review.blueprint.groups:
        for change in group.dns:
            names[change.zone].append(change.name)
    for index, zone in enumerate(review.spec.dns.zones if review.spec.dns else ()):
        if isinstance(zone.provider, ExternalDns) and not zone.provider.owns_records and names[zone.name]:
            yield Problem(
                f"zone {zone.name}: {counted(len(names[zone.name]), 'record')} will change, such as "
                f"{min(names[zone.name])}, and nothing says that ExternalDNS owns them",
                "make it their owner, then set ownsRecords: true in its provider",
                review.at("dns", "zones", index, "provider"),
            )


@rule("VMF269", "warning", "TTL for the cutover is not shorter", blueprint=True)
def not_lowered(review: Review) -> Iterator[Problem]:
    """Clients keep the old address for as long as the TTL says: after the switch, they ask a VM that is off.

    `cutoverTTL` is what that time becomes once the usual TTL has run out.
    """
    for index, zone in enumerate(review.spec.dns.zones if review.spec.dns else ()):
        if parse_duration(zone.cutover_ttl) >= parse_duration(zone.ttl):
            yield Problem(
                f"zone {zone.name}: its cutoverTTL {zone.cutover_ttl} is not shorter than its ttl {zone.ttl}",
                "set a cutoverTTL such as 60s, or correct the ttl",
                review.at("dns", "zones", index, "cutoverTTL"),
            )


@rule("VMF270", "warning", "PTR records in a zone of ExternalDNS are left alone", blueprint=True)
def pointing(review: Review) -> Iterator[Problem]:
    """DNSEndpoints have no PTR records for VMs: after the cutover, addresses lead back to a name that has left them.

    Mail servers, Kerberos and logs go by these names. Let a script change the zone, or suppress this if ExternalDNS
    makes PTR records of its own.
    """
    for index, zone in enumerate(review.spec.dns.zones if review.spec.dns else ()):
        if is_reverse(zone.name) and isinstance(zone.provider, ExternalDns):
            yield Problem(
                f"zone {zone.name}: vmferry changes no PTR records by ExternalDNS",
                "use a provider of type rfc2136, powershell or zonefile for this zone, or remove it",
                review.at("dns", "zones", index, "provider"),
            )


@also(DEFINED_TWICE, blueprint=True)
def zones_twice(review: Review) -> Iterator[Problem]:
    """Yield a problem for each zone that is defined twice."""
    seen: set[str] = set()
    for index, zone in enumerate(review.spec.dns.zones if review.spec.dns else ()):
        if zone.name in seen:
            yield Problem(
                f"zone {zone.name} is defined twice", "keep one of the two", review.at("dns", "zones", index, "name")
            )
        seen.add(zone.name)


# --- time ------------------------------------------------------------------------------------


@rule("VMF874", "error", "TTL has not run out since it was lowered", needs="comparison", progress=True, blueprint=True)
def too_soon(review: Review) -> Iterator[Problem]:
    """Resolvers that asked just before the TTL was lowered keep the old address for as long as the TTL was before.

    The TTL is lowered when the group reaches `prepared`: with ExternalDNS by the sync, in other zones once someone ran
    the script, which a sign-off of `prepared` records. evidence.yaml has the time of both. The switch is at the
    `cutover` of a warm group, of any other when its pull request is merged. Where a time is unknown, nothing is found.
    """
    was = {group.name: group for group in review.before.blueprint.groups} if review.before else {}
    history = History(review.project.evidence)
    for group in review.blueprint.groups:
        before = was.get(group.name)
        if not group.dns or not group.weight or (before is not None and before.weight):
            continue
        lowered, switched = _lowered(group, history), _switched(group, review.now)
        if lowered is None or switched is None:
            continue
        longest = max(group.dns, key=lambda change: change.usual_ttl)
        due = lowered + longest.usual_ttl
        if switched < due:
            yield Problem(
                f"group {group.name}: the TTL of {longest.name} was {about(longest.usual_ttl)} and was lowered at "
                f"{time_text(lowered)}: until {time_text(due)}, clients may go to the old address",
                f"move it to {group.stage} after {time_text(due)}"
                + (", with a later `cutover`" if group.cutover is not None else ""),
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )


def _lowered(group: Group, history: History) -> float | None:
    """Return when the TTL of all records of a group was lowered, in seconds since 1970, if anyone knows."""
    synced = taken(group, "prepared", history).finished
    said = signed(group, "prepared", history).finished
    by_hand = any(not isinstance(change.provider, ExternalDns) for change in group.dns)
    times = [moment(time) for time in (synced, said if by_hand else None) if time is not None]
    return max(times, default=None)


def _switched(group: Group, now: datetime | None) -> float | None:
    """Return when a group that goes to cutover switches."""
    if group.cutover is not None and is_time(group.cutover):
        return moment(group.cutover)
    return now.timestamp() if now is not None else None


@rule("VMF875", "warning", "record switches before its VM", needs="comparison", blueprint=True)
def early(review: Review) -> Iterator[Problem]:
    """ExternalDNS switches a record when the pull request to `cutover` is synced; a warm VM switches at its own time.

    In between, clients are sent to an address that does not answer. Merge the pull request shortly before the time, or
    let a zone with a script (rfc2136, powershell) be switched at that time.
    """
    if review.now is None or review.before is None:
        return
    was = {group.name: group.stage for group in review.before.blueprint.groups}
    gap = 2 * parse_duration(review.spec.target.gitops.interval)
    for group in review.blueprint.groups:
        new = group.stage == "cutover" and was.get(group.name) != "cutover"
        if not new or group.cutover is None or not is_time(group.cutover):
            continue
        names = [change.name for change in group.dns if isinstance(change.provider, ExternalDns)]
        ahead = moment(group.cutover) - review.now.timestamp()
        if names and ahead > gap:
            yield Problem(
                f"group {group.name}: ExternalDNS switches {names[0]} when this is synced, and the cutover is "
                f"{about(ahead)} later",
                f"merge this less than {about(gap)} before {group.cutover}",
                review.at("groups", group.name, "stage"),
                tuple(machine.name for machine in group.machines),
            )
