"""What `vmferry adopt` never records, and that it then writes nothing."""

import copy
import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.adoption.forklift import write_spec
from tests.adoption.migrated import Data, Migrated
from tests.invocation import Result, vmferry


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Migrated:
    """Return a migration at cutover; tests do not change what is on disk."""
    return Migrated(tmp_path_factory.mktemp("moved"))


def instance(vms: dict[str, Data], name: str = "lin-01") -> Data:
    """Return the template's spec of a VM."""
    found: Data = vms[name]["spec"]["template"]["spec"]
    return found


def _fewer_disks(vms: dict[str, Data], claims: list[Data]) -> None:
    instance(vms)["domain"]["devices"]["disks"].pop()


def _fewer_nics(vms: dict[str, Data], claims: list[Data]) -> None:
    instance(vms)["networks"].pop()


def _no_claim(vms: dict[str, Data], claims: list[Data]) -> None:
    del claims[:]


def _pending(vms: dict[str, Data], claims: list[Data]) -> None:
    claims[0]["status"] = {"phase": "Pending"}


def _two(vms: dict[str, Data], claims: list[Data]) -> None:
    vms["copy"] = copy.deepcopy(vms["lin-01"])
    vms["copy"]["metadata"]["name"] = "lin-01-copy"


def _other_source(vms: dict[str, Data], claims: list[Data]) -> None:
    vms["lin-01"]["metadata"]["labels"]["vmID"] = "vm-99"


def _inline(vms: dict[str, Data], claims: list[Data]) -> None:
    volume = {"name": "seed", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: s3cr3t"}}
    instance(vms)["volumes"].append(volume)


def _probe(vms: dict[str, Data], claims: list[Data]) -> None:
    header = {"name": "Authorization", "value": "Bearer abc"}
    instance(vms)["readinessProbe"] = {"httpGet": {"port": 80, "httpHeaders": [header]}}


def _leaving(vms: dict[str, Data], claims: list[Data]) -> None:
    vms["lin-01"]["metadata"]["deletionTimestamp"] = "2027-01-30T22:40:11Z"


def _running(vms: dict[str, Data], claims: list[Data]) -> None:
    vms["lin-01"]["spec"]["running"] = True


REFUSED: dict[str, tuple[Callable[[dict[str, Data], list[Data]], None], str]] = {
    "a VM with fewer disks": (_fewer_disks, "it has 1 of 2 disks"),
    "a VM with fewer NICs": (_fewer_nics, "it has 1 of 2 NICs"),
    "a claim that is missing": (_no_claim, "the dump does not contain its claim lin-01-disk-0"),
    "a claim that is not bound": (_pending, "its claim lin-01-disk-0 is Pending, not Bound"),
    "two VMs for one": (_two, "another VM, lin-01-copy, has the label vmID=vm-11, too"),
    "a VM of another source": (_other_source, "was made from vm-99, not from vm-11"),
    "inline cloud-init data": (_inline, "volume seed has cloudInitNoCloud.userData"),
    "a probe with a credential": (_probe, "its readinessProbe seems to contain a credential"),
    "a VM that is being deleted": (_leaving, "it is being deleted"),
    "a VM with running": (_running, "it has `running`"),
}


def adopt(moved: Migrated, vms: dict[str, Data], claims: list[Data], *options: str) -> Result:
    """Record other objects than those of the migration."""
    dump = json.dumps({"apiVersion": "v1", "kind": "List", "items": [*vms.values(), *claims]})
    return vmferry("adopt", moved.spec, "--from", "-", *options, stdin=dump.encode())


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_and_nothing_is_written(moved: Migrated, what: str) -> None:
    change, message = REFUSED[what]
    vms, claims = copy.deepcopy((moved.vms, moved.claims))
    change(vms, claims)
    done = adopt(moved, vms, claims)
    assert (done.code, message in done.err) == (1, True), done.text
    assert "nothing was written" in done.err
    assert "s3cr3t" not in done.text
    assert "Bearer" not in done.text
    assert not moved.record.exists()


def test_a_vm_that_is_not_in_the_dump_is_listed(moved: Migrated) -> None:
    vms = {name: vm for name, vm in moved.vms.items() if name != "pod-01"}
    done = adopt(moved, vms, moved.claims, "--dry-run", "--format", "json")
    assert done.code == 0
    assert done.data["absent"] == [{"group": "first-01", "vm": "pod-01"}]
    assert done.data["written"] is False


def test_differences_are_named_field_by_field(moved: Migrated) -> None:
    vms = copy.deepcopy(moved.vms)
    vms["lin-01"]["spec"]["runStrategy"] = "Halted"
    domain = instance(vms)["domain"]
    domain["memory"]["guest"] = "16Gi"
    domain["devices"]["interfaces"][1]["macAddress"] = "02:00:00:00:00:01"
    done = adopt(moved, vms, moved.claims, "--dry-run")
    assert done.out.splitlines()[:4] == [
        "first-01 lin-01 (web/lin-01): recorded, 3 differences from the decisions",
        '  runStrategy: "Always" → "Halted"',
        '  template.spec.domain.devices.interfaces[nic-1].macAddress: "00:50:56:9a:10:02" → "02:00:00:00:00:01"',
        '  template.spec.domain.memory.guest: "8Gi" → "16Gi"',
    ]


def test_a_group_before_its_cutover_has_nothing_to_record(tmp_path: Path) -> None:
    spec = write_spec(tmp_path, "2.12", "planned")
    done = vmferry("adopt", spec, "first-01", "--from", "-", stdin=b"{}")
    assert (done.code, "only VMs that run in the target" in done.err) == (2, True), done.text


_KEYS = st.sampled_from(
    [
        *("apiVersion", "kind", "items", "metadata", "spec", "template", "domain", "devices", "disks", "volumes"),
        *("name", "namespace", "labels", "networks", "interfaces", "persistentVolumeClaim", "claimName", "status"),
    ]
)
_TEXTS = st.sampled_from(["List", "VirtualMachine", "kubevirt.io/v1", "v1", "lin-01", "web", "disk-0", "Bound"])
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | _TEXTS | st.text(string.printable, max_size=5)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6), max_leaves=40
)


def _changed(value: Any, path: list[int], other: Any) -> Any:
    """Return a value with one part replaced: the one that a path of numbers leads to."""
    if not path or not isinstance(value, dict | list) or not value:
        return other
    keys = sorted(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    result = dict(value) if isinstance(value, dict) else list(value)
    result[key] = _changed(value[key], path[1:], other)
    return result


@settings(max_examples=150, deadline=None)
@given(path=st.lists(st.integers(0, 20), max_size=10), other=_JSON)
def test_no_dump_crashes_it(moved: Migrated, path: list[int], other: Any) -> None:
    items = _changed([*moved.vms.values(), *moved.claims], path, other)
    dump = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = vmferry("adopt", moved.spec, "--from", "-", "--dry-run", stdin=dump.encode())
    assert done.code in (0, 1, 2), done.text


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"kind":"List","items":' + "[" * 5000, "\ud800", "null"])
def test_what_is_no_dump_is_a_usage_error_or_has_no_vms(moved: Migrated, text: str) -> None:
    stdin = text.encode("utf-8", "surrogatepass")
    done = vmferry("adopt", moved.spec, "--from", "-", "--dry-run", stdin=stdin)
    assert done.code in (0, 2), done.text
