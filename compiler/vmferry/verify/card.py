"""The findings on one root, and its data for comparison with other roots: both only depend on the root's files."""

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from vmferry.kube.kinds import NAD
from vmferry.kube.limits import MAX_OF_ROOT, ROOT_TOO_LARGE
from vmferry.kube.nad import INVALID_NETWORK, check_config
from vmferry.layout.compiled import Tree
from vmferry.layout.objects import Issue, Key, is_object, key_of
from vmferry.model.manifest import KubeObject
from vmferry.model.rule import Rule
from vmferry.verify.entries import Entry, entries
from vmferry.verify.patches import check_patches
from vmferry.verify.protection import check_protection
from vmferry.verify.references import Links, links, qualified
from vmferry.verify.schemas import OBJECT_MISFIT, Schemas
from vmferry.verify.sharing import Uses, uses


class Card(Struct, frozen=True, array_like=True):
    """The content of a root, and what is wrong with it.

    ``objects`` has the apiVersion and the key of each; ``schemas`` has by apiVersion and kind the identity of the
    schema that they were checked against, and whether there was one.
    """

    objects: tuple[tuple[str, Key], ...]
    schemas: tuple[tuple[str, str, str, bool], ...]
    issues: tuple[Issue, ...]
    links: Links
    uses: Uses
    entries: tuple[Entry, ...]


def card(tree: Tree, schemas: Schemas, root: str, documents: Sequence[Any]) -> Card:
    """Return the card of a root that builds to ``documents``. Raises SpecError for a schema that cannot be used."""
    objects = [document for document in documents if is_object(document)]
    issues = dict.fromkeys(_of_root(tree, root, len(documents), len(objects)))
    for obj in objects:
        issues.update(dict.fromkeys(_of_object(obj, schemas)))
        issues.update(dict.fromkeys(check_protection(obj, root, tree.kustomizations[root].file)))
    issues.update(dict.fromkeys(check_patches(tree, root, objects)))
    kinds = sorted({(obj["apiVersion"], obj["kind"]) for obj in objects})
    against = tuple((*each, schemas.identity(*each), schemas.knows(*each)) for each in kinds)
    return Card(
        objects=tuple((obj["apiVersion"], key_of(obj)) for obj in objects),
        schemas=against,
        issues=tuple(issues),
        links=links(objects),
        uses=uses(objects),
        entries=tuple(entry for obj in objects for entry in entries(obj)),
    )


def _of_root(tree: Tree, root: str, documents: int, objects: int) -> Iterator[Issue]:
    def issue(rule: Rule, problem: str, remedy: str) -> Issue:
        return Issue(rule, f"`{root}`: {problem}", remedy, file=tree.kustomizations[root].file)

    if objects < documents:
        remedy = "give every document apiVersion, kind and metadata.name"
        yield issue(OBJECT_MISFIT, "the root contains a document that is not an object with a name", remedy)
    if objects > MAX_OF_ROOT:
        problem = f"the root holds {objects} resources; at most {MAX_OF_ROOT} build in good time"
        yield issue(ROOT_TOO_LARGE, problem, "take resources out of its local/ component into a root of their own")


def _of_object(obj: KubeObject, schemas: Schemas) -> Iterator[Issue]:
    yield from schemas.check(obj) or ()
    key = key_of(obj)
    if (key.group, key.kind) == NAD.key:
        config = (obj.get("spec") or {}).get("config")
        for problem in check_config(config if isinstance(config, str) else "", qualified(key)):
            remedy = "correct spec.config, a JSON text"
            yield Issue(INVALID_NETWORK, f"{key}: {problem}", remedy, key=key, path=("spec", "config"))
