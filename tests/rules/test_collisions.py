"""Objects of different VMs that would have one name."""

from tests.resolve.projects import vm
from tests.rules.ruling import app, only, silent

PORT = {"name": "http", "port": 80}


def test_the_headless_service_of_a_stateful_set_is_nobody_elses() -> None:
    web = app("web", kind="StatefulSet")
    message = only("VMF110", web, app("web-headless", ports=[PORT])).message
    assert message.startswith("Service web/web-headless would be used by web (vc1/web) and web-headless")
    assert silent("VMF110", web, app("web-2", ports=[PORT]))
    assert silent("VMF110", web, app("web-headless"))


def test_the_service_of_a_vm_may_have_the_headless_services_name_neither() -> None:
    web = app("web", kind="StatefulSet")
    assert only("VMF110", web, vm("web-headless", ports=[PORT])).vms == ("web", "web-headless")
    assert silent("VMF110", web, vm("web-headless"))
