"""Edits of a spec, as people make them between two runs."""

import random
from collections.abc import Callable

from tests.properties.estates import DATASTORES, Data, Estate


def _memory(estate: Estate, dice: random.Random) -> None:
    dice.choice(estate.vms)["memory"] = f"{dice.randint(1, 64)}Gi"


def _rename(estate: Estate, dice: random.Random) -> None:
    vm = dice.choice(estate.vms)
    if not any(vm["name"] in (other.get("cloneOf"), *other.get("dependsOn", ())) for other in estate.vms):
        vm["name"] += "x"


def _remove(estate: Estate, dice: random.Random) -> None:
    vm = dice.choice(estate.vms)
    if len(estate.vms) > 1 and not any(
        vm["name"] in (other.get("cloneOf"), *other.get("dependsOn", ())) for other in estate.vms
    ):
        estate.vms.remove(vm)


def _map_row(estate: Estate, dice: random.Random) -> None:
    row: Data = dice.choice(estate.spec["storage"]["map"])
    row["tier"] = dice.choice(sorted(DATASTORES.values()))


def _default(estate: Estate, dice: random.Random) -> None:
    estate.spec.setdefault("defaults", {})["liveMigration"] = dice.choice(("preferred", "none"))


def _network(estate: Estate, dice: random.Random) -> None:
    dice.choice(estate.spec["networks"])["name"] = dice.choice(("lan-a", "lan-b"))


def _order(estate: Estate, dice: random.Random) -> None:
    dice.shuffle(estate.vms)


EDITS: tuple[Callable[[Estate, random.Random], None], ...] = (
    _memory, _rename, _remove, _map_row, _default, _network, _order
)  # fmt: skip
