"""5,000 VMs: a bounded number of calls, and each VM once."""

from collections.abc import Iterator

import pytest
from tests.importers.vcsim import PASSWORD, USER, Server, running

from vmferry.importers.vcenter.read import PAGE, read_vcenter
from vmferry.importers.vcenter.session import Login, Trust

VMS = 5000
AROUND = 12
"""Calls that do not depend on the number of VMs: login, views, attributes, one page of the surroundings, logout."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("vcsim"), "-vm", "5", "-clones", str(VMS - 10)) as found:
        yield found


@pytest.mark.slow
def test_calls_grow_with_pages_and_not_with_vms(server: Server) -> None:
    reading = read_vcenter(server.url, "vc1", Login(user=USER, password=PASSWORD), Trust(insecure=True))
    assert len(reading.inventory.vms) == VMS == len({vm.id for vm in reading.inventory.vms})
    assert all(vm.disks and vm.nics and vm.cpu for vm in reading.inventory.vms)
    assert reading.calls <= AROUND + VMS // PAGE
