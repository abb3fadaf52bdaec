"""How the tree reaches the cluster: what Flux, Argo CD or the API server would refuse or treat differently."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from urllib.parse import parse_qsl, urlsplit

from vmferry.estate.methods import METHODS
from vmferry.estate.stages import started
from vmferry.kube.limits import MAX_OF_ROOT, ROOT_TOO_LARGE
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import Blueprint, Credential, Group, Machine
from vmferry.model.finding import Where
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also, rule

_GITOPS = ("target", "gitops")

# --- the repository --------------------------------------------------------------------------


@rule("VMF801", "error", "repository URL contains a credential", essential=True)
def credential_in_url(review: Review) -> Iterator[Problem]:
    """It would be in every clone of the repository, in the cluster, and in everything that prints the URL.

    This finds a parameter such as `?private_token=…`. A user or a password before the host is VMF015, which is found in
    any address.
    """
    parts = urlsplit(review.spec.target.gitops.repo_url)
    if any(_TOKEN_NAME.search(name.lower()) for name, _ in parse_qsl(parts.query)):
        yield Problem(
            "repoURL contains a credential (not shown)",
            "remove and revoke it; put a new one into a Secret, and set gitSecret to its name",
            review.at(*_GITOPS, "repoURL"),
            secret=True,
        )


_TOKEN_NAME = re.compile(r"token|passw|secret|(api|private|access)[_-]?key")


@rule(
    "VMF802",
    "error",
    "repository has no key",
    source="fluxcd/source-controller docs/spec/v1/gitrepositories.md, SSH authentication",
)
def no_key(review: Review) -> Iterator[Problem]:
    """Over SSH, Flux needs a private key and the server's host key from a Secret; without one it fetches nothing."""
    gitops = review.spec.target.gitops
    if gitops.engine == "flux" and gitops.git_secret is None and not gitops.repo_url.startswith("https://"):
        yield Problem(
            f"repoURL {gitops.repo_url} is read over SSH, and no gitSecret gives Flux a key",
            "create one with `flux create secret git NAME --url=…`, and set gitSecret: NAME; or use https://",
            review.at(*_GITOPS, "repoURL"),
        )


@rule("VMF803", "warning", "field only applies to Flux")
def for_flux_only(review: Review) -> Iterator[Problem]:
    """It has no effect under Argo CD: repositories have their credentials in Secrets that Argo CD finds by label.

    Nor can Argo CD decrypt SOPS files.
    """
    gitops = review.spec.target.gitops
    if gitops.engine != "argocd":
        return
    if gitops.git_secret is not None:
        yield Problem(
            f"gitSecret {gitops.git_secret} only applies to Flux, and the engine is argocd",
            "remove it; label a Secret argocd.argoproj.io/secret-type: repository, or run `argocd repo add`",
            review.at(*_GITOPS, "gitSecret"),
        )
    if gitops.sops_secret is not None:
        yield Problem(
            f"sopsSecret {gitops.sops_secret} only applies to Flux, and the engine is argocd",
            "remove it, and use externalSecret or a SealedSecret for credentials",
            review.at(*_GITOPS, "sopsSecret"),
        )


# --- what is applied, and by whom ------------------------------------------------------------


@rule(
    "VMF804",
    "error",
    "nothing decrypts a SOPS file",
    source="fluxcd/kustomize-controller: `is SOPS encrypted, configuring decryption is required`; fluxcd/flux2 #2206",
)
def undecrypted(review: Review) -> Iterator[Problem]:
    """Flux refuses the whole root that holds it: no Provider, no namespace, and everything that waits for them.

    Argo CD has no decryption of its own: it would apply the file as it is, and the API server refuses its field `sops`.
    If a plugin decrypts it, suppress this with that reason.
    """
    blueprint = review.blueprint
    gitops = blueprint.gitops
    if gitops.engine == "flux" and gitops.sops_secret is not None:
        return
    for credential, path in _applied(blueprint):
        if credential.content is not None and b"ENC[" in credential.content:
            if gitops.engine == "flux":
                why, fix = "sopsSecret is not set", "set gitops.sopsSecret to the Secret with the age or PGP key"
            else:
                why, fix = "Argo CD does not decrypt", "use a SealedSecret (kubeseal), externalSecret or secretRef"
            yield Problem(
                f"credentials of {credential.source} for namespace {credential.namespace} are in a SOPS file, "
                f"and {why}",
                fix,
                _place(review, credential.source, *path, "file"),
            )


def _applied(blueprint: Blueprint) -> Iterator[tuple[Credential, tuple[str | int, ...]]]:
    """Yield the credentials that are in the output, with their place below `vcenter`."""
    used = {group.source for group in blueprint.groups if group.path == "forklift"}
    for source in blueprint.sources:
        if source.name in used:
            yield source.credential, ("credentials",)
            for index, host in enumerate(source.hosts):
                yield host.credential, ("hosts", index, "credentials")
    for plan in blueprint.namespaces:
        for credential in plan.credentials:
            yield credential, ("conversionCredentials",)


def _place(review: Review, source: str, *path: str | int) -> Where:
    index = next(index for index, each in enumerate(review.spec.sources) if each.name == source)
    return review.at("sources", index, "vcenter", *path)


@rule(
    "VMF805",
    "error",
    "applier is looked up in another namespace",
    source="fluxcd/kustomize-controller docs/spec/v1/kustomizations.md, spec.serviceAccountName",
)
def applier_elsewhere(review: Review) -> Iterator[Problem]:
    """A Kustomization names its ServiceAccount without a namespace: it is the one beside the Kustomization.

    The permissions that are compiled go to the one that is stated; Flux would act as a different one, or as none.
    """
    gitops = review.spec.target.gitops
    beside = review.blueprint.target.engine_namespace
    if gitops.engine == "flux" and gitops.applier is not None and gitops.applier.namespace != beside:
        yield Problem(
            f"applier {gitops.applier.name} is in namespace {gitops.applier.namespace}, but Flux looks for it "
            f"in {beside}",
            f"create it in {beside}, and set applier.namespace: {beside}",
            review.at(*_GITOPS, "applier", "namespace"),
        )


@rule(
    "VMF806",
    "info",
    "impersonation has to be switched on",
    source="https://argo-cd.readthedocs.io/en/stable/operator-manual/app-sync-using-impersonation/",
)
def impersonation(review: Review) -> Iterator[Problem]:
    """An AppProject's destinationServiceAccounts only take effect with impersonation switched on (Argo CD 2.13, alpha).

    Without it Argo CD applies with its own controller's permissions, which may be more than was intended.
    """
    gitops = review.spec.target.gitops
    if gitops.engine == "argocd" and gitops.applier is not None:
        yield Problem(
            f"applier {gitops.applier.name} takes effect only with impersonation in Argo CD",
            'set application.sync.impersonation.enabled: "true" in ConfigMap argocd-cm',
            review.at(*_GITOPS, "applier"),
        )


@rule("VMF807", "warning", "interval is too short")
def too_often(review: Review) -> Iterator[Problem]:
    """Every root is built and compared with the cluster at each interval; a migration has hundreds of roots.

    What is pushed can still be applied at once: with a webhook (Receiver) or `flux reconcile`.
    """
    gitops = review.spec.target.gitops
    if gitops.engine == "flux" and parse_duration(gitops.interval) < 60:
        yield Problem(
            f"interval {gitops.interval} is less than a minute, and applies to every root",
            "set interval: 10m, and use a Receiver for what must not wait",
            review.at(*_GITOPS, "interval"),
        )


@rule("VMF808", "warning", "interval may be longer than a window")
def too_seldom(review: Review) -> Iterator[Problem]:
    """A cutover is a commit, and Flux sees it at the next interval: by then its window may be closed."""
    gitops = review.spec.target.gitops
    windows = [(parse_duration(each.duration), phase.name) for phase in review.spec.phases for each in phase.windows]
    if gitops.engine != "flux" or not windows:
        return
    shortest, phase = min(windows)
    if parse_duration(gitops.interval) >= shortest > 0:
        yield Problem(
            f"interval {gitops.interval} is at least as long as the shortest window of phase {phase}",
            "set interval: 10m, or a longer window",
            review.at(*_GITOPS, "interval"),
        )


# --- size of objects and roots ---------------------------------------------------------------


_PLAN_DISKS = 500
_REQUEST = 3 << 19  # bytes, 1.5 MiB: etcd's --max-request-bytes
_STEPS = 3000  # bytes a VM has in the status of a Plan: seven steps, its phases and conditions
_STEP_DISK = 500  # bytes a disk has in them
_PRECOPY, _DELTA = 200, 130  # bytes of a precopy of a VM, and of a disk in it
_ENTRY, _ENTRY_HOOK = 300, 120  # bytes of a VM in the spec, and of each of its hooks; the status repeats them
_PRECOPY_INTERVAL = 3600  # seconds; controller_precopy_interval of the ForkliftController


@rule(
    "VMF809",
    "warning",
    "Plan grows too large",
    source="kubev2v/forklift pkg/apis/forklift/v1beta1/plan/vm.go (Warm.Precopies), pkg/controller/plan/migration.go; "
    "Migration Toolkit for Virtualization, creating a plan (500 VMs or 500 disks)",
    blueprint=True,
)
def large_plan(review: Review) -> Iterator[Problem]:
    """A Plan keeps its history in its status: of every VM, and with method warm of each hourly copy of it.

    Above 1.5 MiB etcd refuses to write it (`etcdserver: request is too large`): the Plan stops, and its VMs with it.
    `--now` and the `cutover` of a warm group say how long it is copied; the size is an estimate. Forklift supports at
    most 500 disks per Plan.
    """
    for group in review.blueprint.groups:
        if group.path != "forklift" or started(group.stage):
            continue
        disks = sum(len(machine.disks) for machine in group.machines)
        copies = _precopies(review, group)
        size = sum(_plan_bytes(machine, copies) for machine in group.machines)
        if disks > _PLAN_DISKS:
            what = f"its Plan has {disks} disks, and Forklift supports {_PLAN_DISKS}"
            yield _of_plan(review, group, what, "")
        elif size > _REQUEST:
            what = f"its Plan grows to about {size / (1 << 20):.1f} MiB, and etcd accepts 1.5"
            early = copies > 1
            after = f" after {copies} hourly copies of {len(group.machines)} VMs" if early else ""
            yield _of_plan(review, group, what + after, "start the copy closer to its cutover, or " if early else "")


def _of_plan(review: Review, group: Group, what: str, fix: str) -> Problem:
    index = next(index for index, phase in enumerate(review.spec.phases) if phase.name == group.phase)
    return Problem(
        f"group {group.name}: {what}",
        f"{fix}make the groups smaller: lower maxVms of phase {group.phase} (prepared groups stay as they are)",
        review.at("phases", index),
        tuple(machine.name for machine in group.machines),
    )


def _precopies(review: Review, group: Group) -> int:
    """Return how often the disks of a warm group are still copied before its cutover; once if unknown."""
    if not METHODS[group.method].cutover or group.cutover is None or review.now is None:
        return 1
    left = datetime.fromisoformat(group.cutover).timestamp() - review.now.timestamp()
    return max(1, int(left // _PRECOPY_INTERVAL))


def _plan_bytes(machine: Machine, copies: int) -> int:
    entry = _ENTRY + 2 * len(machine.name) + _ENTRY_HOOK * len(machine.hooks)
    size = 2 * entry + _STEPS + _STEP_DISK * len(machine.disks)
    if machine.method == "warm":
        size += copies * (_PRECOPY + sum(_DELTA + len(disk.file or "") for disk in machine.disks))
    return size


@also(ROOT_TOO_LARGE)
def large_root(review: Review) -> Iterator[Problem]:
    """Yield what does not fit into one root: the networks of a namespace, and the ESXi hosts of a vCenter.

    Groups are split to fit; these are not. Only objects that are certainly in the root are counted.
    """
    places = {space.name: review.at("namespaces", index) for index, space in enumerate(review.spec.namespaces)}
    for plan in review.blueprint.namespaces:
        if len(plan.nads) > MAX_OF_ROOT:
            yield Problem(
                f"namespace {plan.name} has {len(plan.nads)} networks, and a root holds at most {MAX_OF_ROOT} "
                "resources",
                "spread its VMs over several namespaces, or map networks to existing NADs (type: nad)",
                places.get(plan.name, review.at("networks")),
            )
    for source in review.blueprint.sources:
        objects = len(source.hosts) + len({host.credential.name for host in source.hosts if _made(host.credential)})
        if objects > MAX_OF_ROOT and any(group.source == source.name for group in _by_forklift(review.blueprint)):
            yield Problem(
                f"vCenter {source.name} has {len(source.hosts)} hosts ({objects} objects), "
                f"and a root holds at most {MAX_OF_ROOT} resources",
                "list only the hosts that disks are copied from, and let them share one secretRef",
                _place(review, source.name, "hosts"),
            )


def _made(credential: Credential) -> bool:
    """Return whether vmferry emits the Secret, or the object that creates it."""
    return credential.external is not None or credential.content is not None


def _by_forklift(blueprint: Blueprint) -> list[Group]:
    return [group for group in blueprint.groups if group.path == "forklift"]


# --- names -----------------------------------------------------------------------------------


@rule("VMF810", "error", "two Forklift objects would have the same name", essential=True)
def one_name(review: Review) -> Iterator[Problem]:
    """Names in Forklift's namespace are MIGRATION-SOURCE and MIGRATION-SOURCE-HOST: with dashes, two can be equal.

    One would overwrite the other, and with it the vCenter or the credentials that VMs are copied with.
    """
    blueprint = review.blueprint
    used = {group.source for group in _by_forklift(blueprint)}
    owners: defaultdict[tuple[str, str], dict[str, Where]] = defaultdict(dict)
    if blueprint.forklift.provider is not None and used:
        where = review.at("target", "forklift", "provider")
        owners["Provider", blueprint.forklift.provider]["the target's provider"] = where
    for source in blueprint.sources:
        if source.name not in used:
            continue
        vcenter = f"vCenter {source.name}"
        place = _place(review, source.name)
        owners["Provider", source.provider][vcenter] = place
        if _made(source.credential) and source.credential.content is None:
            owners["Secret", source.credential.name][vcenter] = place
        for index, host in enumerate(source.hosts):
            where, name = _place(review, source.name, "hosts", index), f"host {host.host.name} of {source.name}"
            owners["Host", host.name][name] = where
            if host.credential.external is not None:
                owners["Secret", host.credential.name][name] = where
    for (kind, name), who in sorted(owners.items()):
        if len(who) > 1:
            first, second = list(who)[:2]
            yield Problem(
                f"{kind} {name} would be used by both {first} and {second}",
                "rename one source so that the names differ",
                who[second],
            )


_TOLD = re.compile(
    r"(?:passw(?:or)?d|passwort|passphrase|kennwort|pwd)[\"']?\s{0,4}[:=]\s{0,4}(?!see\b|in\b|\$|<)\S{4,}",
    re.IGNORECASE,
)


@rule("VMF811", "warning", "note seems to contain a password", each=True)
def password_in_a_note(review: Review) -> Iterator[Problem]:
    """Passwords often end up in vCenter's notes, and many people read a spec in git, forever.

    The importers leave such notes out; this one is in a file that people write.
    """
    for subject in review.subjects:
        if _TOLD.search(subject.vm.annotation or ""):
            problem = subject.problem("its annotation seems to contain a password (not shown)", _CHANGE, "annotation")
            yield problem._replace(secret=True)


_CHANGE = "remove it and change the password; a note may say where it is kept"
