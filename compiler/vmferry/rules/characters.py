"""Characters in vCenter's names that manifests cannot contain; they do no harm in an inventory."""

from collections.abc import Iterator

from vmferry.model.blueprint import Machine
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import also
from vmferry.yaml.text import UNFIT, UNFIT_CHARACTER


@also(UNFIT_CHARACTER)
def written(review: Review) -> Iterator[Problem]:
    """Yield facts that would be written into manifests and could not be read again."""
    for group in review.blueprint.groups:
        for machine in group.machines:
            for what, value in _written(machine):
                if UNFIT.search(value):
                    yield Problem(
                        f"VM {machine.target_name}: {what} has a character that kustomize cannot read "
                        "(U+007F, U+FFFE or U+FFFF), and its manifests state it",
                        "rename it in vCenter, which shows the character as nothing or as a box, and import again",
                        review.blueprint.places.get(machine.key),
                        (machine.name,),
                    )


def _written(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield the facts of vSphere that the manifests of a path contain unchanged."""
    if machine.path == "rebuild":
        return
    yield "its name", machine.name
    if machine.timezone is not None and machine.path == "virt-v2v":
        yield "its time zone", machine.timezone
    for disk in machine.disks:
        if disk.datastore is not None and machine.path == "forklift":
            yield f"the datastore of {disk.name}", disk.datastore.name
        if disk.file is not None and disk.source.vddk is not None:
            yield f"the file of {disk.name}", disk.file
