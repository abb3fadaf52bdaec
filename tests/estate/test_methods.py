"""The methods are whole: each is registered, its layers are applied, and every VM has a usual one on each path."""

import pkgutil
from itertools import pairwise, product
from typing import get_args

import pytest

from vmferry.estate import methods
from vmferry.estate.methods import METHODS, methods_of
from vmferry.kube import kinds
from vmferry.kube.kinds import Right
from vmferry.model.blueprint import Path
from vmferry.model.facts import Disk
from vmferry.model.spec import Method, VirtualMachine

VMS = [
    VirtualMachine(name="web", power_state=power, change_tracking=tracked, template=template, disks=disks)
    for power, tracked, template, disks in product(
        (None, "poweredOn", "poweredOff"), (None, True, False), (None, True), ((), (Disk(size="1Gi", shared="quorum"),))
    )
]


def test_every_module_is_registered_and_every_name_has_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(methods.__path__)} - {"traits"}
    assert modules == set(METHODS) == set(get_args(Method))


def test_every_method_is_one_of_its_path() -> None:
    assert sorted(name for path in get_args(Path) for name in methods_of(path)) == sorted(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_every_layer_is_in_one_step(method: Method) -> None:
    stepped = [layer for _, layers in METHODS[method].steps for layer in layers]
    assert sorted(stepped) == sorted(METHODS[method].layers)
    assert METHODS[method].volumes is None or METHODS[method].volumes in METHODS[method].layers


@pytest.mark.parametrize("method", METHODS)
def test_a_later_step_is_in_no_earlier_wave(method: Method) -> None:
    waves = {name: [METHODS[method].layers[layer].wave for layer in layers] for name, layers in METHODS[method].steps}
    for before, after in pairwise(waves):
        # two ways of clients to a VM, neither of which needs the other
        beside = {before, after} == {"alias", "route"}
        assert max(waves[before]) < min(waves[after]) + beside


@pytest.mark.parametrize("method", METHODS)
def test_it_puts_only_listed_kinds_into_a_namespace(method: Method) -> None:
    put = {each.kind if isinstance(each, Right) else each for each in METHODS[method].kinds}
    assert put <= {kind for kind in kinds.EMITTED if kind.namespaced}


@pytest.mark.parametrize("method", METHODS)
def test_its_traits_do_not_contradict_each_other(method: Method) -> None:
    found = METHODS[method]
    assert found.reads or not found.converts
    assert not (found.reads and found.from_images)
    assert found.independent_disks or found.reads


@pytest.mark.parametrize("path", get_args(Path))
def test_every_vm_has_a_usual_method_on_every_path(path: Path) -> None:
    for vm in VMS:
        assert any(METHODS[name].usual(vm) for name in methods_of(path)), vm
