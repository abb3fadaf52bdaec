"""The one answer to which row of the storage map a datastore is in."""

from typing import Any

from msgspec import convert

from vmferry.estate.storage_map import StorageRows
from vmferry.model.blueprint import SourceRef
from vmferry.model.spec import DatastoreMap


def rows(*sources: dict[str, Any]) -> StorageRows:
    return StorageRows(tuple(convert({"source": source, "tier": "gold"}, DatastoreMap) for source in sources))


def test_a_row_that_names_the_vcenter_goes_before_one_for_any() -> None:
    table = rows({"datastore": "ds1"}, {"datastore": "ds1", "source": "vc2"})
    assert (table.find("vc1", "ds1"), table.find("vc2", "ds1"), table.find("vc1", "ds2")) == (0, 1, None)
    assert table.find("vc1", None) is None


def test_a_datastore_is_found_by_its_id_as_well() -> None:
    table = rows({"datastore": "ds1", "id": "datastore-7"})
    assert table.find("vc1", "datastore-7") == 0
    assert table.of_ref("vc1", SourceRef(name="renamed", id="datastore-7")) == 0
    assert table.of_ref("vc1", SourceRef(name="renamed")) is None


def test_of_two_rows_for_one_datastore_the_first_counts_and_the_other_is_told() -> None:
    table = rows({"datastore": "ds1", "id": "datastore-7"}, {"datastore": "ds2", "id": "datastore-7"})
    assert table.find("vc1", "datastore-7") == 0
    assert table.twice == [(1, "datastore-7")]
