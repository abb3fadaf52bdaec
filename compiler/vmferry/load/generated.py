"""The files beside a spec that vmferry writes itself: assignments, evidence and recorded VMs."""

from collections.abc import Iterator, Mapping
from typing import Generic, NamedTuple, TypeVar

import msgspec

from vmferry.estate.adoption import misshapen
from vmferry.estate.statements import ADOPTED_MISFIT, ASSIGNMENTS_MISFIT, EVIDENCE_MISFIT
from vmferry.load.validate import convert
from vmferry.model.adopted import AdoptedMachines
from vmferry.model.assignments import Assignments
from vmferry.model.evidence import Evidence
from vmferry.model.finding import Finding, SpecError, Where
from vmferry.model.rule import Rule
from vmferry.yaml.read import read

T = TypeVar("T")


class Form(NamedTuple, Generic[T]):
    """One kind of file: its type, the rule for one that is broken, its name in messages, and how to repair it."""

    kind: type[T]
    misfit: Rule
    name: str
    repair: str

    def read(self, raw: bytes, file: str, text: str) -> tuple[T | None, list[Finding]]:
        """Return the content, or what is wrong with it. ``text`` is what findings show lines of."""
        where = Where(file=file)
        try:
            documents = read(raw, file)
        except SpecError as error:
            return None, list(error.findings)
        if len(documents) != 1 or not isinstance(documents[0].data, dict):
            message = f"the file is not one mapping of {self.name}"
            return None, [self.misfit.finding(message, self.repair, where=where)]
        try:
            return msgspec.convert(documents[0].data, self.kind, strict=True), []
        except ValueError:
            _, found = convert(documents[0].data, self.kind, where, text)
        return None, [
            self.misfit.finding(f"{self.name}: {each.message}", self.repair, where=each.where, secret=each.secret)
            for each in found
        ]


ASSIGNMENTS = Form(
    Assignments,
    ASSIGNMENTS_MISFIT,
    "assignments",
    "the file is vmferry's own: restore it from git, or resolve the merge and run compile again",
)
EVIDENCE = Form(
    Evidence,
    EVIDENCE_MISFIT,
    "evidence",
    "the file is vmferry's own: restore it from git, or resolve the merge by keeping the entries of both sides",
)
ADOPTED = Form(
    AdoptedMachines,
    ADOPTED_MISFIT,
    "recorded VMs",
    "the file is vmferry's own: restore it from git, or record its VMs again with `vmferry adopt`",
)


def unfit(files: Mapping[str, AdoptedMachines]) -> Iterator[Finding]:
    """Yield what is wrong with recorded VMs that their type does not say."""
    seen: dict[str, str] = {}
    for file, found in sorted(files.items()):
        for key, machine in found.vms.items():
            where = Where(file=file).at("vms", key)
            if (wrong := misshapen(machine.spec)) is not None:
                message = f"recorded VM {key}: {wrong} has another form than in a VirtualMachine"
                yield ADOPTED_MISFIT.finding(message, ADOPTED.repair, where=where.at("spec"))
            if key in seen:
                message = f"VM {key} is recorded twice, also in {seen[key]}"
                yield ADOPTED_MISFIT.finding(message, "delete the older of the two records", where=where)
            seen[key] = file
