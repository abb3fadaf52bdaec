"""Whether NSX's facts say the same as vSphere's: which segment a network is."""

from collections.abc import Iterator

from vmferry.estate.network_map import network_map
from vmferry.estate.nsx.segments import Segments, ids_of
from vmferry.model.review import Problem, Review
from vmferry.rules.registry import rule


@rule("VMF252", "warning", "network may be several NSX segments")
def several(review: Review) -> Iterator[Problem]:
    """Names of segments are not unique in NSX: several have the name of one network, and no id tells which one it is.

    `vmferry report networks` then says of neither which firewall rules touch the network. vCenter knows the ids of its
    segments; RVTools does not.
    """
    segments = Segments(review.project.inventories)
    if not segments.managers:
        return
    for row in network_map(review.spec.networks, review.project.where).rows:
        source = row.network.source
        for vcenter in [source.source] if source.source is not None else [each.name for each in review.spec.sources]:
            fact = review.networks.get((vcenter, row.original))
            kind = source.kind or (fact.kind if fact is not None else None)
            found = segments.of(vcenter, row.original, ids_of(fact, source.id), kind)
            if len(found) > 1:
                paths = ", ".join(f"{each.manager} {each.facts.path}" for each in found)
                yield Problem(
                    f"network {row.original} in {vcenter} may be any of {len(found)} segments in NSX: {paths}",
                    "import the vCenter with `vmferry import vcenter`, which knows their ids, or give the segments "
                    "different names; `vmferry import nsx --source` says which vCenters an NSX serves",
                    row.where.at("source"),
                )
