"""Forklift hooks and scripts that users add to a migration, with the text of their files."""

import re
from pathlib import PurePosixPath

from vmferry.estate.statements import DEFINED_TWICE, NOT_APPLICABLE
from vmferry.kube.dns import fit
from vmferry.kube.quantity import parse_duration
from vmferry.model.blueprint import HookPlan, ScriptPlan
from vmferry.model.finding import Where
from vmferry.model.forklift import ScriptSet
from vmferry.model.project import Project
from vmferry.model.rule import declare
from vmferry.model.spec import HOOK_RUNNER, Hook
from vmferry.resolve.notes import Noting
from vmferry.yaml.text import NOT_UTF8


def plan_hooks(project: Project) -> Noting[tuple[HookPlan, ...]]:
    """Return the Forklift hooks, with the text of their playbooks."""
    result: list[HookPlan] = []
    for index, hook in enumerate(project.spec.hooks):
        where = project.where.at("hooks", index)
        if any(done.name == hook.name for done in result):
            yield DEFINED_TWICE.finding(f"hook {hook.name} is defined twice", where=where.at("name"))
            continue
        yield from _check_aap(hook, where)
        playbook = None
        if hook.playbook is not None:
            playbook = yield from text_of(project, "playbook", hook.playbook, where.at("playbook"))
            if playbook is None:
                continue
        timeout = hook.aap.timeout if hook.aap is not None else None
        result.append(
            HookPlan(
                name=hook.name,
                full_name=fit(f"{project.spec.metadata.name}-{hook.name}"),
                image=None if hook.aap is not None else hook.image or HOOK_RUNNER,
                playbook=playbook,
                service_account=hook.service_account,
                deadline=parse_duration(hook.deadline) if hook.deadline else None,
                aap=hook.aap,
                aap_timeout=parse_duration(timeout) if timeout else None,
            )
        )
    return tuple(result)


def _check_aap(hook: Hook, where: Where) -> Noting[None]:
    """Report a hook that mixes two kinds (kubev2v/forklift pkg/controller/hook/validation.go)."""
    if hook.aap is None:
        return
    stated = {"image": hook.image, "playbook": hook.playbook, "serviceAccount": hook.service_account}
    local = [name for name, value in stated.items() if value is not None]
    if local:
        yield NOT_APPLICABLE.finding(
            f"hook {hook.name} starts an AAP job and also has {' and '.join(local)}",
            "Forklift refuses such a hook: remove one or the other",
            where=where.at("aap"),
        )
    if (hook.aap.url is None) != (hook.aap.token_secret is None):
        yield NOT_APPLICABLE.finding(
            f"hook {hook.name}: `url` and `tokenSecret` of an AAP job only work together",
            "add the other one, or remove both to use aap_url and aap_token_secret_name of the ForkliftController",
            where=where.at("aap"),
        )


def text_of(project: Project, what: str, name: str, where: Where) -> Noting[str | None]:
    """Return the text of a file beside the spec; None if it is not text, which is a finding."""
    try:
        return project.attachments[name].decode("utf-8")
    except UnicodeDecodeError:
        yield NOT_UTF8.finding(f"{what} {name} is not UTF-8 text", where=where)
        return None


_SCRIPT = re.compile(r"[0-9]+_(win_firstboot[\w-]*\.ps1|linux_(run|firstboot)[\w-]*\.sh)", re.ASCII)
"""Names of scripts that virt-v2v's pod runs; others are ignored (pkg/virt-v2v/customize/customize.go)."""

_MAX_CONFIG_MAP = 1 << 20  # bytes of a ConfigMap's data (kubernetes pkg/apis/core/validation)


def plan_scripts(project: Project) -> Noting[tuple[ScriptPlan, ...]]:
    """Return the sets of scripts, each with the ConfigMap it is in."""
    result: list[ScriptPlan] = []
    forklift = project.spec.target.forklift.namespace
    for index, wanted in enumerate(project.spec.scripts):
        where = project.where.at("scripts", index)
        if any(done.name == wanted.name for done in result):
            yield DEFINED_TWICE.finding(f"scripts {wanted.name} are defined twice", where=where.at("name"))
        elif bool(wanted.files) == (wanted.config_map is not None):
            message = f"scripts {wanted.name} need exactly one of `files` and `configMap`"
            yield NOT_APPLICABLE.finding(message, where=where)
        elif wanted.config_map is not None:
            reference = wanted.config_map
            namespace = reference.namespace or forklift
            result.append(ScriptPlan(name=wanted.name, config_map=reference.name, namespace=namespace))
        else:
            name = fit(f"{project.spec.metadata.name}-scripts-{wanted.name}")
            scripts = yield from _scripts(project, wanted, where.at("files"))
            result.append(ScriptPlan(name=wanted.name, config_map=name, namespace=forklift, scripts=scripts))
    return tuple(result)


SCRIPT_NOT_RUN = declare(
    "VMF760",
    "error",
    "no conversion would run the script",
    why="The pod that converts a guest runs the scripts whose names match a pattern and silently skips the others. A "
    "ConfigMap holds at most 1 MiB: the API server refuses a larger one.",
    source="kubev2v/forklift pkg/virt-v2v/customize/customize.go",
)


def _scripts(project: Project, wanted: ScriptSet, where: Where) -> Noting[dict[str, str]]:
    """Return the text of each script by its key; wrong names and sizes are findings."""
    result: dict[str, str] = {}
    for index, file in enumerate(wanted.files):
        key, place = PurePosixPath(file).name, where.at(index)
        if not _SCRIPT.fullmatch(key):
            yield SCRIPT_NOT_RUN.finding(
                f"scripts {wanted.name}: no conversion would run {key}",
                "name it NUMBER_linux_run_NAME.sh, NUMBER_linux_firstboot_NAME.sh or NUMBER_win_firstboot_NAME.ps1",
                where=place,
            )
        elif key in result:
            yield DEFINED_TWICE.finding(f"scripts {wanted.name}: two files are named {key}", where=place)
        elif (text := (yield from text_of(project, "script", file, place))) is not None:
            result[key] = text
    size = sum(len(text.encode()) for text in result.values())
    if size > _MAX_CONFIG_MAP:
        yield SCRIPT_NOT_RUN.finding(
            f"scripts {wanted.name} have {size} bytes, and a ConfigMap holds {_MAX_CONFIG_MAP}",
            "let a short script fetch the rest",
            where=where,
        )
    return result
