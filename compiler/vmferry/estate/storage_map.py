"""The storage map: which row a datastore in vSphere belongs to."""

from vmferry.model.blueprint import SourceRef
from vmferry.model.spec import DatastoreMap


class StorageRows:
    """The rows, by vCenter and the datastore's name or id. Of two rows for one datastore the first counts."""

    def __init__(self, rows: tuple[DatastoreMap, ...]) -> None:
        self.rows = rows
        self.twice: list[tuple[int, str]] = []  # rows that repeat another, with the name or id they share
        self._by_name: dict[tuple[str | None, str], int] = {}
        for index, row in enumerate(rows):
            for name in (row.source.datastore, row.source.id):
                if name is not None and self._by_name.setdefault((row.source.source, name), index) != index:
                    self.twice.append((index, name))

    def find(self, vcenter: str, datastore: str | None) -> int | None:
        """Return the row of a datastore of a vCenter, by name or id; a row that names the vCenter wins."""
        if datastore is None:
            return None
        found = self._by_name.get((vcenter, datastore))
        return found if found is not None else self._by_name.get((None, datastore))

    def of_ref(self, vcenter: str, ref: SourceRef) -> int | None:
        """Return the current row of a decided disk's datastore: by its name, otherwise by its id."""
        found = self.find(vcenter, ref.name)
        return found if found is not None else self.find(vcenter, ref.id)
