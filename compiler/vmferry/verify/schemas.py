"""Checks objects against the JSON Schemas of their kinds, from directories and from kubernetes-validate."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from vmferry.estate.statements import UNREADABLE_FILE
from vmferry.layout.objects import Issue, key_of, shown
from vmferry.model.finding import Finding, SpecError
from vmferry.model.manifest import KubeObject, group_and_version
from vmferry.model.rule import declare

if TYPE_CHECKING:
    import jsonschema_rs

_MOST = 5  # findings per object
_LONGEST = 300
_REMEDY = "correct it where it is written; if vmferry wrote it, check that target.cluster.versions match the cluster"
_DEFINITIONS_FILE = "_definitions.json"
_DEFINITIONS = "https://kubernetes.io/api/_definitions.json"  # targets of the schemas' $ref


OBJECT_MISFIT = declare(
    "VMF606",
    "error",
    "object does not fit its schema",
    why="The API server refuses an object with an unknown field or a value of the wrong type. GitOps reports that "
    "only after the merge, and the rest of the root waits.",
)


class Schemas:
    """The schemas of all known kinds, each compiled for the first object of its kind.

    A directory contains them as GROUP/KIND_VERSION.json (kubeconform's CRDs-catalog; the core group is ``core``) or as
    KIND-GROUP-VERSION.json (kubernetes-json-schema). Missing built-in kinds come from the newest strict schemas of the
    package kubernetes-validate, if it is installed.
    """

    def __init__(self, directories: Sequence[Path]) -> None:
        """Raise SpecError (VMF009) for a directory that does not exist."""
        for directory in directories:
            if not directory.is_dir():
                raise SpecError(UNREADABLE_FILE.finding(f"`{directory}` is not a directory of schemas"))
        self.directories = tuple(directories)
        self._builtin = builtin_schemas()
        self._definitions: jsonschema_rs.Registry | None = None
        self._validators: dict[tuple[str, str], Any] = {}

    def check(self, obj: KubeObject) -> list[Issue] | None:
        """Return what is wrong with an object; None if its kind has no schema.

        Raises SpecError (VMF009) for an invalid schema.
        """
        validator = self._validator(obj["apiVersion"], obj["kind"])
        if validator is None:
            return None
        if validator.is_valid(obj):
            return []
        key = key_of(obj)
        issues = []
        for error in validator.iter_errors(obj):
            path = tuple(error.instance_path)
            place = f" at `{shown(path)}`" if path else ""
            message = f"{key} does not fit its schema{place}: {_short(error.message)}"
            issues.append(Issue(OBJECT_MISFIT, message, _REMEDY, key=key, path=path))
        return sorted(issues, key=lambda issue: (shown(issue.path), issue.message))[:_MOST]

    def knows(self, api_version: str, kind: str) -> bool:
        """Return whether there is a schema for a kind. Raises SpecError (VMF009) for an invalid one."""
        return self._validator(api_version, kind) is not None

    def identity(self, api_version: str, kind: str) -> str:
        """Return the identity of a kind's schema without reading it; empty if there is none."""
        file = self._file(api_version, kind)
        if file is None:
            return ""
        beside = [self._builtin / _DEFINITIONS_FILE] if self._builtin and file.parent == self._builtin else []
        statuses = [path.stat() for path in (file, *beside) if path.is_file()]
        return " ".join([str(file), *(f"{each.st_size} {each.st_mtime_ns}" for each in statuses)])

    def _validator(self, api_version: str, kind: str) -> Any:
        if (api_version, kind) not in self._validators:
            self._validators[api_version, kind] = self._load(api_version, kind)
        return self._validators[api_version, kind]

    def _file(self, api_version: str, kind: str) -> Path | None:
        group, version = group_and_version(api_version)
        catalog = f"{group or 'core'}/{kind.lower()}_{version}.json"
        flat = "-".join(part for part in (kind.lower(), group.partition(".")[0], version) if part) + ".json"
        candidates = [folder / name for folder in self.directories for name in (catalog, flat)]
        candidates += [self._builtin / flat] if self._builtin else []
        return next((path for path in candidates if path.is_file()), None)

    def _load(self, api_version: str, kind: str) -> Any:
        import jsonschema_rs  # takes 80 ms that most commands do not need

        group, _ = group_and_version(api_version)
        file = self._file(api_version, kind)
        if file is None:
            return None
        schema, registry = _read(file), None
        if self._builtin and file.parent == self._builtin:
            registry = self._builtin_definitions(self._builtin)
            # The layout also shortens `batch.example.com` to `batch`.
            if all(entry["group"] != group for entry in schema.get("x-kubernetes-group-version-kind", ())):
                return None
        # Messages must not contain the values of a Secret.
        mask = "the value" if (group, kind) == ("", "Secret") else None
        try:
            return jsonschema_rs.validator_for(schema, registry=registry, mask=mask, offline=True)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise SpecError(_unusable(file, str(error))) from None

    def _builtin_definitions(self, folder: Path) -> "jsonschema_rs.Registry":
        import jsonschema_rs

        if self._definitions is None:
            definitions = _read(folder / _DEFINITIONS_FILE)
            self._definitions = jsonschema_rs.Registry([(_DEFINITIONS, definitions)])
        return self._definitions


def builtin_schemas() -> Path | None:
    """Return the path of kubernetes-validate's newest strict schemas; None if it is not installed.

    Its layout: kubernetes-json-schema/vMAJOR.MINOR.PATCH-local-strict/KIND-GROUP-VERSION.json, the group up to its
    first dot, beside a _definitions.json that all refer to. The package itself is not imported: it would import
    jsonschema, which takes a quarter of a second.
    """
    spec = importlib.util.find_spec("kubernetes_validate")
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0]) / "kubernetes-json-schema"
    versions = {path: path.name.removeprefix("v").partition("-")[0] for path in folder.glob("v*-local-strict")}
    return max(versions, key=lambda path: [int(part) for part in versions[path].split(".")], default=None)


def _read(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise SpecError(_unusable(file, str(error))) from None


def _unusable(file: Path, problem: str) -> Finding:
    return UNREADABLE_FILE.finding(f"schema `{file}` cannot be used: {_short(problem)}")


def _short(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
