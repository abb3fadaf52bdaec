"""The one answer to which row of the network map a network is in."""

from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import convert

from vmferry.estate.network_map import NetworkMap, network_map
from vmferry.model.blueprint import SourceRef
from vmferry.model.facts import Nic
from vmferry.model.finding import Where
from vmferry.model.inventory import InventoryNetwork
from vmferry.model.spec import Network

SPEC = Where(file="spec.yaml")


def mapped(*sources: dict[str, Any]) -> NetworkMap:
    return network_map([convert({"source": source, "target": {"type": "pod"}}, Network) for source in sources], SPEC)


def of_nic(table: NetworkMap, datacenter: str | None = None, **nic: Any) -> int | None:
    row = table.of_nic("vc1", convert(nic, Nic), datacenter).row
    return row.index if row is not None else None


def of_network(table: NetworkMap, **network: Any) -> int | None:
    row = table.of_network("vc1", convert(network, InventoryNetwork))
    return row.index if row is not None else None


def test_a_row_keeps_its_place_among_those_of_the_spec_though_another_is_not_clear() -> None:
    table = mapped({"portGroup": "lan", "segment": "lan"}, {"portGroup": "web"})
    assert [(row.index, row.original, row.where.path) for row in table.rows] == [(1, "web", ("networks", 1))]


def test_a_row_that_is_called_like_the_id_goes_before_one_that_has_the_name() -> None:
    table = mapped({"portGroup": "lan"}, {"portGroup": "dvportgroup-7", "id": "dvportgroup-7"})
    assert of_nic(table, network="lan", networkId="dvportgroup-7") == 1
    assert of_nic(table, network="lan", networkId="dvportgroup-8") == 0
    assert of_network(table, name="lan", id="dvportgroup-7") == 1


def test_a_network_of_an_inventory_is_found_in_the_row_of_its_datacenter() -> None:
    table = mapped({"portGroup": "lan", "datacenter": "north"}, {"portGroup": "lan", "datacenter": "south"})
    assert of_network(table, name="lan", datacenter="south") == 1
    assert of_network(table, name="lan", datacenter="east") is None
    assert of_nic(table, "south", network="lan") == 1


_NAMES = st.sampled_from(("lan", "web", "dvportgroup-7"))
_SOURCES = st.lists(
    st.fixed_dictionaries(
        {"portGroup": _NAMES},
        optional={
            "id": st.sampled_from(("dvportgroup-7", "dvportgroup-8")),
            "source": st.sampled_from(("vc1", "vc2")),
            "datacenter": st.sampled_from(("north", "south")),
        },
    ),
    max_size=5,
)


@given(_SOURCES, _NAMES, st.sampled_from((None, "north", "south")))
def test_what_a_nic_was_decided_by_is_found_again(sources: list[dict[str, Any]], name: str, place: str | None) -> None:
    table = mapped(*sources)
    row = table.of_nic("vc1", Nic(network=name), place).row
    assume(row is not None)
    assert row is not None
    assert row.network.source.source in (None, "vc1")
    again = table.of_ref("vc1", SourceRef(name=name, id=row.network.source.id), place)
    assert again is row
